//! A connection that is opened when it is needed, and opened again after it broke.

use store::{Client, DatabaseUrl, StoreError};

/// One dedicated connection.
#[derive(Debug)]
pub struct Database {
    url: DatabaseUrl,
    name: &'static str,
    client: Option<Client>,
}

impl Database {
    /// Not connected yet; `name` is what `pg_stat_activity` shows.
    pub fn new(url: DatabaseUrl, name: &'static str) -> Self {
        Self { url, name, client: None }
    }

    /// Whether the connection is there and works, as far as is known.
    pub fn is_open(&self) -> bool {
        self.client.as_ref().is_some_and(|client| !client.is_closed())
    }

    /// The connection, opened when there is none.
    pub async fn client(&mut self) -> Result<&Client, StoreError> {
        let open = self.client.take().filter(|client| !client.is_closed());
        let client = match open {
            Some(client) => client,
            None => store::connect(&self.url, self.name).await?,
        };
        Ok(self.client.insert(client))
    }

    /// Forgets the connection, after an error.
    pub fn disconnect(&mut self) {
        self.client = None;
    }
}

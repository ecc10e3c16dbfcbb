//! Databases that outlive their process: filled once, found again by later runs.

use super::{Admin, TestDatabase, migrations_hash};
use crate::servers;

impl TestDatabase {
    /// The database that an earlier run has kept under this name, if `mark` and the schema are still the same.
    pub async fn find_kept(name: &str, mark: &str) -> Option<Self> {
        let admin = Admin::connect().await;
        let comment = "select shobj_description(oid, 'pg_database') from pg_database where datname = $1";
        let row = admin.client.query_opt(comment, &[&name]).await.expect("the catalogue is readable")?;
        let found: Option<String> = row.get(0);
        (found == Some(marked(mark))).then(|| Self {
            server: servers::postgres_url(),
            name: name.to_owned(),
            is_kept: true,
        })
    }

    /// Takes this name for good (lower case and underscores) and stays when the value goes; whatever had the name is
    /// dropped, and every connection to this database ends. `mark` says what it holds, for [`TestDatabase::find_kept`].
    pub async fn keep_as(mut self, name: &str, mark: &str) -> Self {
        let admin = Admin::connect().await;
        admin.run(&format!("drop database if exists {name} with (force)")).await;
        self.disconnect_all().await;
        admin.run(&format!("alter database {} rename to {name}", self.name)).await;
        name.clone_into(&mut self.name);
        self.is_kept = true;
        let mark = marked(mark).replace('\'', "''");
        admin.run(&format!("comment on database {name} is '{mark}'")).await;
        self
    }
}

/// What is kept is of no use to a build with other migrations.
fn marked(mark: &str) -> String {
    format!("{mark}; schema {}", migrations_hash())
}

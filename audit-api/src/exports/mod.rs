//! Export files: written under the configured object store, whole or not at all, and handed out by links that expire
//! (B14).

mod link;
mod place;
mod rows;
mod sweep;
mod write;

use std::{sync::Arc, time::Duration};

use service::config::ExportSettings;
use store::PageRequest;
use tokio::sync::Semaphore;

use crate::walk::PageWalk;

pub use link::{Link, LinkError};
pub use place::{Place, PlaceError};
pub use rows::Format;
pub use write::ExportError;

/// What writes exports and hands them out.
pub struct Exports {
    place: Place,
    running: Arc<Semaphore>,
    max_events: u64,
    /// How long a link works.
    pub link_lifetime: Duration,
    /// The base of links to files of a folder, when the configuration says one.
    pub public_url: Option<String>,
}

impl Exports {
    /// Opens the place that the settings name; `None` when they name none.
    pub fn new(settings: &ExportSettings) -> Result<Option<Arc<Self>>, PlaceError> {
        let Some(place) = Place::open(settings)? else { return Ok(None) };
        Ok(Some(Arc::new(Self {
            place,
            running: Arc::new(Semaphore::new(settings.max_concurrent)),
            max_events: settings.max_events,
            link_lifetime: settings.link_lifetime,
            public_url: settings.public_url.as_ref().map(|url| url.trim_end_matches('/').to_owned()),
        })))
    }

    /// Writes the events of a list into a file of this name; when the returned future is dropped, nothing of it stays.
    pub async fn write(
        &self,
        reader: store::Reader,
        request: PageRequest,
        format: Format,
        name: &str,
    ) -> Result<u64, ExportError> {
        let permit = Arc::clone(&self.running).try_acquire_owned().map_err(|_| ExportError::Busy)?;
        let file = self.place.begin(name).await?;
        let writing = write::Writing { walk: PageWalk::new(reader, request), format, most: self.max_events };
        write::to_its_end(writing, file, permit).await
    }

    /// Where the files are.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Removes files of the folder whose links have expired, from time to time, until a stop is requested.
    pub async fn sweep(self: Arc<Self>, shutdown: service::Shutdown) {
        if let Some(folder) = self.place.folder() {
            sweep::keep(folder.to_owned(), self.link_lifetime, shutdown).await;
        }
    }
}

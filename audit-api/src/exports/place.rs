//! A folder or a bucket.

use std::{
    path::{Path as FolderPath, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures::stream::BoxStream;
use object_store::{
    ObjectStore, ObjectStoreExt as _, WriteMultipart,
    aws::{AmazonS3, AmazonS3Builder},
    local::LocalFileSystem,
    path::Path,
    signer::Signer as _,
};
use secrecy::ExposeSecret as _;
use service::config::ExportSettings;

use super::link::Link;

/// The folder of the files within the folder or bucket, as document 001 has it.
pub(super) const PREFIX: &str = "reports";

/// Where the files go.
pub struct Place {
    store: Arc<dyn ObjectStore>,
    kind: Kind,
}

enum Kind {
    Folder { path: PathBuf, link: Link },
    Bucket(Arc<AmazonS3>),
}

/// The place cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The folder is not there and cannot be made, or the settings of the bucket do not hold together.
    #[error("the place of exports cannot be opened: {0}")]
    Open(#[source] object_store::Error),
    /// The folder cannot be made.
    #[error("the folder {folder} cannot be made: {error}")]
    Folder {
        /// The folder.
        folder: String,
        /// Why.
        #[source]
        error: std::io::Error,
    },
}

impl Place {
    pub(super) fn open(settings: &ExportSettings) -> Result<Option<Self>, PlaceError> {
        if let Some(folder) = &settings.folder {
            return Self::folder_at(folder, settings).map(Some);
        }
        let Some(bucket) = &settings.bucket else { return Ok(None) };
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_region(&settings.region);
        if let Some(endpoint) = &settings.endpoint {
            builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
        }
        if let (Some(id), Some(secret)) = (&settings.access_key_id, &settings.secret_access_key) {
            builder = builder.with_access_key_id(id).with_secret_access_key(secret.expose_secret());
        }
        let store = Arc::new(builder.build().map_err(PlaceError::Open)?);
        Ok(Some(Self { store: Arc::<AmazonS3>::clone(&store), kind: Kind::Bucket(store) }))
    }

    fn folder_at(folder: &FolderPath, settings: &ExportSettings) -> Result<Self, PlaceError> {
        let path = folder.join(PREFIX);
        std::fs::create_dir_all(&path)
            .map_err(|error| PlaceError::Folder { folder: path.display().to_string(), error })?;
        let store = LocalFileSystem::new_with_prefix(folder).map_err(PlaceError::Open)?.with_fsync(true);
        let link = match &settings.link_secret {
            Some(secret) => Link::new(secret.expose_secret().as_bytes()),
            None => Link::of_this_process(),
        };
        Ok(Self { store: Arc::new(store), kind: Kind::Folder { path, link } })
    }

    /// The folder that holds the files; `None` = a bucket does.
    pub(super) fn folder(&self) -> Option<&FolderPath> {
        match &self.kind {
            Kind::Folder { path, .. } => Some(path),
            Kind::Bucket(_) => None,
        }
    }

    /// What signs the links to files of a folder; `None` = a bucket does.
    pub fn link(&self) -> Option<&Link> {
        match &self.kind {
            Kind::Folder { link, .. } => Some(link),
            Kind::Bucket(_) => None,
        }
    }

    /// Begins a file; nobody sees it before it is finished.
    pub(super) async fn begin(&self, name: &str) -> Result<WriteMultipart, object_store::Error> {
        let upload = self.store.put_multipart(&at(name)).await?;
        Ok(WriteMultipart::new(upload))
    }

    /// A link of S3's own to a file; `None` = the API serves it.
    pub async fn presigned(
        &self,
        name: &str,
        lifetime: Duration,
    ) -> Result<Option<String>, object_store::Error> {
        match &self.kind {
            Kind::Folder { .. } => Ok(None),
            Kind::Bucket(store) => {
                let url = store.signed_url(axum::http::Method::GET, &at(name), lifetime).await?;
                Ok(Some(url.to_string()))
            }
        }
    }

    /// A file's bytes and their number; `None` = there is no such file.
    pub async fn read(
        &self,
        name: &str,
    ) -> Result<Option<(u64, BoxStream<'static, object_store::Result<bytes::Bytes>>)>, object_store::Error>
    {
        match self.store.get(&at(name)).await {
            Ok(file) => Ok(Some((file.meta.size, file.into_stream()))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn at(name: &str) -> Path {
    Path::from_iter([PREFIX, name])
}

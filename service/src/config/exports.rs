//! `[exports]`: where the files of `POST /audit/export` go.

use std::{path::PathBuf, time::Duration};

use credentials::Secret;
use serde::Deserialize;

use super::{ConfigError, ingestor::within};

/// A folder of this machine, or a bucket of S3; without either there are no exports.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExportSettings {
    /// A folder for the files; the API serves them itself, by links that expire.
    pub folder: Option<PathBuf>,
    /// The base of those links; without it the `Host` of the request, by the API's own protocol.
    pub public_url: Option<String>,
    /// Signs those links; without it a key of this process, so that links end with it.
    pub link_secret: Option<Secret>,
    /// A bucket for the files; S3 serves them by presigned links.
    pub bucket: Option<String>,
    /// The bucket's credentials; without both those of the `AWS_…` variables, or the machine's role.
    pub access_key_id: Option<String>,
    /// The secret half.
    pub secret_access_key: Option<Secret>,
    /// The bucket's region.
    pub region: String,
    /// Another service that speaks S3.
    pub endpoint: Option<String>,
    /// How long a link works. Files of a folder are removed some time after.
    #[serde(with = "humantime_serde")]
    pub link_lifetime: Duration,
    /// A larger export is refused.
    pub max_events: u64,
    /// Exports written at once; more are answered 503.
    pub max_concurrent: usize,
}

impl Default for ExportSettings {
    fn default() -> Self {
        Self {
            folder: None,
            public_url: None,
            link_secret: None,
            bucket: None,
            access_key_id: None,
            secret_access_key: None,
            region: "us-east-1".to_owned(),
            endpoint: None,
            link_lifetime: Duration::from_hours(1),
            max_events: 1_000_000,
            max_concurrent: 2,
        }
    }
}

impl ExportSettings {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        within("exports.max_concurrent", self.max_concurrent, 1, 100)?;
        if self.folder.is_some() && self.bucket.is_some() {
            return Err(ConfigError::key(
                "exports.bucket",
                "stands beside exports.folder: keep one of the two",
            ));
        }
        if self.bucket.as_deref() == Some("") {
            return Err(ConfigError::key("exports.bucket", "is empty: name the bucket"));
        }
        if self.access_key_id.is_some() != self.secret_access_key.is_some() {
            return Err(ConfigError::key(
                "exports.secret_access_key",
                "goes with exports.access_key_id: give both, or neither",
            ));
        }
        if self.max_events == 0 {
            return Err(ConfigError::key("exports.max_events", "is zero: no export could be written"));
        }
        // A week is the most that S3 presigns.
        let week = Duration::from_hours(7 * 24);
        if self.link_lifetime < Duration::from_secs(1) || self.link_lifetime > week {
            return Err(ConfigError::key("exports.link_lifetime", "must be 1 second to 7 days"));
        }
        if self
            .public_url
            .as_deref()
            .is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://"))
        {
            return Err(ConfigError::key("exports.public_url", "must begin with http:// or https://"));
        }
        Ok(())
    }
}

//! Protected values: encrypted in place, from the first row on (semantics.md 9).
//!
//! The form is `{"$protected":"v1","key":"<key id>","value":"<base64>"}`. `value` is the standard, padded base64 of
//! AES-256-GCM-SIV (RFC 8452) over the JSON text that it replaces: ciphertext, then the tag of 16 bytes, no associated
//! data. The nonce is the first 12 bytes of SHA-256 over the event id (hyphenated, lower case, 36 bytes of ASCII) and the
//! JSON Pointer of the value within the payload (UTF-8), nothing in between: the same event gives the same bytes when it
//! is delivered again, so that dedupe works. A subject's key never meets one nonce with two values, since id and pointer
//! name one value of one event; were an event id used twice, SIV would reveal no more than whether the values are equal.

use std::fmt;

use aes_gcm_siv::aead::Aead;
use aes_gcm_siv::{Aes256GcmSiv, KeyInit, Nonce};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::json::push_string;

const VERSION: &str = "v1";

/// The key of one subject of one organisation.
#[derive(Clone)]
pub struct SubjectKey {
    id: String,
    secret: [u8; 32],
}

impl SubjectKey {
    /// A key by its public id.
    pub fn new(id: impl Into<String>, secret: [u8; 32]) -> Self {
        Self { id: id.into(), secret }
    }

    /// The public id, which stands beside every value it protects.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn cipher(&self) -> Aes256GcmSiv {
        Aes256GcmSiv::new(&self.secret.into())
    }
}

impl fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubjectKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A protected value cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not the form of a protected value, or another version of it.
    #[error("not a protected value of version v1")]
    Malformed,
    /// It was protected under another key.
    #[error("the value was protected under another key")]
    OtherKey,
    /// The bytes do not belong to this key, event and pointer.
    #[error("the value was not protected under this key, event and pointer")]
    Rejected,
}

/// Protects the JSON text of one value; the result is JSON text to put in its place.
pub fn seal(key: &SubjectKey, event_id: Uuid, pointer: &str, value: &str) -> String {
    let sealed = key
        .cipher()
        .encrypt(&nonce(event_id, pointer), value.as_bytes())
        .expect("a value is far below the cipher's limit of 64 GiB");
    let mut out = format!("{{\"$protected\":\"{VERSION}\",\"key\":").into_bytes();
    push_string(&mut out, &key.id);
    out.extend_from_slice(b",\"value\":");
    push_string(&mut out, &STANDARD.encode(sealed));
    out.push(b'}');
    String::from_utf8(out).expect("made of strings and ASCII")
}

/// Gives back the JSON text that [`seal`] protected.
pub fn open(key: &SubjectKey, event_id: Uuid, pointer: &str, protected: &str) -> Result<String, OpenError> {
    let form = Form::read(protected)?;
    if form.key != key.id {
        return Err(OpenError::OtherKey);
    }
    let sealed = STANDARD.decode(form.value).map_err(|_| OpenError::Malformed)?;
    let opened = key
        .cipher()
        .decrypt(&nonce(event_id, pointer), sealed.as_slice())
        .map_err(|_| OpenError::Rejected)?;
    String::from_utf8(opened).map_err(|_| OpenError::Rejected)
}

/// The id of the key that a protected value needs.
pub fn key_id(protected: &str) -> Result<String, OpenError> {
    Form::read(protected).map(|form| form.key)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    #[serde(rename = "$protected")]
    version: String,
    key: String,
    value: String,
}

impl Form {
    fn read(text: &str) -> Result<Self, OpenError> {
        serde_json::from_str(text)
            .ok()
            .filter(|form: &Self| form.version == VERSION)
            .ok_or(OpenError::Malformed)
    }
}

fn nonce(event_id: Uuid, pointer: &str) -> Nonce {
    let id = event_id.hyphenated();
    let hash: [u8; 32] = Sha256::new()
        .chain_update(id.encode_lower(&mut Uuid::encode_buffer()).as_bytes())
        .chain_update(pointer)
        .finalize()
        .into();
    let first: [u8; 12] = *hash.first_chunk().expect("32 bytes hold 12");
    first.into()
}

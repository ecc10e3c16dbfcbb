//! A secret that stands in the configuration, or in a file of its own that may change.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret, SecretString};
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};

/// A value that never prints. One from a file knows it, so that a new connection takes what stands there then.
#[derive(Clone)]
pub struct Secret {
    value: SecretString,
    file: Option<PathBuf>,
}

impl Secret {
    /// Reads a secret from a file; one line end at its end is not part of it.
    pub fn from_file(path: impl Into<PathBuf>) -> std::io::Result<Self> {
        let path = path.into();
        let value = read(&path)?;
        Ok(Self { value, file: Some(path) })
    }

    /// The file it came from.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// What the file holds now; the value as it is known when there is no file, or it cannot be read at this moment:
    /// mounts are replaced while we run, and a connection with the value before says clearly enough that it is wrong.
    pub fn latest(&self) -> SecretString {
        self.file.as_deref().and_then(|path| read(path).ok()).unwrap_or_else(|| self.value.clone())
    }
}

fn read(path: &Path) -> std::io::Result<SecretString> {
    let text = std::fs::read_to_string(path)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "the file is empty"));
    }
    Ok(SecretString::from(line))
}

impl ExposeSecret<str> for Secret {
    fn expose_secret(&self) -> &str {
        self.value.expose_secret()
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self { value: value.into(), file: None }
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self { value: value.into(), file: None }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.file.is_some() { "Secret(redacted, of a file)" } else { "Secret(redacted)" })
    }
}

impl<'de> Deserialize<'de> for Secret {
    /// A string; or a table `{ file, value }`, as the configuration makes it of a key that ends in `_file`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

struct SecretVisitor;

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret::from(text))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Secret, E> {
        Ok(Secret::from(number.to_string()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Secret, E> {
        Ok(Secret::from(number.to_string()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Secret, A::Error> {
        let (mut value, mut file) = (None, None);
        while let Some((key, text)) = entries.next_entry::<String, String>()? {
            match key.as_str() {
                "value" => value = Some(SecretString::from(text)),
                "file" => file = Some(PathBuf::from(text)),
                _ => return Err(de::Error::unknown_field(&key, &["file", "value"])),
            }
        }
        let value = value.ok_or_else(|| de::Error::missing_field("value"))?;
        Ok(Secret { value, file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_a_file_is_read_again_and_survives_the_files_absence() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "first\n").unwrap();
        let secret = Secret::from_file(&file).unwrap();
        assert_eq!(secret.expose_secret(), "first", "the line end is the editor's");
        std::fs::write(&file, "second\r\n").unwrap();
        assert_eq!(secret.latest().expose_secret(), "second");
        std::fs::write(&file, "").unwrap();
        assert_eq!(secret.latest().expose_secret(), "first", "a file that is just being written");
        std::fs::remove_file(&file).unwrap();
        assert_eq!(secret.latest().expose_secret(), "first");
        assert!(Secret::from_file(&file).is_err());
    }

    #[test]
    fn it_never_prints() {
        let secret: Secret = serde_json::from_str("\"hunter2\"").unwrap();
        assert_eq!(secret.expose_secret(), "hunter2");
        assert_eq!(format!("{secret:?}"), "Secret(redacted)");
        let digits: Secret = serde_json::from_str("12345").unwrap();
        assert_eq!(digits.expose_secret(), "12345");
    }
}

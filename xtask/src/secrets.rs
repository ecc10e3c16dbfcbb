//! Passwords and keys of a local stack: random, made once, kept in a file that only the owner reads.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};

use crate::stack::write_private;

/// Secrets by name, each 64 hexadecimal digits (256 bits).
pub(crate) struct Secrets {
    values: BTreeMap<String, String>,
}

impl Secrets {
    /// Reads the secrets kept in `path` and adds the `names` that are missing.
    pub(crate) fn keep(path: &Path, names: &[&str]) -> Result<Self> {
        let mut values: BTreeMap<String, String> = match fs::read_to_string(path) {
            Ok(text) => serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))?,
            Err(_) => BTreeMap::new(),
        };
        for name in names {
            if !values.contains_key(*name) {
                values.insert((*name).to_owned(), hex(&random_bytes::<32>()?));
            }
        }
        write_private(path, &(serde_json::to_string_pretty(&values)? + "\n"))?;
        Ok(Self { values })
    }

    /// A secret that was named in [`Secrets::keep`].
    pub(crate) fn get(&self, name: &str) -> Result<&str> {
        self.values
            .get(name)
            .map(String::as_str)
            .with_context(|| format!("the stack keeps no secret named {name}"))
    }
}

/// Random bytes from the kernel.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn secrets_are_kept_private_and_only_missing_ones_are_added() {
        let dir = std::env::temp_dir().join(format!("xtask-secrets-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("secrets.json");
        let first = Secrets::keep(&path, &["a"]).unwrap();
        let second = Secrets::keep(&path, &["a", "b"]).unwrap();
        assert_eq!(first.get("a").unwrap(), second.get("a").unwrap());
        assert_ne!(second.get("a").unwrap(), second.get("b").unwrap());
        assert_eq!(second.get("b").unwrap().len(), 64);
        assert!(second.get("c").is_err());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::remove_dir_all(dir).unwrap();
    }
}

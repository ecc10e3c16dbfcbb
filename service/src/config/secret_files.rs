//! `<key>_file`: a secret that stands in a file of its own, as Kubernetes mounts it.

use std::path::PathBuf;

use config::{Map, Value, ValueKind};
use credentials::Secret;
use secrecy::ExposeSecret as _;

use super::ConfigError;

/// Every key that may be given by a file.
const SECRETS: [(&str, &str); 15] = [
    ("database", "ingestor_url"),
    ("database", "api_url"),
    ("database", "replica_url"),
    ("database", "projector_url"),
    ("database", "migrator_url"),
    ("database", "operator_url"),
    ("database", "retention_url"),
    ("database", "superuser_url"),
    ("registry", "username"),
    ("registry", "password"),
    ("rabbitmq", "url"),
    ("exports", "link_secret"),
    ("exports", "secret_access_key"),
    ("auth", "secret"),
    ("kafka.properties", "*"),
];

/// The ending of a key that names the file of another.
const ENDING: &str = "_file";

/// Puts in place of each `<key>_file` the key, with what stands in the file.
pub(super) fn read(tree: &mut Map<String, Value>) -> Result<(), ConfigError> {
    for (section, key) in SECRETS {
        let Some(table) = table_at(tree, section) else { continue };
        let names: Vec<String> = match key {
            "*" => table.keys().filter_map(|name| name.strip_suffix(ENDING).map(str::to_owned)).collect(),
            key => vec![key.to_owned()],
        };
        for name in names {
            read_one(table, section, &name)?;
        }
    }
    Ok(())
}

fn read_one(table: &mut Map<String, Value>, section: &str, name: &str) -> Result<(), ConfigError> {
    let Some(path) = table.remove(&format!("{name}{ENDING}")) else { return Ok(()) };
    let key = format!("{section}.{name}{ENDING}");
    if table.contains_key(name) {
        return Err(ConfigError::key(key, format!("stands beside {section}.{name}: keep one of the two")));
    }
    let path = path.into_string().map_err(|_| ConfigError::key(&key, "give the path of a file"))?;
    let secret = Secret::from_file(PathBuf::from(&path))
        .map_err(|error| ConfigError::key(&key, format!("{path} cannot be read: {error}")))?;
    let parts = [("file".to_owned(), path), ("value".to_owned(), secret.expose_secret().to_owned())]
        .map(|(part, text)| (part, Value::from(text)));
    table.insert(name.to_owned(), Value::from(ValueKind::Table(Map::from_iter(parts))));
    Ok(())
}

/// The table of a section, `a.b` for one inside another.
fn table_at<'a>(tree: &'a mut Map<String, Value>, section: &str) -> Option<&'a mut Map<String, Value>> {
    let mut table = tree;
    for part in section.split('.') {
        table = match &mut table.get_mut(part)?.kind {
            ValueKind::Table(inner) => inner,
            _ => return None,
        };
    }
    Some(table)
}

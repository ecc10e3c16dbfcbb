//! Where the configuration comes from: a file, then the variables, which win; other names and files fill in what is left.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use config::{Config, File, FileFormat, Source as _, Value, ValueKind};
use serde::Deserialize as _;

use super::{AuditConfig, ConfigError, aliases, secret_files};

/// A checked configuration, and what is worth a warning once the log is open.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: AuditConfig,
    /// Variables that look like settings and are none, and other names that are not used.
    pub warnings: Vec<String>,
}

/// The file to read: `--config`, else `AUDIT_CONFIG`, else `./audit.toml` if there is one.
pub fn config_file(argument: Option<PathBuf>) -> Option<PathBuf> {
    argument.or_else(|| std::env::var_os("AUDIT_CONFIG").map(PathBuf::from)).or_else(|| {
        let here = PathBuf::from("audit.toml");
        here.is_file().then_some(here)
    })
}

/// Reads the file that `--config`, `AUDIT_CONFIG` or the working folder gives, and this process's variables.
pub fn load(argument: Option<PathBuf>) -> Result<Loaded, ConfigError> {
    // A variable that is not UTF-8 cannot be ours: every setting is text.
    let variables =
        std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    load_from(config_file(argument).as_deref(), variables)
}

/// Reads this file, if any, and these variables, and checks the whole.
pub fn load_from(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, ConfigError> {
    let mut builder = Config::builder();
    if let Some(path) = file {
        let text = std::fs::read_to_string(path).map_err(|error| file_error(path, &error.to_string()))?;
        builder = builder.add_source(File::from_str(&text, FileFormat::Toml));
    }
    let mut warnings = Vec::new();
    let variables: BTreeMap<String, String> = variables.into_iter().collect();
    for (name, value) in &variables {
        match setting_of(name) {
            Variable::Setting(key) => {
                builder = builder
                    .set_override(&key, value.as_str())
                    .map_err(|_| ConfigError::key(key, format!("cannot be set by the variable {name}")))?;
            }
            Variable::Suspicious => warnings.push(format!(
                "the variable {name} is not a setting: sections and keys are separated by two underscores"
            )),
            Variable::Other => {}
        }
    }
    let built = builder.build().map_err(|error| build_error(file, &error))?;
    let mut tree = built.collect().map_err(|error| build_error(file, &error))?;
    warnings.extend(aliases::apply(&mut tree, &variables)?);
    secret_files::read(&mut tree)?;
    let whole = Value::from(ValueKind::Table(tree));
    let config: AuditConfig = AuditConfig::deserialize(whole).map_err(|error| key_error(&error))?;
    config.validate()?;
    Ok(Loaded { config, warnings })
}

/// The variable that sets this key.
pub(super) fn variable_of(key: &str) -> String {
    format!("AUDIT_{}", key.replace('.', "__").to_uppercase())
}

const SECTIONS: [&str; 13] = [
    "database",
    "kafka",
    "registry",
    "ingestor",
    "rabbitmq",
    "dead_letters",
    "retention",
    "api",
    "exports",
    "projector",
    "submissions",
    "auth",
    "telemetry",
];

enum Variable {
    Setting(String),
    Suspicious,
    Other,
}

fn setting_of(name: &str) -> Variable {
    let Some(rest) = name.strip_prefix("AUDIT_") else { return Variable::Other };
    let lower = rest.to_lowercase();
    if lower.contains("__") {
        return Variable::Setting(lower.replace("__", "."));
    }
    let names_a_section =
        SECTIONS.iter().any(|section| lower.strip_prefix(section).is_some_and(|key| key.starts_with('_')));
    // Kubernetes sets such variables for every service in the namespace, ours among them.
    let from_kubernetes = lower.contains("_service_") || lower.contains("_port");
    if names_a_section && !from_kubernetes { Variable::Suspicious } else { Variable::Other }
}

fn file_error(path: &Path, detail: &str) -> ConfigError {
    ConfigError::File { path: path.display().to_string(), detail: detail.to_owned() }
}

fn build_error(file: Option<&Path>, error: &config::ConfigError) -> ConfigError {
    match file {
        Some(path) => file_error(path, &error.to_string()),
        None => ConfigError::key("AUDIT_…", error.to_string()),
    }
}

/// Turns a deserialisation error into one that names the key, and drops the value, which may be a secret.
fn key_error(error: &config::ConfigError) -> ConfigError {
    match error {
        config::ConfigError::Type { key, expected, .. } => ConfigError::key(
            key.clone().unwrap_or_else(|| "(root)".to_owned()),
            format!("has a value of the wrong kind: {expected} is expected"),
        ),
        config::ConfigError::At { key, error, .. } => {
            let inner = key_error(error);
            let key = key.clone().unwrap_or_else(|| "(root)".to_owned());
            match inner {
                ConfigError::Key { detail, .. } => ConfigError::key(key, detail),
                other => other,
            }
        }
        other => ConfigError::key("(root)", other.to_string()),
    }
}

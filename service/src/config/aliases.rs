//! The variables of the older services (B32 to B35, B39) as other names of our settings. Our own name wins, and what is
//! not used is said.

use std::collections::BTreeMap;

use config::{Map, Value, ValueKind};

use super::ConfigError;

/// A variable and the setting that it is another name of.
const PLAIN: [(&str, &str, &str); 3] = [
    ("RABBITMQ_URL", "rabbitmq", "url"),
    ("S3_BUCKET", "exports", "bucket"),
    ("S3_REGION", "exports", "region"),
];

/// The parts of a database's address.
const DATABASE: [&str; 5] = ["DB_HOST", "DB_PORT", "DB_NAME", "DB_USER", "DB_PASSWORD"];

/// The setting of each role's URL, and the role.
const ROLES: [(&str, &str); 6] = [
    ("ingestor_url", "audit_ingestor"),
    ("api_url", "audit_api"),
    ("projector_url", "audit_projector"),
    ("migrator_url", "audit_migrator"),
    ("operator_url", "audit_operator"),
    ("retention_url", "audit_retention"),
];

/// Fills in what our own names leave open; gives a sentence for each variable that is passed over.
pub(super) fn apply(
    tree: &mut Map<String, Value>,
    variables: &BTreeMap<String, String>,
) -> Result<Vec<String>, ConfigError> {
    let mut wanted: Vec<(&str, &str, &str, String)> = Vec::new();
    for (variable, section, key) in PLAIN {
        wanted.extend(variables.get(variable).map(|value| (variable, section, key, value.clone())));
    }
    if let Some(port) = variables.get("PORT") {
        let port: u16 = port.trim().parse().map_err(|_| not_understood("PORT", "a port from 0 to 65535"))?;
        wanted.push(("PORT", "api", "listen", format!("0.0.0.0:{port}")));
    }
    if let Some(level) = variables.get("LOG_LEVEL") {
        let level = log_filter(level)
            .ok_or_else(|| not_understood("LOG_LEVEL", "one of error, warn, info, debug, trace"))?;
        wanted.push(("LOG_LEVEL", "telemetry", "log_filter", level.to_owned()));
    }
    if let Some(stage) = variables.get("NODE_ENV") {
        let format = if stage == "development" { "text" } else { "json" };
        wanted.push(("NODE_ENV", "telemetry", "log_format", format.to_owned()));
    }
    wanted.extend(database(variables)?);
    let mut passed_over = BTreeMap::new();
    for (variable, section, key, value) in wanted {
        if let Err(own) = fill(tree, section, key, &value) {
            passed_over.entry(variable).or_insert(own);
        }
    }
    let mut warnings: Vec<String> = passed_over
        .into_iter()
        .map(|(variable, own)| format!("the variable {variable} is not used where {own} says otherwise"))
        .collect();
    if !variables.contains_key("DB_HOST") {
        let parts = DATABASE.into_iter().filter(|name| variables.contains_key(*name));
        warnings.extend(parts.map(|name| format!("the variable {name} is not used: DB_HOST is missing")));
    }
    Ok(warnings)
}

/// The roles' URLs, made of the parts. `DB_USER` is the account that makes the roles (`trailctl migrate --bootstrap`): no
/// service of ours works as it, because it could change what is stored. Each has its role, with the same password.
fn database(
    variables: &BTreeMap<String, String>,
) -> Result<Vec<(&'static str, &'static str, &'static str, String)>, ConfigError> {
    let given = |name: &str| variables.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let Some(host) = given("DB_HOST") else { return Ok(Vec::new()) };
    let port = given("DB_PORT").unwrap_or("5432");
    let port: u16 = port.trim().parse().map_err(|_| not_understood("DB_PORT", "a port from 0 to 65535"))?;
    let name = given("DB_NAME").unwrap_or("audit");
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let url = |user: &str| {
        let password = given("DB_PASSWORD").map(|word| format!(":{}", encoded(word))).unwrap_or_default();
        format!("postgres://{}{password}@{host}:{port}/{}", encoded(user), encoded(name))
    };
    let mut urls: Vec<_> = ROLES.iter().map(|(key, role)| ("DB_HOST", "database", *key, url(role))).collect();
    let superuser = given("DB_USER").filter(|user| ROLES.iter().all(|(_, role)| role != user));
    urls.extend(superuser.map(|user| ("DB_USER", "database", "superuser_url", url(user))));
    Ok(urls)
}

/// Sets a key that nobody has set; else the name of what has, unless it says the same.
fn fill(tree: &mut Map<String, Value>, section: &str, key: &str, value: &str) -> Result<(), String> {
    let empty = || Value::from(ValueKind::Table(Map::new()));
    let ValueKind::Table(table) = &mut tree.entry(section.to_owned()).or_insert_with(empty).kind else {
        return Ok(());
    };
    let file = format!("{key}_file");
    if table.contains_key(&file) {
        return Err(format!("{section}.{file}"));
    }
    match table.get(key) {
        Some(own) if own.clone().into_string().is_ok_and(|own| own == value) => Ok(()),
        Some(_) => Err(format!("{section}.{key}")),
        None => {
            table.insert(key.to_owned(), Value::from(value));
            Ok(())
        }
    }
}

/// Our word for a level of theirs (winston, .NET, Python).
fn log_filter(level: &str) -> Option<&'static str> {
    Some(match level.trim().to_lowercase().as_str() {
        "off" | "none" => "off",
        "error" | "fatal" | "critical" => "error",
        "warn" | "warning" => "warn",
        "info" | "information" | "http" => "info",
        "debug" | "verbose" => "debug",
        "trace" | "silly" => "trace",
        _ => return None,
    })
}

fn not_understood(variable: &str, remedy: &str) -> ConfigError {
    ConfigError::key(variable, format!("cannot be understood: give {remedy}"))
}

/// Percent-encoded, for the parts of a URL.
fn encoded(part: &str) -> String {
    use std::fmt::Write as _;
    part.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}"); // a String takes everything
        }
        out
    })
}

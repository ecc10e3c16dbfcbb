//! The configuration of the stack's own services, written once and given in two forms: `audit.toml` for `trailctl`,
//! variables for the services, each of which gets only what it needs.

use std::fmt::Write as _;

use anyhow::Result;

use crate::servers::{Kept, Servers};

/// The database of the audit trail.
pub(crate) const DATABASE: &str = "audit";

/// Secrets that the services need besides the servers' own.
pub(crate) const SECRETS: [&str; 7] = [
    "auditMigrator",
    "auditIngestor",
    "auditApi",
    "auditProjector",
    "auditOperator",
    "auditRetention",
    "jwt",
];

/// Settings as (section, key, value), in the order of the file.
pub(crate) struct Settings(Vec<(&'static str, &'static str, String)>);

impl Settings {
    /// The settings for these servers.
    pub(crate) fn new(servers: &Servers, kept: &Kept) -> Result<Self> {
        let role = |role: &str, secret: &str| -> Result<String> {
            Ok(servers.postgres.url_of(role, kept.secrets.get(secret)?, DATABASE))
        };
        let mut settings = vec![
            ("database", "ingestor_url", role("audit_ingestor", "auditIngestor")?),
            ("database", "api_url", role("audit_api", "auditApi")?),
            ("database", "projector_url", role("audit_projector", "auditProjector")?),
            ("database", "migrator_url", role("audit_migrator", "auditMigrator")?),
            ("database", "operator_url", role("audit_operator", "auditOperator")?),
            ("database", "retention_url", role("audit_retention", "auditRetention")?),
            ("kafka", "bootstrap_servers", servers.kafka.clone()),
            ("registry", "url", servers.registry.clone()),
            ("api", "listen", format!("127.0.0.1:{}", kept.ports["api"])),
            ("auth", "algorithm", "HS256".to_owned()),
            ("auth", "secret", kept.secrets.get("jwt")?.to_owned()),
            ("auth", "issuer", "https://audit-trail.localhost/".to_owned()),
            ("auth", "audience", "audit-trail".to_owned()),
        ];
        settings.extend(servers.rabbitmq.clone().map(|url| ("rabbitmq", "url", url)));
        Ok(Self(settings))
    }

    /// The text of `audit.toml`.
    pub(crate) fn toml(&self) -> String {
        let mut text = String::from("# Written by cargo xtask up at every start: changes here are lost.\n");
        let mut current = "";
        for (section, key, value) in &self.0 {
            if *section != current {
                // Writing to a String cannot fail.
                let _ = write!(text, "\n[{section}]\n");
                current = section;
            }
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
            let _ = writeln!(text, "{key} = \"{escaped}\"");
        }
        text
    }

    /// All settings as variables.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        self.variables_of(|_, _| true)
    }

    /// The settings that `wanted` (section, key) picks, as variables.
    pub(crate) fn variables_of(&self, wanted: impl Fn(&str, &str) -> bool) -> Vec<(String, String)> {
        let picked = self.0.iter().filter(|(section, key, _)| wanted(section, key));
        picked
            .map(|(section, key, value)| (format!("AUDIT_{section}__{key}").to_uppercase(), value.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings(vec![
            ("database", "api_url", "postgres://a".to_owned()),
            ("database", "ingestor_url", "postgres://i".to_owned()),
            ("auth", "secret", "a\"b\\c".to_owned()),
        ])
    }

    #[test]
    fn the_file_groups_keys_by_section_and_escapes() {
        let expected = "\n[database]\napi_url = \"postgres://a\"\ningestor_url = \"postgres://i\"\n\n[auth]\nsecret = \"a\\\"b\\\\c\"\n";
        assert!(settings().toml().ends_with(expected));
    }

    #[test]
    fn a_service_gets_only_what_is_picked() {
        let picked = settings().variables_of(|section, key| section == "database" && key == "api_url");
        assert_eq!(picked, [("AUDIT_DATABASE__API_URL".to_owned(), "postgres://a".to_owned())]);
        assert_eq!(settings().variables().len(), 3);
    }
}

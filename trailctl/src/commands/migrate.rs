//! `trailctl migrate`: the database's schema, and with `--bootstrap` what only a superuser can make.

use credentials::Secret;
use serde_json::json;
use service::config::{ConfigError, DatabaseSettings};
use shared::index_set::IndexSet;
use store::{DatabaseUrl, migrate::RolePasswords};

use crate::{
    outcome::{self, Outcome},
    output::listing::print_single,
    session::Session,
};

/// Arguments of `trailctl migrate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trailctl migrate --bootstrap     a new database, or new roles
  trailctl migrate                 a new release")]
pub struct Arguments {
    /// First make the database, the roles and their grants
    #[arg(long)]
    bootstrap: bool,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, session: &Session) -> anyhow::Result<Outcome> {
    let config = session.config()?;
    let missing = |error: ConfigError| outcome::usage(error.to_string());
    if arguments.bootstrap {
        let superuser = url(config.database.superuser_url().map_err(missing)?);
        session.say("making the roles and the schema");
        store::migrate::bootstrap(&superuser, &passwords(&config.database)).await?;
    }
    let migrator = url(config.database.migrator_url().map_err(missing)?);
    session.say("migrating");
    let wanted = config.database.indexes;
    let report = store::migrate::migrate(&migrator, &config.retention, wanted).await?;
    let document = json!({
        "version": report.version,
        "applied": report.applied,
        "classesAdded": report.classes_added,
        "indexes": report.indexes.map(IndexSet::as_str),
    });
    print_single(&document.to_string(), session.output(), session.terminal)?;
    if let Some(word) = other_indexes(report.indexes, wanted) {
        session.say(&word);
    }
    Ok(Outcome::Done)
}

/// What to say when the database has other indexes than the configuration wants.
pub(crate) fn other_indexes(found: Option<IndexSet>, wanted: IndexSet) -> Option<String> {
    let found = match found {
        Some(found) if found == wanted => return None,
        Some(found) => format!("the set {found}"),
        None => "neither set whole".to_owned(),
    };
    Some(format!(
        "indexes: the database has {found}, the configuration wants {wanted}: `trailctl index --set {wanted}` makes it so"
    ))
}

/// The store's form of a configured URL.
pub(super) fn url(secret: &Secret) -> DatabaseUrl {
    DatabaseUrl::from(secret)
}

/// Each role's password is the one in its own URL, so that it stands in one place only.
fn passwords(settings: &DatabaseSettings) -> RolePasswords {
    let password = |secret: &Option<Secret>| url(secret.as_ref()?).password();
    RolePasswords {
        migrator: password(&settings.migrator_url),
        ingestor: password(&settings.ingestor_url),
        api: password(&settings.api_url),
        projector: password(&settings.projector_url),
        retention: password(&settings.retention_url),
        operator: password(&settings.operator_url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_come_from_the_roles_own_urls() {
        let settings = DatabaseSettings {
            ingestor_url: Some(Secret::from("postgres://audit_ingestor:p%40ss@db/audit")),
            api_url: Some(Secret::from("postgres://audit_api@db/audit")),
            ..DatabaseSettings::default()
        };
        let passwords = passwords(&settings);
        assert_eq!(passwords.ingestor.as_ref().map(secrecy::ExposeSecret::expose_secret), Some("p@ss"));
        assert!(passwords.api.is_none() && passwords.migrator.is_none());
    }
}

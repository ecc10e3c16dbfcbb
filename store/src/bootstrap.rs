//! What only a superuser can do: the database, the roles, the schema.

use std::time::Duration;

use postgres_protocol::password::scram_sha_256;
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::error::SqlState;

use crate::connect::{self, open};
use crate::error::StoreError;
use crate::url::DatabaseUrl;

const BOOTSTRAP: &str = include_str!("../sql/bootstrap.sql");
const NAME: &str = "audit-bootstrap";

/// The passwords of the login roles; `None` leaves what is there (or no password, for peer and trust set-ups).
#[derive(Debug, Clone, Default)]
pub struct RolePasswords {
    /// `audit_migrator`
    pub migrator: Option<SecretString>,
    /// `audit_ingestor`
    pub ingestor: Option<SecretString>,
    /// `audit_api`
    pub api: Option<SecretString>,
    /// `audit_projector`
    pub projector: Option<SecretString>,
    /// `audit_retention`
    pub retention: Option<SecretString>,
    /// `audit_operator`
    pub operator: Option<SecretString>,
}

impl RolePasswords {
    fn by_role(&self) -> [(&'static str, Option<&SecretString>); 6] {
        [
            ("audit_migrator", self.migrator.as_ref()),
            ("audit_ingestor", self.ingestor.as_ref()),
            ("audit_api", self.api.as_ref()),
            ("audit_projector", self.projector.as_ref()),
            ("audit_retention", self.retention.as_ref()),
            ("audit_operator", self.operator.as_ref()),
        ]
    }
}

/// Makes the roles, their grants on this database, and the schema; makes the database itself when it is absent.
///
/// Idempotent; safe beside other bootstraps of the same cluster. `superuser` names the database to prepare.
pub async fn bootstrap(superuser: &DatabaseUrl, passwords: &RolePasswords) -> Result<(), StoreError> {
    create_database(superuser).await?;
    let client = connect::connect(superuser, NAME).await?;
    client.batch_execute(BOOTSTRAP).await?;
    for (role, password) in passwords.by_role() {
        if let Some(password) = password {
            // The verifier, not the password: statements may be logged.
            let verifier = scram_sha_256(password.expose_secret().as_bytes());
            let statement = format!(
                "begin; lock table pg_catalog.pg_authid in share row exclusive mode; \
                 alter role {role} password '{verifier}'; commit"
            );
            client.batch_execute(&statement).await?;
        }
    }
    Ok(())
}

/// Makes the database when connecting to it says that there is none.
async fn create_database(superuser: &DatabaseUrl) -> Result<(), StoreError> {
    let mut to = connect::configured(superuser, NAME, &[])?;
    let absent = match open(&to).await {
        Ok(_) => false,
        Err(error) if error.code() == Some(&SqlState::INVALID_CATALOG_NAME) => true,
        Err(error) => return Err(error.into()),
    };
    if !absent {
        return Ok(());
    }
    let name = to.config.get_dbname().unwrap_or("postgres").replace('"', "\"\"");
    to.config.dbname("postgres");
    let (client, _task) = open(&to).await?;
    let statement = format!("create database \"{name}\" template template0 encoding 'UTF8'");
    for _ in 0..20 {
        match client.batch_execute(&statement).await {
            Ok(()) => return Ok(()),
            Err(error) if error.code() == Some(&SqlState::DUPLICATE_DATABASE) => return Ok(()),
            // Two creations at once: one of them sees the other in the template, or its row in the catalogue.
            Err(error)
                if [Some(&SqlState::OBJECT_IN_USE), Some(&SqlState::UNIQUE_VIOLATION)]
                    .contains(&error.code()) =>
            {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Refused(format!("the database {name} cannot be made: the template is in use")))
}

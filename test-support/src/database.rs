//! A fresh database for each test: a copy of one that was bootstrapped and migrated once for these migrations.

mod kept;

use std::{path::Path, time::Duration};

use reqwest::Url;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use shared::{index_set::IndexSet, retention::RetentionRules};
use store::{
    DatabaseUrl,
    migrate::{RolePasswords, bootstrap, migrate},
};
use tokio_postgres::{Client, NoTls};

use crate::{PostgresNode, servers, unique};

/// A database of its own, dropped with this value (or, when that fails, by a run two hours later).
///
/// With `AUDIT_TEST_KEEP` set, it stays for a look.
#[derive(Debug)]
pub struct TestDatabase {
    /// The superuser's URL of the server that it is on.
    server: String,
    name: String,
    is_kept: bool,
}

/// Whom a test connects as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The cluster's superuser: set-up and tampering only.
    Superuser,
    /// `audit_migrator`
    Migrator,
    /// `audit_ingestor`
    Ingestor,
    /// `audit_api`
    Api,
    /// `audit_projector`
    Projector,
    /// `audit_retention`
    Retention,
    /// `audit_operator`
    Operator,
}

impl Role {
    /// Every role that a binary of ours uses.
    pub const SERVICES: [Self; 6] =
        [Self::Migrator, Self::Ingestor, Self::Api, Self::Projector, Self::Retention, Self::Operator];

    /// Its name in PostgreSQL; the superuser's is in its URL.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Superuser => None,
            Self::Migrator => Some("audit_migrator"),
            Self::Ingestor => Some("audit_ingestor"),
            Self::Api => Some("audit_api"),
            Self::Projector => Some("audit_projector"),
            Self::Retention => Some("audit_retention"),
            Self::Operator => Some("audit_operator"),
        }
    }
}

/// Roles belong to the whole test cluster, so every test process must mean the same password.
const PASSWORD: &str = "test-role-password";

impl TestDatabase {
    /// A migrated database with the standard retention class.
    pub async fn create() -> Self {
        let template = template().await;
        let database = Self::unmade(servers::postgres_url());
        let admin = Admin::connect().await;
        admin.run(&format!("create database {} template {template}", database.name)).await;
        // Grants on a database and settings of roles in it are not part of a copy.
        bootstrap(&database.database_url(Role::Superuser), &RolePasswords::default())
            .await
            .expect("the copied database is bootstrapped");
        database
    }

    /// A database without anything in it, for tests of bootstrap and migrations.
    pub async fn create_empty() -> Self {
        let database = Self::unmade(servers::postgres_url());
        Admin::connect().await.run(&format!("create database {} template template0", database.name)).await;
        database
    }

    /// A migrated database on a server of the test's own.
    pub async fn create_on(node: &PostgresNode) -> Self {
        let database = Self::unmade(node.url());
        prepare(&database.server, &database.name).await;
        database
    }

    fn unmade(server: String) -> Self {
        Self { server, name: unique_name(), is_kept: false }
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The URL to connect as this role.
    pub fn url_for(&self, role: Role) -> String {
        url_of(&self.server, &self.name, role)
    }

    /// The URL as `store` takes it.
    pub fn database_url(&self, role: Role) -> DatabaseUrl {
        DatabaseUrl::new(self.url_for(role))
    }

    /// A plain connection as this role, for what `store` does not do; it lives as long as the client.
    pub async fn connect(&self, role: Role) -> Client {
        connect(&self.url_for(role)).await
    }

    /// Ends every connection to this database, as a restart of the server would.
    pub async fn disconnect_all(&self) {
        let statement = format!(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{}' and pid <> pg_backend_pid()",
            self.name
        );
        Admin { client: connect(&self.server).await }.run(&statement).await;
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        if std::env::var_os("AUDIT_TEST_KEEP").is_some() {
            eprintln!("kept the database {}", self.name);
            return;
        }
        if self.server != servers::postgres_url() {
            return; // It goes with its server.
        }
        let statement = format!("drop database if exists {} with (force)", self.name);
        // Of its own, since a test's runtime may be in the middle of stopping; what fails here, a later run removes.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let (client, connection) = tokio_postgres::connect(&servers::postgres_url(), NoTls).await?;
                let driving = tokio::spawn(connection);
                client.batch_execute(&statement).await?;
                drop(client);
                driving.await??;
                anyhow::Ok(())
            })
        });
        if !matches!(dropping.join(), Ok(Ok(()))) {
            eprintln!("could not drop the database {}", self.name);
        }
    }
}

/// Lower case and underscores only: it is used without quotes.
fn unique_name() -> String {
    format!("audit_{}", unique::unique("db").replace('-', "_"))
}

fn url_of(server: &str, database: &str, role: Role) -> String {
    let mut url = Url::parse(server).expect("AUDIT_TEST_POSTGRES is a URL");
    url.set_path(database);
    if let Some(name) = role.name() {
        url.set_username(name).expect("a URL with a host takes a user");
        url.set_password(Some(PASSWORD)).expect("a URL with a host takes a password");
    }
    url.into()
}

async fn connect(url: &str) -> Client {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.expect("the test PostgreSQL answers");
    tokio::spawn(connection);
    client
}

/// The superuser's connection to the cluster itself.
struct Admin {
    client: Client,
}

impl Admin {
    async fn connect() -> Self {
        Self { client: connect(&servers::postgres_url()).await }
    }

    /// Runs one statement; a template that is being copied or vacuumed is waited for.
    async fn run(&self, statement: &str) {
        let mut attempts = 0;
        while let Err(error) = self.client.batch_execute(statement).await {
            let in_use = error.code() == Some(&tokio_postgres::error::SqlState::OBJECT_IN_USE);
            attempts += 1;
            assert!(in_use && attempts < 50, "{statement}: {error:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn names(&self, pattern: &str) -> Vec<String> {
        let rows = self
            .client
            .query("select datname::text from pg_database where datname like $1", &[&pattern])
            .await;
        rows.expect("the catalogue is readable").iter().map(|row| row.get(0)).collect()
    }
}

/// The name of the template for these migrations; made by the first test that asks, over all processes.
async fn template() -> String {
    static TEMPLATE: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();
    TEMPLATE.get_or_init(make_template).await.clone()
}

/// The advisory lock of template making; the number only has to be ours.
const LOCK: i64 = 0x6175_6469_7474;

async fn make_template() -> String {
    let name = format!("audit_template_{}", migrations_hash());
    let admin = Admin::connect().await;
    // Released with the connection, also when this process is killed.
    admin.run(&format!("select pg_advisory_lock({LOCK})")).await;
    remove_leftovers(&admin).await;
    if admin.names(&name).await.is_empty() {
        let unfinished = format!("{name}_unfinished");
        admin.run(&format!("drop database if exists {unfinished} with (force)")).await;
        admin.run(&format!("create database {unfinished} template template0")).await;
        prepare(&servers::postgres_url(), &unfinished).await;
        admin.run(&format!("alter database {unfinished} allow_connections false")).await;
        admin.run(&format!("alter database {unfinished} rename to {name}")).await;
    }
    name
}

/// Makes the database when it is not there.
async fn prepare(server: &str, name: &str) {
    let password = || Some(SecretString::from(PASSWORD));
    let passwords = RolePasswords {
        migrator: password(),
        ingestor: password(),
        api: password(),
        projector: password(),
        retention: password(),
        operator: password(),
    };
    let superuser = DatabaseUrl::new(url_of(server, name, Role::Superuser));
    bootstrap(&superuser, &passwords).await.expect("the template is bootstrapped");
    let migrator = DatabaseUrl::new(url_of(server, name, Role::Migrator));
    migrate(&migrator, &RetentionRules::default(), IndexSet::Standard)
        .await
        .expect("the template is migrated");
}

async fn remove_leftovers(admin: &Admin) {
    for name in admin.names("audit\\_test\\_%").await {
        if unique::is_leftover(&name) {
            admin.run(&format!("drop database if exists {name} with (force)")).await;
        }
    }
}

/// What the template was made from: the migrations and the bootstrap, by content.
fn migrations_hash() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace");
    let mut files: Vec<_> = std::fs::read_dir(root.join("migrations"))
        .expect("the workspace has migrations")
        .map(|entry| entry.expect("the folder is readable").path())
        .collect();
    files.extend(["bootstrap.sql", "ensure_class.sql"].map(|name| root.join("store/sql").join(name)));
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.to_string_lossy().as_bytes());
        hash.update(std::fs::read(&file).expect("a migration is readable"));
    }
    hash.update(PASSWORD);
    hex::encode(&hash.finalize()[..8])
}

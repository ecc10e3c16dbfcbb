//! A fresh database per test, and builders of batches. (test-support has the same for other crates; the store's own
//! tests prepare theirs by `bootstrap` and `migrate` themselves, which are under test here.)
#![allow(dead_code, reason = "each test binary uses another part of it")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use shared::event::{Event, Promoted};
use shared::index_set::IndexSet;
use shared::position::LogName;
use shared::refusal::{Reason, Refusal};
use shared::retention::{Keep, RetentionClass, RetentionRules};
use shared::timestamp::Timestamp;
use store::{
    Batch, Candidate, DatabaseUrl, Entry, Log, RawRecord, Rejected, Span, SpanBuilder, Stage, Writer,
};
use tokio_postgres::Client;
use uuid::Uuid;

pub(crate) mod builders;
#[allow(unused_imports, reason = "each test binary uses another part of it")]
pub(crate) use builders::*;

/// The superuser's URL of the test server.
pub(crate) fn server() -> String {
    std::env::var("AUDIT_TEST_POSTGRES")
        .expect("AUDIT_TEST_POSTGRES is not set: run by `cargo xtask test`, or start `cargo xtask servers`")
}

/// A database of its own, dropped when the test ends.
pub(crate) struct TestDatabase {
    name: String,
    server: tokio_postgres::Config,
}

impl TestDatabase {
    /// Bootstrapped and migrated, with the classes `standard` and `access`.
    pub(crate) async fn create() -> Self {
        Self::with_indexes(IndexSet::Standard).await
    }

    /// The same with this set of indexes.
    pub(crate) async fn with_indexes(set: IndexSet) -> Self {
        let database = Self::bootstrapped().await;
        let report = store::migrate::migrate(&database.url("audit_migrator"), &classes(), set).await.unwrap();
        assert_eq!(report.indexes, Some(set));
        database
    }

    /// Roles and schema, no tables yet.
    pub(crate) async fn bootstrapped() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("store_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let database = Self { name, server: server().parse().expect("AUDIT_TEST_POSTGRES is a URL") };
        let superuser = database.url(database.superuser());
        store::migrate::bootstrap(&superuser, &passwords()).await.unwrap();
        database
    }

    pub(crate) fn superuser(&self) -> &str {
        self.server.get_user().unwrap_or("postgres")
    }

    /// This database's URL for a role.
    pub(crate) fn url(&self, role: &str) -> DatabaseUrl {
        let host = match self.server.get_hosts().first() {
            Some(tokio_postgres::config::Host::Tcp(host)) => host.clone(),
            Some(tokio_postgres::config::Host::Unix(path)) => path.display().to_string(),
            None => "127.0.0.1".to_owned(),
        };
        let port = self.server.get_ports().first().copied().unwrap_or(5432);
        let password = if role == self.superuser() {
            self.server.get_password().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        } else {
            Some(PASSWORD.to_owned())
        };
        let password = password.map(|password| format!(" password='{password}'")).unwrap_or_default();
        DatabaseUrl::new(format!(
            "host='{host}' port={port} user='{role}' dbname='{}' sslmode=disable{password}",
            self.name
        ))
    }

    pub(crate) async fn client(&self, role: &str) -> Client {
        store::connect(&self.url(role), "store-test").await.unwrap()
    }

    pub(crate) async fn superuser_client(&self) -> Client {
        self.client(self.superuser()).await
    }

    pub(crate) async fn writer(&self) -> Writer {
        Writer::connect(&self.url("audit_ingestor"), "store-test", &["standard", "access"]).await.unwrap()
    }

    /// Logs of `topic`, partitions 0 to `count` - 1.
    pub(crate) async fn logs(&self, topic: &str, count: i32) -> Vec<Log> {
        let partitions: Vec<(String, i32)> = (0..count).map(|number| (topic.to_owned(), number)).collect();
        let client = self.client("audit_ingestor").await;
        store::logs::open_logs(&client, "default", &partitions).await.unwrap()
    }

    /// One number out of the database.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.superuser_client().await.query_one(sql, &[]).await.unwrap().get(0)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (name, server) = (self.name.clone(), self.server.clone());
        // A runtime of its own: drop is not async, and the test's runtime may be ending.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let Ok((client, connection)) = server.connect(tokio_postgres::NoTls).await else { return };
                tokio::spawn(connection);
                let _ = client.batch_execute(&format!("drop database if exists {name} with (force)")).await;
            });
        });
        let _ = dropping.join();
    }
}

/// The password that every role has on the test server; roles are shared, so every test process means the same one.
pub(crate) const PASSWORD: &str = "test-role-password";

fn passwords() -> store::migrate::RolePasswords {
    // Roles are shared by every test on the server: setting passwords anew each time is harmless, all are the same.
    let password = || Some(PASSWORD.to_owned().into());
    store::migrate::RolePasswords {
        migrator: password(),
        ingestor: password(),
        api: password(),
        projector: password(),
        retention: password(),
        operator: password(),
    }
}

pub(crate) fn classes() -> RetentionRules {
    let keep: Keep = "90 days".parse().unwrap();
    let classes = BTreeMap::from([("access".to_owned(), RetentionClass { keep })]);
    RetentionRules::new(classes, Vec::new()).unwrap()
}

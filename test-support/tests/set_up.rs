//! The set-up that other tests rest on, tried by itself against the real test servers.

#![expect(clippy::unwrap_used, reason = "tests: the helpers too")]

use std::time::{Duration, Instant};

use futures::future::join_all;
use test_support::{
    DaemonConfig, FaultProxy, Role, TestDatabase, TestRegistry, TestTopic, Token, canonical_event, servers,
    token,
};
use tokio_postgres::NoTls;

async fn user_of(database: &TestDatabase, role: Role) -> String {
    let client = database.connect(role).await;
    client.query_one("select current_user::text", &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn databases_are_migrated_separate_and_open_to_every_role() {
    let databases: Vec<TestDatabase> = join_all((0..3).map(|_| TestDatabase::create())).await;
    for role in Role::SERVICES {
        assert_eq!(user_of(&databases[0], role).await, role.name().unwrap());
    }
    let count = "select count(*) from audit.logs";
    let insert = "insert into audit.logs (cluster, topic, \"partition\", incarnation, next_offset) values ('c', 't', 0, 1, 0)";
    databases[0].connect(Role::Superuser).await.batch_execute(insert).await.unwrap();
    for (database, expected) in databases.iter().zip([1_i64, 0, 0]) {
        let client = database.connect(Role::Superuser).await;
        assert_eq!(client.query_one(count, &[]).await.unwrap().get::<_, i64>(0), expected);
    }
}

#[tokio::test]
async fn a_database_goes_with_its_value() {
    let database = TestDatabase::create().await;
    let url = database.url_for(Role::Superuser);
    // An open connection does not keep it.
    let _client = database.connect(Role::Superuser).await;
    drop(database);
    let error = tokio_postgres::connect(&url, NoTls).await.err().expect("it is gone");
    assert_eq!(error.code(), Some(&tokio_postgres::error::SqlState::INVALID_CATALOG_NAME), "{error}");
}

#[tokio::test]
async fn a_kept_database_is_found_by_what_it_holds() {
    let name = format!("audit_{}", test_support::unique("kept").replace('-', "_"));
    assert!(TestDatabase::find_kept(&name, "a thing").await.is_none());
    let database = TestDatabase::create().await;
    let _client = database.connect(Role::Superuser).await;
    drop(database.keep_as(&name, "a thing").await);
    assert!(TestDatabase::find_kept(&name, "another thing").await.is_none());
    let found = TestDatabase::find_kept(&name, "a thing").await.expect("it was kept");
    assert_eq!(user_of(&found, Role::Api).await, "audit_api");
    let admin = tokio_postgres::connect(&servers::postgres_url(), NoTls).await.unwrap();
    tokio::spawn(admin.1);
    admin.0.batch_execute(&format!("drop database {name} with (force)")).await.unwrap();
}

#[tokio::test]
async fn topics_take_and_give_canonical_events() {
    let (mut topic, registry) = (TestTopic::create(2).await, TestRegistry::connect().await);
    let records = (1..=3).map(|version| registry.record(canonical_event("o-1", version)));
    let places = topic.send_all(records).await;
    assert!(
        places
            .windows(2)
            .all(|pair| pair[0].partition == pair[1].partition && pair[0].offset < pair[1].offset)
    );
    let read = topic.read_all().await;
    assert_eq!(read.len(), 3);
    assert_eq!(read[0].key.as_deref(), Some(&b"o-1"[..]));
    assert_eq!(
        read[0].value.as_deref().unwrap()[..5],
        [&[0][..], &registry.canonical_id().to_be_bytes()].concat()
    );
    topic.delete_records_before(places[0].partition, 2).await;
    assert_eq!(topic.read_all().await.len(), 1);
    topic.grow(5).await;
    assert_eq!(topic.end_offsets().await.len(), 5);
}

async fn answer(url: &str) -> Result<i32, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client.query_one("select 1", &[]).await?.get(0))
}

fn server_address() -> String {
    let url = reqwest::Url::parse(&servers::postgres_url()).unwrap();
    format!("{}:{}", url.host_str().unwrap(), url.port().unwrap())
}

#[tokio::test]
async fn the_proxy_passes_cuts_refuses_delays_stalls_and_heals() {
    let proxy = FaultProxy::start(&server_address()).await;
    let url = proxy.url(&servers::postgres_url());
    assert_eq!(answer(&url).await.unwrap(), 1);

    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    let driving = tokio::spawn(connection);
    proxy.cut();
    assert!(
        tokio::time::timeout(Duration::from_secs(5), driving).await.expect("it is cut").unwrap().is_err()
    );
    assert!(client.is_closed());
    assert_eq!(answer(&url).await.unwrap(), 1, "new connections work");

    proxy.refuse();
    assert!(answer(&url).await.is_err());
    proxy.heal();
    assert_eq!(answer(&url).await.unwrap(), 1);

    proxy.delay(Duration::from_millis(100));
    let begun = Instant::now();
    assert_eq!(answer(&url).await.unwrap(), 1);
    assert!(begun.elapsed() >= Duration::from_millis(400), "{:?}", begun.elapsed());
    proxy.heal();

    proxy.stall();
    let mut waiting = Box::pin(answer(&url));
    assert!(tokio::time::timeout(Duration::from_millis(500), &mut waiting).await.is_err());
    proxy.heal();
    assert_eq!(waiting.await.unwrap(), 1, "what was stalled goes on");

    proxy.cut_after(200);
    assert!(answer(&url).await.is_err());
}

#[tokio::test]
async fn the_generated_configuration_is_one_that_the_daemons_accept() {
    let database = TestDatabase::create_empty().await;
    let config = DaemonConfig::new(&database)
        .topics(&["a", "b"])
        .dead_letter_topic("my-dlq")
        .set("ingestor", "writers", "1")
        .set("ingestor", "writers", "3");
    let (telemetry, api) = (test_support::daemon::free_address(), test_support::daemon::free_address());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.toml");
    std::fs::write(&file, config.toml(telemetry, api)).unwrap();
    let loaded = service::config::load_from(Some(&file), []).unwrap().config;
    assert_eq!(loaded.ingestor.topics, ["a", "b"]);
    assert_eq!(loaded.ingestor.writers, 3);
    assert_eq!(loaded.dead_letters.topic, "my-dlq");
    assert_eq!(loaded.telemetry.listen, telemetry);
    assert_eq!(loaded.api.listen, api);
    (service::Service::INGESTOR.require)(&loaded).unwrap();
    (service::Service::AUDIT_API.require)(&loaded).unwrap();
}

#[test]
fn tokens_are_signed_with_the_secret_that_the_configuration_holds() {
    let token = Token::org_admin("demo").sign();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
    validation.set_issuer(&[token::ISSUER]);
    validation.set_audience(&[token::AUDIENCE]);
    let key = jsonwebtoken::DecodingKey::from_secret(token::SECRET.as_bytes());
    let claims = jsonwebtoken::decode::<serde_json::Value>(&token, &key, &validation).unwrap().claims;
    assert_eq!(claims["org"], "demo");
    assert_eq!(claims["roles"], serde_json::json!(["audit:org-admin"]));
    let expired = Token::admin().expires_in(-3600).sign();
    assert!(jsonwebtoken::decode::<serde_json::Value>(&expired, &key, &validation).is_err());
}

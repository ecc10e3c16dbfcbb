//! Kafka by SASL over TLS, consumer, producer and administrator; and the schema registry by HTTPS with a password.

use std::fs;

use futures::future::join_all;
use shared::avro::SchemaReference;
use test_support::{
    Authority, Daemon, DaemonConfig, Role, TestDatabase,
    authority::GOOD_UNTIL,
    secured::{SecuredKafka, SecuredWeb},
    servers, wait_until,
};

use crate::{PATIENCE, done, end_of, quoted, ran};

/// `audit:registry-of-a-test`, as HTTP basic authentication has it.
const AUTHORIZATION: &str = "Basic YXVkaXQ6cmVnaXN0cnktb2YtYS10ZXN0";
const EVENT: &str = r#"{"eventId":"0194fdc2-fa2f-7cc0-81d3-ff12045b73c8","eventType":"OrderPlaced","aggregateId":"order-1","aggregateType":"Order","timestamp":"2026-11-21T09:00:00Z","version":1,"payload":{"total":"12.50"},"metadata":{"userId":"u1","organizationId":"demo"}}"#;
const REGISTRY_PASSWORD: &str = "registry-of-a-test";

fn properties(authority: &Authority, password: &str) -> String {
    format!(
        "{{ \"security.protocol\" = \"SASL_SSL\", \"sasl.mechanism\" = \"SCRAM-SHA-512\", \"sasl.username\" = \"{}\", \
         \"sasl.password\" = \"{password}\", \"ssl.ca.location\" = {} }}",
        SecuredKafka::USER,
        quoted(&authority.file())
    )
}

#[tokio::test]
async fn events_go_by_sasl_ssl_and_https_alone_and_what_is_wrong_is_said() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let kafka = SecuredKafka::start(&authority).await;
    let upstream = servers::registry_url();
    let (base, path) = upstream.split_at(upstream.find("/apis").expect("Apicurio's Confluent API"));
    let web = SecuredWeb::before(&authority.issue("registry", &["localhost"]), base, AUTHORIZATION).await;
    let password_file = authority.folder().join("registry-password");
    fs::write(&password_file, REGISTRY_PASSWORD).expect("the password is written");
    let database = TestDatabase::create().await;
    let config = DaemonConfig::new(&database)
        .kafka(&kafka.good())
        .registry_url(&web.url(path))
        .topics(&["secured.events"])
        .dead_letter_topic("secured.dlq")
        .set("kafka", "properties", properties(&authority, SecuredKafka::PASSWORD))
        .set("registry", "ca_file", quoted(&authority.file()))
        .set("registry", "username", "\"audit\"")
        .set("registry", "password_file", quoted(&password_file))
        .variable("RUST_LOG", "debug");

    // The administrator, the registry, the producer, the consumer.
    done(&config, &["topics", "apply"]).await;
    done(&config, &["schemas", "apply"]).await;
    let events = authority.folder().join("events.jsonl");
    fs::write(&events, EVENT).expect("the event is written");
    done(&config, &["produce", "--topic", "secured.events", &events.display().to_string()]).await;
    let ingestor = Daemon::ingestor(&config).ready().await;
    let client = database.connect(Role::Superuser).await;
    wait_until("the event is stored", PATIENCE, || async {
        let found = client.query("select 1 from audit.events", &[]).await.expect("the events are readable");
        found.first().map(|_| ())
    })
    .await;
    for (hop, certificate) in [("registry", "peer"), ("registry", "authority"), ("kafka", "authority")] {
        let ends = ingestor.metric(&end_of(hop, certificate)).await;
        assert!(ends >= GOOD_UNTIL, "{hop} {certificate}: {ends}");
    }
    let (_, said) = ran(&config, &["doctor"]).await;
    for server in [kafka.good(), web.url("").replace("https://", "")] {
        assert!(said.contains(&format!("{server}\",\"detail\":\"ends in ")), "{server}: {said}");
    }
    let log = ingestor.log();
    assert!(
        !log.contains(SecuredKafka::PASSWORD) && !log.contains(REGISTRY_PASSWORD),
        "a secret is in the log"
    );

    let wrong = [
        (
            "an account that is not known",
            config.clone().set("kafka", "properties", properties(&authority, "guessed")),
            "refuses the account",
        ),
        (
            "an authority that is not trusted",
            config.clone().set("kafka", "properties", properties(&stranger, SecuredKafka::PASSWORD)),
            "authority that is not trusted",
        ),
        ("a certificate that has ended", config.clone().kafka(&kafka.expired()), "has expired: renew it"),
        (
            "a certificate for another name",
            config.clone().kafka(&kafka.other_name()),
            "not for localhost, but for",
        ),
        // What speaks TLS is not spoken to in the clear, nor the other way round.
        ("no TLS at all", config.clone().set("kafka", "properties", "{}"), "\"security.protocol\""),
    ];
    // At once, because each waits for librdkafka's patience.
    let refused = wrong.iter().map(|(what, config, reason)| is_refused(what, config, reason));
    join_all(refused).await;
    registry_is_refused(&config, &web, path, &authority, &stranger).await;
}

/// The consumer says why in its readiness, the administrator in its error.
async fn is_refused(what: &str, config: &DaemonConfig, reason: &str) {
    let ingestor = Daemon::ingestor(config);
    wait_until("the ingestor runs", PATIENCE, || async {
        reqwest::get(ingestor.telemetry_url("/health/live")).await.ok()
    })
    .await;
    let (said, (succeeded, told)) =
        futures::join!(ingestor.says("kafka", reason), ran(config, &["topics", "apply"]));
    assert!(said.starts_with("no broker is connected: "), "{what}: {said}");
    assert!(!succeeded && told.contains(reason), "{what}: the administrator says:\n{told}");
}

/// The registry's own ways to fail, as a client of it says them.
async fn registry_is_refused(
    config: &DaemonConfig,
    web: &SecuredWeb,
    path: &str,
    authority: &Authority,
    stranger: &Authority,
) {
    let settings = |url: String, authority: &Authority| service::config::RegistrySettings {
        url: Some(url),
        username: Some("audit".to_owned()),
        password: Some(REGISTRY_PASSWORD.into()),
        ca_file: Some(authority.file()),
        ..service::config::RegistrySettings::default()
    };
    let fetch = async |settings| {
        let registry = bus::registry::Registry::new(&settings).expect("a client is made");
        registry.fetch(SchemaReference::Id(1)).await.err().map(|error| error.to_string()).unwrap_or_default()
    };
    let said = fetch(settings(web.url(path), stranger)).await;
    assert!(said.contains("not trusted") && said.contains("registry.ca_file"), "{said}");
    let said = fetch(settings(web.url(path).replace("localhost", "127.0.0.1"), authority)).await;
    assert!(said.contains("not for 127.0.0.1"), "{said}");
    let expired = SecuredWeb::saying(&authority.issue_expired("registry-old", &["localhost"]), "[]").await;
    let said = fetch(settings(expired.url(path), authority)).await;
    assert!(said.contains("has expired"), "{said}");
    // The client of the other library, which registers schemas, goes by the same rules.
    let config = config.clone().set("registry", "ca_file", quoted(&stranger.file()));
    let (succeeded, said) = ran(&config, &["schemas", "apply"]).await;
    assert!(!succeeded && said.contains("not trusted"), "{said}");
}

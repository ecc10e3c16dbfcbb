//! PostgreSQL: `sslmode`, the authority, our own certificate, a certificate that ends, a password that changes.

use std::fs;

use store::DatabaseUrl;
use test_support::{
    Authority, Daemon, DaemonConfig, authority::GOOD_UNTIL, secured::SecuredPostgres, servers, wait_until,
};

use crate::{PATIENCE, done, end_of, ran};

const ROLES: [(&str, &str); 6] = [
    ("ingestor_url", "audit_ingestor"),
    ("api_url", "audit_api"),
    ("projector_url", "audit_projector"),
    ("migrator_url", "audit_migrator"),
    ("operator_url", "audit_operator"),
    ("retention_url", "audit_retention"),
];
const PASSWORD: &str = "role-of-a-test";

/// Why a connection by this URL fails.
async fn refusal(url: &str) -> String {
    let connected = store::connect(&DatabaseUrl::new(url), "test").await;
    let said = connected.err().unwrap_or_else(|| panic!("{url} was not refused")).to_string();
    assert!(!said.contains(PASSWORD) && !said.contains(SecuredPostgres::PASSWORD), "{said}");
    said
}

#[tokio::test]
async fn postgresql_is_spoken_to_only_as_its_certificate_and_our_url_say() {
    let authority = Authority::new();
    let good = authority.issue("good", &["localhost"]);
    let own = authority.issue("own", &["audit_operator"]);
    let server = SecuredPostgres::start(&authority, &good).await;
    let root = format!("sslrootcert={}", authority.file().display());
    let full = format!("sslmode=verify-full&{root}");
    let shown = format!("{full}&sslcert={}&sslkey={}", own.certificate.display(), own.key.display());
    let superuser = server.url("postgres", SecuredPostgres::PASSWORD, "localhost", &full);
    let role = |user: &str| {
        server.url(user, PASSWORD, "localhost", if user == "audit_operator" { &shown } else { &full })
    };
    let config = ROLES
        .iter()
        .fold(DaemonConfig::without_database(), |config, (key, user)| config.database_url(key, &role(user)));
    let config = config.database_url("superuser_url", &superuser);

    // trailctl, from nothing, over TLS alone; the operator's role shows a certificate.
    done(&config, &["migrate", "--bootstrap"]).await;
    done(&config, &["projections", "status"]).await;
    let (succeeded, said) = ran(
        &config
            .clone()
            .database_url("operator_url", &server.url("audit_operator", PASSWORD, "localhost", &full)),
        &["projections", "status"],
    )
    .await;
    assert!(!succeeded && said.contains("client certificate"), "{said}");

    refused(&server, &authority).await;
    survives_what_changes(&server, &authority, &config, &superuser, &full).await;
}

/// Each way in which it must not work, and what is said.
async fn refused(server: &SecuredPostgres, authority: &Authority) {
    let stranger = Authority::new();
    let (ours, theirs) = (authority.file(), stranger.file());
    let api = |host: &str, parameters: String| server.url("audit_api", PASSWORD, host, &parameters);
    let by_name = format!("sslmode=verify-full&sslrootcert={}", ours.display());
    for mode in ["verify-full", "verify-ca", "require", "prefer"] {
        let said =
            refusal(&api("localhost", format!("sslmode={mode}&sslrootcert={}", theirs.display()))).await;
        assert!(said.contains("not trusted") && said.contains("sslrootcert"), "{mode}: {said}");
    }
    let said = refusal(&api("localhost", "sslmode=verify-full".to_owned())).await;
    assert!(said.contains("not trusted"), "the system's authorities do not know it: {said}");
    for mode in ["verify-full", "require"] {
        let said = refusal(&api("127.0.0.1", format!("sslmode={mode}&sslrootcert={}", ours.display()))).await;
        assert!(said.contains("not for 127.0.0.1") && said.contains("localhost"), "{mode}: {said}");
    }
    let any_name = api("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={}", ours.display()));
    store::connect(&DatabaseUrl::new(any_name), "test").await.expect("verify-ca does not look at the name");
    let said = refusal(&api("localhost", "sslmode=verify-full&sslrootcert=/nowhere/ca.crt".to_owned())).await;
    assert!(said.contains("/nowhere/ca.crt cannot be read"), "{said}");
    let said = refusal(&server.url("audit_api", "not-the-password", "localhost", &by_name)).await;
    assert!(said.contains("password authentication failed"), "{said}");
    // In the clear this server takes nobody, and whoever asks for TLS never speaks in the clear to one that has none.
    let said = refusal(&api("localhost", "sslmode=disable".to_owned())).await;
    assert!(said.contains("no encryption"), "{said}");
    let plain = format!("{}?{by_name}", servers::postgres_url());
    let said = refusal(&plain).await;
    assert!(said.contains("offers no TLS") && said.contains("ssl = on"), "{said}");
}

/// A service that is connected, while the server's certificate ends and is renewed, and its own password changes.
async fn survives_what_changes(
    server: &SecuredPostgres,
    authority: &Authority,
    config: &DaemonConfig,
    superuser: &str,
    full: &str,
) {
    let admin =
        store::connect(&DatabaseUrl::new(superuser), "test-admin").await.expect("the superuser connects");
    let disconnect =
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'audit_projector'";
    let file = authority.folder().join("projector_url");
    fs::write(&file, server.url("audit_projector", PASSWORD, "localhost", full)).expect("the URL is written");
    let config = config.clone().without_database_url("projector_url");
    let config =
        config.set("database", "projector_url_file", crate::quoted(&file)).variable("RUST_LOG", "trace");
    let projector = Daemon::projector(&config).ready().await;
    assert!((projector.metric(&end_of("postgresql", "peer")).await - GOOD_UNTIL).abs() < 1.0);

    server.show(&authority.issue_expired("expired", &["localhost"]));
    let url = DatabaseUrl::new(superuser);
    let expired = wait_until("the certificate has expired", PATIENCE, || async {
        store::connect(&url, "test").await.err().map(|error| error.to_string())
    })
    .await;
    assert!(expired.contains("has expired: renew it"), "{expired}");
    admin.batch_execute(disconnect).await.expect("the projector is cut off");
    projector.says("database", "has expired: renew it").await;

    server.show(&authority.issue("renewed", &["localhost"]));
    let projector = projector.ready().await;
    // The password's file is read at each connection: no restart.
    let changed = "changed-of-a-test";
    admin
        .batch_execute(&format!("alter role audit_projector password '{changed}'"))
        .await
        .expect("it changes");
    fs::write(&file, server.url("audit_projector", changed, "localhost", full) + "\n")
        .expect("the URL is written");
    admin.batch_execute(disconnect).await.expect("the projector is cut off");
    wait_until("the projector is connected again", PATIENCE, || async {
        let found =
            admin.query("select 1 from pg_stat_activity where usename = 'audit_projector'", &[]).await;
        found.expect("the superuser asks").first().map(|_| ())
    })
    .await;
    let log = projector.ready().await.log();
    assert!(log.contains("\"TRACE\"") && log.contains("has expired"), "the log tells everything else");
    assert!(!log.contains(PASSWORD) && !log.contains(changed), "a secret is in the log");
}

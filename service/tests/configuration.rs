//! The configuration: file, variables, refusals that name the key.

#![expect(clippy::unwrap_used, reason = "tests: the helpers too")]

use std::{fs, path::Path, time::Duration};

use secrecy::ExposeSecret;
use service::{
    Service,
    config::{AuditConfig, ConfigError, GapPolicy, LogFormat, load_from},
};
use shared::index_set::IndexSet;

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn from_variables(pairs: &[(&str, &str)]) -> Result<AuditConfig, ConfigError> {
    load_from(None, variables(pairs)).map(|loaded| loaded.config)
}

fn from_text(text: &str) -> Result<AuditConfig, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.toml");
    fs::write(&file, text).unwrap();
    load_from(Some(&file), []).map(|loaded| loaded.config)
}

/// The refusal's text, which must name this key.
fn refusal(result: Result<AuditConfig, ConfigError>, key: &str) -> String {
    let text = result.expect_err("it must be refused").to_string();
    assert!(text.contains(&format!("`{key}`")), "{text} does not name {key}");
    text
}

fn example() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../audit.example.toml")).unwrap()
}

#[test]
fn the_example_states_the_defaults() {
    let example = from_text(&example()).unwrap();
    assert_eq!(format!("{example:#?}"), format!("{:#?}", AuditConfig::default()));
}

#[test]
fn the_example_with_its_comments_made_keys_is_accepted() {
    // A line `# key = value` documents a key without a default; `rules` stands there twice.
    let uncommented: String = example()
        .lines()
        .filter(|line| *line != "rules = []")
        .map(|line| match line.strip_prefix("# ") {
            Some(key)
                if key
                    .split_once(" = ")
                    .is_some_and(|(name, _)| !name.contains(' ') && !name.contains('=')) =>
            {
                format!("{key}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    // Documented side by side, but HS256 refuses the address of public keys, and the sample secret is too short.
    let text =
        uncommented.replace("algorithm = \"HS256\"", "algorithm = \"EdDSA\"").replace("secret = \"…\"\n", "");
    let config = from_text(&text).unwrap();
    assert_eq!(config.ingestor.instance_id.as_deref(), Some("audit-ingestor-0"));
    assert_eq!(config.ingestor.organizations["audit.events.shop"], "shop");
    assert_eq!(config.kafka.properties["sasl.password"].expose_secret(), "password");
    assert_eq!(config.retention.assign("Heartbeat1", "audit.events.x"), "short");
    assert!(config.database.superuser_url.is_some());
}

#[test]
fn variables_win_over_the_file_and_take_lists_tables_times_and_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.toml");
    fs::write(&file, "[ingestor]\nwriters = 1\ngroup = \"of-the-file\"\n").unwrap();
    let given = variables(&[
        ("AUDIT_INGESTOR__WRITERS", "4"),
        ("AUDIT_INGESTOR__TOPICS", "audit.events, shop.orders"),
        ("AUDIT_INGESTOR__TOPIC_PATTERNS", ""),
        ("AUDIT_INGESTOR__ORGANIZATIONS", "shop.orders=shop"),
        ("AUDIT_INGESTOR__ON_GAP", "stop"),
        ("AUDIT_INGESTOR__SHUTDOWN_DEADLINE", "1m 30s"),
        ("AUDIT_KAFKA__PROPERTIES", "security.protocol=SSL"),
        ("AUDIT_DATABASE__INGESTOR_URL", "postgres://u:0123@h/d"),
        ("AUDIT_TELEMETRY__LISTEN", "127.0.0.1:0"),
        ("AUDIT_REGISTRY__USERNAME", "u"),
        ("AUDIT_REGISTRY__PASSWORD", "0123"),
    ]);
    let config = load_from(Some(&file), given).unwrap().config;
    assert_eq!(config.ingestor.writers, 4);
    assert_eq!(config.ingestor.group, "of-the-file");
    assert_eq!(config.ingestor.topics, ["audit.events", "shop.orders"]);
    assert!(config.ingestor.topic_patterns.is_empty());
    assert_eq!(config.ingestor.organizations["shop.orders"], "shop");
    assert_eq!(config.ingestor.on_gap, GapPolicy::Stop);
    assert_eq!(config.ingestor.shutdown_deadline, Duration::from_secs(90));
    assert_eq!(config.kafka.properties["security.protocol"].expose_secret(), "SSL");
    assert_eq!(
        config.registry.password.unwrap().expose_secret(),
        "0123",
        "a password of digits stays as it is"
    );
}

#[test]
fn the_variables_of_the_sources_are_aliases() {
    let config = from_variables(&[("S3_BUCKET", "audit-reports"), ("S3_REGION", "eu-west-1")]).unwrap();
    assert_eq!(config.exports.bucket.as_deref(), Some("audit-reports"));
    assert_eq!(config.exports.region, "eu-west-1");
    let both = [("AUDIT_EXPORTS__BUCKET", "ours"), ("S3_BUCKET", "theirs")];
    assert_eq!(from_variables(&both).unwrap().exports.bucket.as_deref(), Some("ours"));
}

/// The environment of document 001 (B32 to B35), as it stands there.
const OF_THE_SOURCES: [(&str, &str); 9] = [
    ("PORT", "3005"),
    ("NODE_ENV", "development"),
    ("DB_HOST", "postgres"),
    ("DB_PORT", "5432"),
    ("DB_USER", "postgres"),
    ("DB_PASSWORD", "p@ss/word"),
    ("DB_NAME", "users_db"),
    ("RABBITMQ_URL", "amqp://guest:guest@rabbitmq:5672"),
    ("LOG_LEVEL", "info"),
];

#[test]
fn the_older_services_environment_works_as_it_stands() {
    let loaded = load_from(None, variables(&OF_THE_SOURCES)).unwrap();
    assert_eq!(loaded.warnings, Vec::<String>::new());
    let config = loaded.config;
    assert_eq!(config.api.listen.to_string(), "0.0.0.0:3005");
    assert_eq!(
        (config.telemetry.log_format, config.telemetry.log_filter.as_str()),
        (LogFormat::Text, "info")
    );
    assert_eq!(config.rabbitmq.url().unwrap().expose_secret(), "amqp://guest:guest@rabbitmq:5672");
    // Each service works as its own role, whose password is that of the environment.
    let database = &config.database;
    let url = |role: &str| format!("postgres://{role}:p%40ss%2Fword@postgres:5432/users_db");
    for (found, role) in [
        (database.ingestor_url(), "audit_ingestor"),
        (database.api_url(), "audit_api"),
        (database.projector_url(), "audit_projector"),
        (database.migrator_url(), "audit_migrator"),
        (database.operator_url(), "audit_operator"),
        (database.retention_url(), "audit_retention"),
        // The account of the environment makes the roles, and no service works as it.
        (database.superuser_url(), "postgres"),
    ] {
        assert_eq!(found.unwrap().expose_secret(), url(role));
    }
}

#[test]
fn our_own_names_win_over_the_aliases_and_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.toml");
    fs::write(&file, "[api]\nlisten = \"127.0.0.1:8080\"\n[telemetry]\nlog_filter = \"info\"\n").unwrap();
    let own = [("AUDIT_DATABASE__API_URL", "postgres://own@h/d"), ("DB_SSL", "true")];
    let loaded = load_from(Some(&file), variables(&[&OF_THE_SOURCES[..], &own[..]].concat())).unwrap();
    assert_eq!(loaded.config.api.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(loaded.config.database.api_url().unwrap().expose_secret(), "postgres://own@h/d");
    assert!(loaded.config.database.ingestor_url().unwrap().expose_secret().contains("@postgres:5432/"));
    // What says the same is no conflict: LOG_LEVEL.
    let conflicts = ["DB_HOST is not used where database.api_url", "PORT is not used where api.listen"];
    assert_eq!(loaded.warnings.len(), conflicts.len(), "{:?}", loaded.warnings);
    for (warning, part) in loaded.warnings.iter().zip(conflicts) {
        assert!(warning.contains(part) && !warning.contains("p@ss"), "{warning}");
    }
}

#[test]
fn aliases_are_checked_like_settings() {
    for (variable, value) in [("PORT", "x"), ("LOG_LEVEL", "loud"), ("DB_PORT", "70000")] {
        let given = [(variable, value), ("DB_HOST", "h")];
        refusal(from_variables(&given), variable);
    }
    for (theirs, ours) in
        [("warning", "warn"), ("VERBOSE", "debug"), ("silly", "trace"), ("Information", "info")]
    {
        let config = from_variables(&[("LOG_LEVEL", theirs), ("NODE_ENV", "production")]).unwrap();
        assert_eq!(
            (config.telemetry.log_filter.as_str(), config.telemetry.log_format),
            (ours, LogFormat::Json)
        );
    }
    let half = load_from(None, variables(&[("DB_NAME", "users_db")])).unwrap();
    assert_eq!(half.warnings, ["the variable DB_NAME is not used: DB_HOST is missing"]);
    assert!(half.config.database.api_url.is_none());
}

#[test]
fn a_secret_may_stand_in_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).display().to_string()
    };
    let (url, secret) = (
        put("api_url", "postgres://audit_api:first@h/d\n"),
        put("secret", "0123456789abcdef0123456789abcdef"),
    );
    let password = put("password", "12345\n");
    let file = folder.path().join("audit.toml");
    fs::write(
        &file,
        format!(
            "[auth]\nsecret_file = {secret:?}\n[kafka.properties]\n\"sasl.password_file\" = {password:?}\n"
        ),
    )
    .unwrap();
    let given = [
        ("AUDIT_DATABASE__API_URL_FILE", url.as_str()),
        ("AUDIT_REGISTRY__USERNAME", "u"),
        ("AUDIT_REGISTRY__PASSWORD_FILE", &password),
    ];
    let config = load_from(Some(&file), variables(&given)).unwrap().config;
    let found = config.database.api_url().unwrap();
    assert_eq!(found.expose_secret(), "postgres://audit_api:first@h/d");
    assert_eq!(config.auth.secret().unwrap().expose_secret().len(), 32);
    assert_eq!(config.kafka.properties["sasl.password"].expose_secret(), "12345");
    assert!(!config.kafka.properties.contains_key("sasl.password_file"));
    assert_eq!(config.registry.password.as_ref().unwrap().expose_secret(), "12345");
    // A new connection takes what stands there by then.
    put("api_url", "postgres://audit_api:second@h/d\n");
    assert_eq!(found.latest().expose_secret(), "postgres://audit_api:second@h/d");
    assert!(!format!("{config:?}").contains("first"));
}

#[test]
fn a_secret_stands_in_one_place_and_its_file_is_named_when_it_cannot_be_read() {
    let nowhere = [("AUDIT_AUTH__SECRET_FILE", "/nowhere/secret")];
    let text = refusal(from_variables(&nowhere), "auth.secret_file");
    assert!(text.contains("/nowhere/secret cannot be read"), "{text}");
    let both = [("AUDIT_RABBITMQ__URL_FILE", "/nowhere"), ("AUDIT_RABBITMQ__URL", "amqp://u:hunter2@h")];
    let text = refusal(from_variables(&both), "rabbitmq.url_file");
    assert!(text.contains("keep one of the two") && !text.contains("hunter2"), "{text}");
    refusal(from_variables(&[("AUDIT_RABBITMQ__QUEUE_FILE", "/nowhere")]), "rabbitmq");
}

#[test]
fn the_place_of_exports_is_one_and_whole() {
    for (text, key) in [
        ("folder = \"/tmp\"\nbucket = \"b\"", "exports.bucket"),
        ("bucket = \"\"", "exports.bucket"),
        ("link_lifetime = \"8d\"", "exports.link_lifetime"),
        ("link_lifetime = \"0s\"", "exports.link_lifetime"),
        ("public_url = \"audit.example.org\"", "exports.public_url"),
        ("max_events = 0", "exports.max_events"),
        ("max_concurrent = 0", "exports.max_concurrent"),
        ("access_key_id = \"a\"", "exports.secret_access_key"),
    ] {
        refusal(from_text(&format!("[exports]\n{text}\n")), key);
    }
}

#[test]
fn other_variables_are_left_alone_and_misspelt_ones_are_warned_of() {
    let loaded = load_from(
        None,
        variables(&[
            ("AUDIT_TEST_POSTGRES", "x"),
            ("AUDIT_CONFIG", "x"),
            ("AUDIT_API_SERVICE_HOST", "10.0.0.1"),
            ("AUDIT_API_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
            ("AUDIT_KAFKA_BOOTSTRAP_SERVERS", "x"),
            ("PATH", "/bin"),
        ]),
    )
    .unwrap();
    assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
    assert!(loaded.warnings[0].contains("AUDIT_KAFKA_BOOTSTRAP_SERVERS"));
}

#[test]
fn unknown_keys_are_refused_in_the_file_and_in_variables() {
    let text = refusal(from_text("[ingestor]\ntopic = \"x\"\n"), "ingestor");
    assert!(text.contains("unknown field `topic`"), "{text}");
    refusal(from_variables(&[("AUDIT_INGESTOR__TOPIC", "x")]), "ingestor");
    let text = from_text("[ingester]\n").unwrap_err().to_string();
    assert!(text.contains("ingester"), "{text}");
}

#[test]
fn a_value_of_the_wrong_kind_names_its_key_and_not_its_value() {
    let text = refusal(from_text("[ingestor]\nwriters = \"hunter2\"\n"), "ingestor.writers");
    assert!(!text.contains("hunter2"), "{text}");
    let text = refusal(from_text("[database]\napi_url = [\"hunter2\"]\n"), "database.api_url");
    assert!(!text.contains("hunter2"), "{text}");
    refusal(from_text("[ingestor]\nshutdown_deadline = \"soon\"\n"), "ingestor.shutdown_deadline");
    refusal(from_text("[auth]\nalgorithm = \"none\"\n"), "auth.algorithm");
    refusal(from_text("[api]\nlisten = \"nowhere\"\n"), "api.listen");
}

#[test]
fn broken_toml_names_the_file() {
    let text = from_text("[ingestor\n").unwrap_err().to_string();
    assert!(text.contains("audit.toml"), "{text}");
    let text = load_from(Some(Path::new("no/such.toml")), []).unwrap_err().to_string();
    assert!(text.contains("no/such.toml"), "{text}");
}

#[test]
fn a_subscription_that_takes_the_dead_letters_is_refused() {
    refusal(from_text("[ingestor]\ntopics = [\"audit.events\", \"audit.dlq\"]\n"), "ingestor.topics");
    refusal(from_text("[ingestor]\ntopic_patterns = [\"^audit\\\\..*\"]\n"), "ingestor.topic_patterns[0]");
    // Moved out of the way of the pattern, it is fine; moved into the default one's, it is not.
    from_text("[ingestor]\ntopic_patterns = [\"^audit\\\\..*\"]\n[dead_letters]\ntopic = \"dlq\"\n").unwrap();
    refusal(from_text("[dead_letters]\ntopic = \"audit.events.dlq\"\n"), "ingestor.topic_patterns[0]");
}

#[test]
fn patterns_must_be_ones_that_kafka_takes_for_patterns() {
    refusal(from_text("[ingestor]\ntopic_patterns = [\"audit.*\"]\n"), "ingestor.topic_patterns[0]");
    refusal(from_text("[ingestor]\ntopic_patterns = [\"^audit(\"]\n"), "ingestor.topic_patterns[0]");
    refusal(from_text("[ingestor]\ntopics = []\ntopic_patterns = []\n"), "ingestor.topics");
}

#[test]
fn the_set_of_indexes_is_one_of_two() {
    assert_eq!(from_text("").unwrap().database.indexes, IndexSet::Standard);
    assert_eq!(
        from_variables(&[("AUDIT_DATABASE__INDEXES", "essential")]).unwrap().database.indexes,
        IndexSet::Essential
    );
    let text = refusal(from_text("[database]\nindexes = \"all\"\n"), "database.indexes");
    assert!(text.contains("essential") && text.contains("standard"), "{text}");
}

#[test]
fn a_retention_rule_must_name_a_class_that_exists() {
    let text =
        refusal(from_text("[retention]\nrules = [{ event_type = \"A*\", class = \"gone\" }]\n"), "retention");
    assert!(text.contains("gone"), "{text}");
    let config = from_text(
        "[retention]\nrules = [{ event_type = \"A*\", class = \"short\" }]\n[retention.classes]\nshort = { keep = \"90 days\" }\n",
    )
    .unwrap();
    assert_eq!(config.retention.assign("Ab", "audit.events"), "short");
}

#[test]
fn a_secret_that_could_be_guessed_is_refused_and_never_printed() {
    let text = refusal(from_text("[auth]\nsecret = \"0123456789012345678901234567890\"\n"), "auth.secret");
    assert!(!text.contains("0123456789"), "{text}");
    let config = from_text("[auth]\nsecret = \"01234567890123456789012345678901\"\n").unwrap();
    assert!(!format!("{config:?}").contains("0123456789"));
}

#[test]
fn nothing_secret_is_printed() {
    let config = from_variables(&[
        ("AUDIT_DATABASE__API_URL", "postgres://audit_api:hunter2@h/d"),
        ("AUDIT_KAFKA__PROPERTIES", "sasl.password=hunter2"),
        ("AUDIT_REGISTRY__USERNAME", "u"),
        ("AUDIT_REGISTRY__PASSWORD", "hunter2"),
    ])
    .unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn the_shared_secret_and_public_keys_exclude_each_other() {
    refusal(from_text("[auth]\njwks_url = \"https://x/keys\"\n"), "auth.jwks_url");
    let config = from_text("[auth]\nalgorithm = \"RS256\"\nissuer = \"i\"\naudience = \"a\"\n").unwrap();
    refusal(config.auth.require().map(|()| AuditConfig::default()), "auth.jwks_url");
    refusal(from_text("[auth]\nroles_claim = \"roles\"\n"), "auth.roles_claim");
}

#[test]
fn properties_that_promises_rest_on_cannot_be_overridden() {
    for property in
        ["enable.idempotence", "acks", "check.crcs", "isolation.level", "auto.offset.reset", "group.id"]
    {
        let text = format!("[kafka.properties]\n\"{property}\" = \"x\"\n");
        refusal(from_text(&text), &format!("kafka.properties.\"{property}\""));
    }
}

#[test]
fn a_missing_key_is_named_with_its_variable() {
    let config = from_text("").unwrap();
    let text = config.database.ingestor_url().unwrap_err().to_string();
    assert!(
        text.contains("database.ingestor_url") && text.contains("AUDIT_DATABASE__INGESTOR_URL"),
        "{text}"
    );
    assert!((service::Service::INGESTOR.require)(&config).is_err());
    assert!((service::Service::AUDIT_API.require)(&config).is_err());
}

#[test]
fn numbers_and_times_stay_within_sense() {
    refusal(from_text("[ingestor]\nwriters = 0\n"), "ingestor.writers");
    refusal(from_text("[ingestor]\nbatch_max_records = 0\n"), "ingestor.batch_max_records");
    refusal(from_text("[api]\npool_size = 0\n"), "api.pool_size");
    refusal(from_text("[api]\nheartbeat = \"0s\"\n"), "api.heartbeat");
    refusal(from_text("[telemetry]\ntrace_ratio = 2.0\n"), "telemetry.trace_ratio");
    refusal(from_text("[telemetry]\nlog_filter = \"x=[\"\n"), "telemetry.log_filter");
    refusal(from_text("[auth]\nleeway = \"1h\"\n"), "auth.leeway");
    refusal(from_text("[registry]\nurl = \"localhost:8081\"\n"), "registry.url");
}

#[test]
fn the_older_services_variable_is_an_alias_that_the_settings_own_variable_beats() {
    let url = |pairs: &[(&str, &str)]| {
        from_variables(pairs).unwrap().rabbitmq.url.unwrap().expose_secret().to_owned()
    };
    assert_eq!(url(&[("RABBITMQ_URL", "amqp://old")]), "amqp://old");
    let both = [("AUDIT_RABBITMQ__URL", "amqp://own"), ("RABBITMQ_URL", "amqp://old")];
    assert_eq!(url(&both), "amqp://own");
    assert_eq!(url(&[both[1], both[0]]), "amqp://own");
}

#[test]
fn bindings_are_an_exchange_and_a_key_and_never_those_of_the_dead_letters() {
    let more = from_variables(&[("AUDIT_RABBITMQ__MORE_BINDINGS", "events:#, shop:order.*")]).unwrap();
    let bindings: Vec<_> = more.rabbitmq.all_bindings().collect();
    assert_eq!(bindings.len(), 15);
    assert_eq!(bindings[13..], [("events", "#"), ("shop", "order.*")]);
    refusal(from_text("[rabbitmq]\nbindings = [\"user.*\"]\n"), "rabbitmq.bindings");
    refusal(from_text("[rabbitmq]\nmore_bindings = [\"events:\"]\n"), "rabbitmq.more_bindings");
    refusal(from_text("[rabbitmq]\nmore_bindings = [\"audit_dlq:#\"]\n"), "rabbitmq.more_bindings");
    refusal(
        from_text("[rabbitmq]\ndead_letter_queue = \"audit-service.events\"\n"),
        "rabbitmq.dead_letter_queue",
    );
    refusal(from_text("[rabbitmq]\nprefetch = 0\n"), "rabbitmq.prefetch");
    refusal(from_text("[rabbitmq]\nheartbeat = \"1ms\"\n"), "rabbitmq.heartbeat");
}

#[test]
fn an_api_that_records_accesses_needs_kafka_and_one_that_does_not_says_so() {
    let auth = [
        ("AUDIT_DATABASE__API_URL", "postgres://audit_api@localhost/audit"),
        ("AUDIT_AUTH__SECRET", "0123456789abcdef0123456789abcdef"),
        ("AUDIT_AUTH__ISSUER", "i"),
        ("AUDIT_AUTH__AUDIENCE", "a"),
    ];
    let require = |more: &[(&str, &str)]| {
        let config = from_variables(&[&auth[..], more].concat())?;
        (Service::AUDIT_API.require)(&config).map(|()| config)
    };
    let kafka = [("AUDIT_KAFKA__BOOTSTRAP_SERVERS", "k:9092"), ("AUDIT_REGISTRY__URL", "http://r:8081")];
    refusal(require(&[]), "accesses.record");
    refusal(require(&kafka[..1]), "accesses.record");
    assert!(require(&kafka).unwrap().accesses.record);
    assert!(!require(&[("AUDIT_ACCESSES__RECORD", "false")]).unwrap().accesses.record);
    refusal(from_variables(&[("AUDIT_ACCESSES__TOPIC", "audit.dlq")]), "accesses.topic");
}

//! What others install: the Helm chart, the image, alerts and dashboards agree with the programs. No tool is needed here;
//! `cargo xtask package-check` runs the tools.

#![expect(clippy::unwrap_used, reason = "tests: the helpers too")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;
use serde_json::Value;
use service::{Service, config::load_from};

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(project().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files of a folder with this ending, as paths from the project's root.
fn files(folder: &str, ending: &str) -> Vec<String> {
    let entries = fs::read_dir(project().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(ending))
        .map(|name| format!("{folder}/{name}"))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "{folder} has no {ending}");
    names
}

fn matches(pattern: &str, text: &str) -> BTreeSet<String> {
    Regex::new(pattern).unwrap().captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// One rendered object that runs a program of ours.
struct Workload {
    /// What it runs.
    program: String,
    /// Its variables, those from Secrets with a value that such a secret could have.
    variables: Vec<(String, String)>,
}

fn workloads(rendered: &str) -> Vec<Workload> {
    let container = Regex::new(r"command: \[/usr/local/bin/([a-z-]+)\]").unwrap();
    let variable = Regex::new(r#"- name: (AUDIT_[A-Z_]+)\n\s+value(?:: "?([^"\n]*)"?|From:)"#).unwrap();
    let mut starts: Vec<_> = container.captures_iter(rendered).collect();
    starts.reverse();
    let mut end = rendered.len();
    let mut found = Vec::new();
    for start in starts {
        let place = start.get(0).unwrap().start();
        let variables = variable
            .captures_iter(&rendered[place..end])
            .map(|found| {
                (
                    found[1].to_owned(),
                    found.get(2).map_or_else(|| secret(&found[1]), |v| v.as_str().to_owned()),
                )
            })
            .filter(|(name, _)| name != "AUDIT_CONFIG")
            .collect();
        found.push(Workload { program: start[1].to_owned(), variables });
        end = place;
    }
    found
}

fn secret(variable: &str) -> String {
    match variable {
        "AUDIT_AUTH__SECRET" => "0123456789abcdef0123456789abcdef".to_owned(),
        "AUDIT_RABBITMQ__URL" => "amqps://user:password@rabbitmq:5671".to_owned(),
        name if name.ends_with("_URL") => {
            "postgres://role:password@host/audit?sslmode=verify-full".to_owned()
        }
        _ => "value".to_owned(),
    }
}

/// The text under `audit.toml: |` in the first ConfigMap that has it.
fn configuration(rendered: &str) -> String {
    let (_, rest) = rendered.split_once("\n  audit.toml: |\n").expect("a ConfigMap with audit.toml");
    let lines = rest.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    lines.map(|line| line.strip_prefix("    ").unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// What each daemon cannot do without.
fn daemons() -> BTreeMap<&'static str, Service> {
    BTreeMap::from([
        ("ingestor", Service::INGESTOR),
        ("audit-api", Service::AUDIT_API),
        ("rabbitmq-bridge", Service::RABBITMQ_BRIDGE),
        ("projector", Service::PROJECTOR),
    ])
}

#[test]
fn every_program_accepts_what_the_chart_gives_it() {
    for path in files("helm/golden", ".yaml") {
        let rendered = read(&path);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.toml");
        fs::write(&file, configuration(&rendered)).unwrap();
        let workloads = workloads(&rendered);
        for Workload { program, variables } in &workloads {
            let loaded = load_from(Some(&file), variables.clone())
                .unwrap_or_else(|error| panic!("{path}: {program}: {error}"));
            assert!(loaded.warnings.is_empty(), "{path}: {program}: {:?}", loaded.warnings);
            if let Some(service) = daemons().get(program.as_str()) {
                (service.require)(&loaded.config)
                    .unwrap_or_else(|error| panic!("{path}: {program}: {error}"));
            }
        }
        for daemon in daemons().keys() {
            let runs = workloads.iter().any(|workload| workload.program == *daemon);
            // The bridge is for those who have older services.
            assert!(runs || *daemon == "rabbitmq-bridge", "{path} does not run {daemon}");
        }
    }
}

/// Keys of `audit.example.toml`, as `section.key`; those of a table in a section stand for the table.
fn example_keys() -> BTreeSet<String> {
    let mut section = String::new();
    let mut keys = BTreeSet::new();
    let key = Regex::new(r"^(?:# )?([a-z_]+) = ").unwrap();
    for line in read("audit.example.toml").lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
            if name.contains('.') {
                keys.insert(name.to_owned());
            }
        } else if let Some(found) = key.captures(line)
            && !section.is_empty()
            && !section.contains('.')
        {
            keys.insert(format!("{section}.{}", &found[1]));
        }
    }
    keys
}

#[test]
fn the_values_have_exactly_the_keys_of_the_configuration() {
    let schema: Value = serde_json::from_str(&read("helm/audit-trail/values.schema.json")).unwrap();
    let keys_below = |place: &str| -> BTreeSet<String> {
        let sections =
            schema.pointer(&format!("/properties/{place}/properties")).unwrap().as_object().unwrap();
        sections
            .iter()
            .filter_map(|(section, inner)| Some((section, inner.get("properties")?.as_object()?)))
            .flat_map(|(section, keys)| keys.keys().map(move |key| format!("{section}.{key}")))
            .collect()
    };
    let mut given = keys_below("config");
    given.extend(keys_below("secrets"));
    // The chart sets these by itself; the secrets of Kafka are two of its properties.
    let by_the_chart = [
        "api.listen",
        "api.tls_certificate_file",
        "api.tls_key_file",
        "telemetry.listen",
        "ingestor.instance_id",
        "rabbitmq.ca_file",
    ];
    let not_keys = [
        "database.replica",
        "kafka.enabled",
        "kafka.username",
        "kafka.password",
        "registry.enabled",
        "exports.links",
        "exports.credentials",
    ];
    given.retain(|key| !not_keys.contains(&key.as_str()));
    let mut wanted = example_keys();
    // The example names it in a sentence, because it stands instead of the folder.
    wanted.insert("exports.bucket".to_owned());
    wanted.retain(|key| !by_the_chart.contains(&key.as_str()));
    assert_eq!(
        given, wanted,
        "left: helm/audit-trail/values.schema.json (config, secrets), right: audit.example.toml"
    );
}

#[test]
fn everything_in_the_values_and_their_schema_is_closed() {
    fn open_objects(value: &Value, place: &str, found: &mut Vec<String>) {
        let Some(object) = value.as_object() else { return };
        let is_schema = object.get("type").is_some_and(|kind| kind == "object");
        if is_schema
            && object.get("properties").is_some()
            && object.get("additionalProperties") != Some(&Value::Bool(false))
        {
            found.push(place.to_owned());
        }
        for (key, inner) in object {
            open_objects(inner, &format!("{place}/{key}"), found);
        }
    }
    let schema: Value = serde_json::from_str(&read("helm/audit-trail/values.schema.json")).unwrap();
    let mut open = Vec::new();
    open_objects(&schema, "", &mut open);
    assert_eq!(open, Vec::<String>::new());
}

/// Every metric that docs/observability.md lists, and where in the code it stands.
fn documented_metrics() -> BTreeSet<String> {
    let documented = matches(r"`((?:audit|http_server|process)_[a-z_]+)`", &read("docs/observability.md"));
    assert!(documented.len() > 30, "docs/observability.md lists only {documented:?}");
    documented
}

fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            sources(&path, text);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn the_documented_metrics_are_those_of_the_code() {
    let mut code = String::new();
    for member in fs::read_dir(project()).unwrap() {
        let source = member.unwrap().path().join("src");
        if source.is_dir() {
            sources(&source, &mut code);
        }
    }
    for metric in documented_metrics() {
        assert!(code.contains(&format!("\"{metric}\"")), "{metric} is documented, and nobody records it");
    }
}

/// The queries of rule files and dashboards, each with the place it stands in.
fn queries() -> Vec<(String, String)> {
    let expression = Regex::new(r"(?s)expr: (?:>-)?(.+?)\n        (?:for|labels):").unwrap();
    let mut found = Vec::new();
    for path in files("helm/audit-trail/files", ".yaml") {
        let text = read(&path);
        found.extend(expression.captures_iter(&text).map(|query| (path.clone(), query[1].to_owned())));
    }
    for path in files("helm/audit-trail/files/dashboards", ".json") {
        let dashboard: Value = serde_json::from_str(&read(&path)).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                found.push((path.clone(), target["expr"].as_str().unwrap().to_owned()));
            }
        }
    }
    found
}

#[test]
fn alerts_and_dashboards_ask_for_metrics_that_exist() {
    let documented = documented_metrics();
    let queries = queries();
    assert!(queries.len() > 60, "only {} queries were found", queries.len());
    let literal = Regex::new(r#""[^"]*""#).unwrap();
    for (path, query) in queries {
        let names = literal.replace_all(&query, "").into_owned();
        let names = matches(r"\b((?:audit|http|process|kube|kubelet|go)_[a-z_]+)\b", &names);
        assert!(!names.is_empty() || query.contains("up{"), "{path}: {query}");
        for name in names {
            let plain = ["_bucket", "_count", "_sum"].iter().find_map(|suffix| name.strip_suffix(suffix));
            let ours = documented.contains(&name) || plain.is_some_and(|name| documented.contains(name));
            let of_kubernetes = path.contains("alerts-kubernetes")
                && (name.starts_with("kube_") || name.starts_with("kubelet_"));
            assert!(ours || of_kubernetes, "{path}: no program has {name} ({query})");
        }
    }
}

#[test]
fn every_alert_is_tested_and_has_its_page() {
    let mut alerts = BTreeSet::new();
    for path in files("helm/audit-trail/files", ".yaml") {
        let rules = read(&path);
        let tests =
            read(&path.replace("helm/audit-trail/files", "observability").replace(".yaml", ".test.yaml"));
        let here = matches(r"- alert: (\w+)", &rules);
        let fires = matches(r"alertname: (\w+)\n\s+exp_alerts:", &tests);
        let silent = matches(r"eval_time: \w+, alertname: (\w+)\}", &tests);
        assert_eq!(here, fires, "{path}: each alert is seen to fire");
        assert_eq!(here, silent, "{path}: each alert is seen to be silent");
        for alert in &here {
            assert!(rules.contains(&format!("runbook_url: docs/runbooks/{alert}.md\n")), "{path}: {alert}");
        }
        alerts.extend(here);
    }
    let pages: BTreeSet<_> = files("docs/runbooks", ".md")
        .iter()
        .filter_map(|path| Some(Path::new(path).file_stem()?.to_str()?.to_owned()))
        .filter(|page| page != "README")
        .collect();
    assert_eq!(pages, alerts, "docs/runbooks has one page for each alert");
    for page in pages {
        let text = read(&format!("docs/runbooks/{page}.md"));
        for part in ["## What it means", "## Look", "## Do"] {
            assert!(text.contains(part), "docs/runbooks/{page}.md has no \"{part}\"");
        }
    }
}

#[test]
fn dashboards_are_whole() {
    let mut uids = BTreeSet::new();
    for path in files("helm/audit-trail/files/dashboards", ".json") {
        let dashboard: Value = serde_json::from_str(&read(&path)).unwrap();
        assert!(uids.insert(dashboard["uid"].as_str().unwrap().to_owned()), "{path}: uid twice");
        assert_eq!(dashboard.get("id"), None, "{path}: an id belongs to one Grafana");
        let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
        for panel in dashboard["panels"].as_array().unwrap() {
            let title = panel["title"].as_str().unwrap();
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{path}: {title}: id twice");
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
            assert!(x + w <= 24, "{path}: {title} is outside");
            for cell in (x..x + w).flat_map(|column| (y..y + h).map(move |row| (column, row))) {
                assert!(cells.insert(cell), "{path}: {title} covers another");
            }
            if panel["type"] != "row" {
                assert_eq!(panel["datasource"]["uid"], "${datasource}", "{path}: {title}");
                assert!(!panel["targets"].as_array().unwrap().is_empty(), "{path}: {title} asks nothing");
            }
        }
    }
}

#[test]
fn the_image_holds_every_program_and_the_chart_no_other() {
    let members = matches(r#"    "([a-z-]+)","#, &read("Cargo.toml"));
    let programs: BTreeSet<_> = members
        .into_iter()
        .filter(|member| project().join(member).join("src/main.rs").exists())
        // Tools of those who work on it; the generator and the restore drill (end-to-end) are for demonstrations.
        .filter(|member| !["xtask", "bench", "generator", "end-to-end"].contains(&member.as_str()))
        .collect();
    let dockerfile = read("Dockerfile");
    let packages = matches(r"--package ([a-z-]+)", &dockerfile);
    assert_eq!(packages, programs, "left: what the Dockerfile builds, right: the workspace's programs");
    assert_eq!(matches(r"target/dist/([a-z-]+)", &dockerfile), programs, "what the Dockerfile copies");
    let workflow = read(".github/workflows/ci.yml");
    assert!(workflow.contains("'target/dist/[a-z-]+' Dockerfile"), "CI starts what the Dockerfile copies");
    for path in files("helm/golden", ".yaml") {
        for program in matches(r"/usr/local/bin/([a-z-]+)", &read(&path)) {
            assert!(programs.contains(&program), "{path} runs {program}");
        }
    }
}

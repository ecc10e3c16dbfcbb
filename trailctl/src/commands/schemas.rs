//! `trailctl schemas`: the Avro schemas in the registry (contract.md, Kafka).

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bus::{
    events::CANONICAL_SUBJECT,
    registry::{Compatibility, Registry},
};
use serde::Deserialize;
use serde_json::json;
use shared::{avro, json::ProtectedMarker};

use crate::{
    outcome::{self, Outcome},
    output::listing::{Listing, cell},
    session::Session,
};

/// Typed schemas: TopicRecordNameStrategy, `<topic>-<full name>`.
const TYPED_PREFIX: &str = "audit.events-";

/// Register the Avro schemas.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Register every schema of a folder, version by version; what is registered already stays as it is
    ///
    /// The canonical envelope goes under `audit.events-value` with FULL_TRANSITIVE, every other schema under
    /// `audit.events-<full name>`.
    #[command(verbatim_doc_comment)]
    #[command(after_help = "\
Examples:
  trailctl schemas apply
  trailctl schemas apply ../our-service/schemas --output json")]
    Apply(Apply),
}

/// Arguments of `schemas apply`.
#[derive(Debug, clap::Args)]
pub struct Apply {
    /// The folder; its files are <any folder>/v<number>.avsc [default: schemas, else the built-in canonical one alone]
    directory: Option<PathBuf>,
}

/// One schema to register.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Schema {
    subject: String,
    version: u32,
    source: String,
    text: String,
}

/// Runs the command.
pub async fn run(command: &Command, session: &Session) -> anyhow::Result<Outcome> {
    let Command::Apply(arguments) = command;
    let config = session.config()?;
    let registry = registry(&config.registry)?;
    let mut listing =
        Listing::stdout(session.output(), session.terminal, &["SUBJECT", "VERSION", "ID", "SOURCE"]);
    let mut previous: Option<String> = None;
    for schema in collect(arguments)? {
        let id = registry
            .register(&schema.subject, &schema.text, &[])
            .await
            .with_context(|| schema.source.clone())?;
        // After the first version: a registry knows no setting for a subject that it does not know.
        if schema.subject == CANONICAL_SUBJECT && previous.as_ref() != Some(&schema.subject) {
            registry.set_compatibility(&schema.subject, Compatibility::FullTransitive).await?;
        }
        let line =
            json!({"subject": schema.subject, "version": schema.version, "id": id, "source": schema.source});
        listing.item(&line.to_string(), |value| {
            ["subject", "version", "id", "source"].map(|path| cell(value, path)).to_vec()
        })?;
        previous = Some(schema.subject);
    }
    listing.finish()?;
    Ok(Outcome::Done)
}

/// The registry's client; what is missing in the configuration is the caller's to set.
pub(super) fn registry(settings: &service::config::RegistrySettings) -> anyhow::Result<Registry> {
    settings.url().map_err(|error| outcome::usage(error.to_string()))?;
    Ok(Registry::new(settings)?)
}

fn collect(arguments: &Apply) -> anyhow::Result<Vec<Schema>> {
    let usual = Path::new("schemas");
    let directory = arguments.directory.as_deref().or_else(|| usual.is_dir().then_some(usual));
    let Some(directory) = directory else {
        return Ok(vec![Schema {
            subject: CANONICAL_SUBJECT.to_owned(),
            version: 1,
            source: "built in".to_owned(),
            text: avro::canonical_schema_compact(),
        }]);
    };
    let mut schemas = Vec::new();
    gather(directory, &mut schemas)?;
    if schemas.is_empty() {
        return Err(outcome::usage(format!("{} holds no v<number>.avsc", directory.display())));
    }
    schemas.sort();
    Ok(schemas)
}

fn gather(directory: &Path, schemas: &mut Vec<Schema>) -> anyhow::Result<()> {
    let unreadable = |error| outcome::usage(format!("{}: {error}", directory.display()));
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry?.path();
        if path.is_dir() {
            gather(&path, schemas)?;
        } else if let Some(version) = version_of(&path) {
            let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            schemas.push(read(&path, version, text)?);
        }
    }
    Ok(())
}

/// `…/v12.avsc` is version 12.
fn version_of(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.strip_prefix('v')?.strip_suffix(".avsc")?.parse().ok()
}

#[derive(Deserialize)]
struct Head {
    name: String,
    namespace: Option<String>,
}

impl Head {
    fn full_name(&self) -> String {
        match &self.namespace {
            Some(namespace) if !self.name.contains('.') && !namespace.is_empty() => {
                format!("{namespace}.{}", self.name)
            }
            _ => self.name.clone(),
        }
    }
}

fn read(path: &Path, version: u32, text: String) -> anyhow::Result<Schema> {
    let bad = |what: String| outcome::usage(format!("{}: {what}", path.display()));
    let head: Head =
        serde_json::from_str(&text).map_err(|error| bad(format!("not a named schema: {error}")))?;
    let canonical: Head = serde_json::from_str(avro::CANONICAL_SCHEMA).context("the built-in schema")?;
    let full_name = head.full_name();
    let subject = if full_name == canonical.full_name() {
        CANONICAL_SUBJECT.to_owned()
    } else {
        format!("{TYPED_PREFIX}{full_name}")
    };
    // Registries compare texts: the same schema always goes out in its compact form.
    let text =
        shared::json::compact(text, ProtectedMarker::Allowed).map_err(|refusal| bad(refusal.to_string()))?;
    Ok(Schema { subject, version, source: path.display().to_string(), text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_version_by_version() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        let typed = "{\n  \"type\": \"record\",\n  \"name\": \"Placed\",\n  \"namespace\": \"shop\",\n  \"fields\": []\n}\n";
        for version in [10, 2, 1] {
            write(&format!("placed/v{version}.avsc"), typed);
        }
        write("audit_event/v1.avsc", avro::CANONICAL_SCHEMA);
        write("placed/README.md", "not a schema");
        let schemas = collect(&Apply { directory: Some(folder.path().to_owned()) }).expect("read");
        let found: Vec<_> = schemas.iter().map(|schema| (schema.subject.as_str(), schema.version)).collect();
        let placed = "audit.events-shop.Placed";
        assert_eq!(found, [(placed, 1), (placed, 2), (placed, 10), (CANONICAL_SUBJECT, 1)]);
        assert_eq!(schemas[0].text, r#"{"type":"record","name":"Placed","namespace":"shop","fields":[]}"#);
        assert_eq!(schemas[3].text, avro::canonical_schema_compact(), "produce registers the same text");
    }

    #[test]
    fn an_empty_folder_is_a_usage_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = collect(&Apply { directory: Some(folder.path().to_owned()) }).expect_err("nothing there");
        assert!(error.is::<outcome::UsageError>());
    }
}

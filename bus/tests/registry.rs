//! The registry client against the real registry of the test servers.

#![expect(clippy::unwrap_used, reason = "tests: the helpers too")]

use bus::registry::{Compatibility, Reference, Registry, RegistryError};
use shared::avro::{CANONICAL_SCHEMA, SchemaReference, WriterSchema, canonical_schema_compact};
use test_support::{registry_settings, unique};

fn registry() -> Registry {
    Registry::new(&registry_settings()).unwrap()
}

#[tokio::test]
async fn a_registered_schema_is_found_by_its_id_and_registering_again_gives_the_same() {
    let subject = format!("{}-value", unique("canonical"));
    let id = registry().register(&subject, &canonical_schema_compact(), &[]).await.unwrap();
    assert_eq!(registry().register(&subject, &canonical_schema_compact(), &[]).await.unwrap(), id);
    let fetched = registry().fetch(SchemaReference::Id(id)).await.unwrap();
    let found: serde_json::Value = serde_json::from_str(&fetched.text).unwrap();
    let canonical: serde_json::Value = serde_json::from_str(CANONICAL_SCHEMA).unwrap();
    assert_eq!(found, canonical);
    assert!(fetched.references.is_empty());
    WriterSchema::parse(&fetched.text, &fetched.references).unwrap();
}

#[tokio::test]
async fn an_id_that_the_registry_does_not_know_is_unknown() {
    let error = registry().fetch(SchemaReference::Id(2_000_000_000)).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unknown(_)), "{error}");
    let guid = SchemaReference::Guid("0190f3a0-0000-7000-8000-000000000001".parse().unwrap());
    let error = registry().fetch(guid).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unknown(_)), "{error}");
}

#[tokio::test]
async fn references_are_registered_and_fetched_with_their_schema() {
    let name = unique("ref").replace('-', "_");
    let record = |name: &str, kind: &str| {
        format!(
            r#"{{"type":"record","name":"{name}","namespace":"t","fields":[{{"name":"x","type":"{kind}"}}]}}"#
        )
    };
    let (base, middle) = (format!("base_{name}"), format!("middle_{name}"));
    let base = Reference {
        name: format!("t.{base}"),
        subject: format!("{base}-value"),
        text: record(&base, "int"),
        references: vec![],
    };
    let middle = Reference {
        name: format!("t.{middle}"),
        subject: format!("{middle}-value"),
        text: record(&middle, &base.name),
        references: vec![base.clone()],
    };
    let text = record(&format!("top_{name}"), &middle.name);
    let id = registry()
        .register(&format!("top_{name}-value"), &text, std::slice::from_ref(&middle))
        .await
        .unwrap();
    let fetched = registry().fetch(SchemaReference::Id(id)).await.unwrap();
    let same = |left: &str, right: &str| {
        let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(parse(left), parse(right));
    };
    same(&fetched.text, &text);
    assert_eq!(fetched.references.len(), 2);
    same(&fetched.references[0], &base.text);
    same(&fetched.references[1], &middle.text);
}

#[tokio::test]
async fn a_subject_under_full_transitive_refuses_what_earlier_readers_could_not_read() {
    let subject = format!("{}-value", unique("compatible"));
    let record =
        |fields: &str| format!(r#"{{"type":"record","name":"R","namespace":"t","fields":[{fields}]}}"#);
    let first = record(r#"{"name":"a","type":"int"}"#);
    registry().register(&subject, &first, &[]).await.unwrap();
    registry().set_compatibility(&subject, Compatibility::FullTransitive).await.unwrap();
    let other = record(r#"{"name":"b","type":"string"}"#);
    let error = registry().register(&subject, &other, &[]).await.unwrap_err();
    assert!(matches!(error, RegistryError::Refused(_)), "{error}");
    let wider = record(r#"{"name":"a","type":"int"},{"name":"c","type":"int","default":0}"#);
    registry().register(&subject, &wider, &[]).await.unwrap();
}

#[tokio::test]
async fn a_registered_schema_is_looked_up_by_its_text_without_registering_it() {
    let subject = format!("{}-value", unique("lookup"));
    let text = canonical_schema_compact();
    let unknown = registry().id_of(&subject, &text).await.unwrap_err();
    assert!(matches!(unknown, RegistryError::Unknown(_)), "{unknown}");
    let id = registry().register(&subject, &text, &[]).await.unwrap();
    assert_eq!(registry().id_of(&subject, &text).await.unwrap(), id);
    let other = r#"{"type":"record","name":"Other","fields":[]}"#;
    let error = registry().id_of(&subject, other).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unknown(_)), "{error}");
}

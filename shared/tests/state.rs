//! State, blame and diff (semantics.md 10): the vectors, the golden file, and folds that share no code with ours.

use std::collections::BTreeMap;
use std::path::PathBuf;

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use shared::filter::Pattern;
use shared::state::{AggregateName, Diff, Fold, FoldError, FoldedEvent, MAX_EVENTS, MAX_STATE_BYTES};
use shared::timestamp::Timestamp;
use uuid::Uuid;

const NAME: AggregateName<'_> =
    AggregateName { aggregate_type: "Order", aggregate_id: "a/\"1\"", organization_id: "demo" };

fn deletions() -> Vec<Pattern> {
    ["*_DELETED", "*.Deleted"].map(Pattern::parse).to_vec()
}

fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).expect("JSON is text")
}

fn answer(fold: &Fold) -> String {
    text(|out| fold.write_json(&NAME, true, out))
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    event_id: Uuid,
    event_type: String,
    version: i32,
    timestamp: Timestamp,
    user_id: String,
    payload: String,
}

impl Given {
    fn numbered(number: u32, event_type: &str, payload: &Value) -> Self {
        Self {
            event_id: Uuid::from_u128(number.into()),
            event_type: event_type.to_owned(),
            version: i32::try_from(number).expect("few"),
            timestamp: Timestamp::from_micros(i64::from(number) * 1_000_000),
            user_id: format!("u{}", number % 3),
            payload: payload.to_string(),
        }
    }

    fn folded(&self) -> FoldedEvent<'_> {
        FoldedEvent {
            event_id: self.event_id,
            event_type: &self.event_type,
            version: self.version,
            timestamp: self.timestamp,
            user_id: &self.user_id,
            payload: &self.payload,
        }
    }
}

fn fold(events: &[Given]) -> Fold {
    let mut fold = Fold::with_removals(&deletions());
    for event in events {
        fold.apply(&event.folded()).expect("an accepted event");
    }
    fold
}

#[derive(Deserialize)]
struct Golden {
    cases: Vec<GoldenCase>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GoldenCase {
    name: String,
    events: Vec<Given>,
    state: String,
    diff_from_first: usize,
    diff: String,
}

#[test]
fn states_and_diffs_are_as_pinned() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../schemas/golden/state.json");
    let golden: Golden = serde_json::from_str(&std::fs::read_to_string(path).expect("the golden file"))
        .expect("the golden file's form");
    for case in golden.cases {
        let (from, to) = (fold(&case.events[..case.diff_from_first]), fold(&case.events));
        assert_eq!(answer(&to), case.state, "{}", case.name);
        let diff = text(|out| Diff::between(&from, &to).write_json(&NAME, out));
        assert_eq!(diff, case.diff, "{}", case.name);
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    name: String,
    events: Vec<VectorEvent>,
    expect: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VectorEvent {
    event_type: String,
    payload: Value,
}

#[test]
fn every_state_vector_agrees() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors/state.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        return eprintln!("SKIPPED: {} is not there", path.display());
    };
    let vectors: Vec<Vector> = serde_json::from_str(&text).expect("the vectors' form");
    assert!(vectors.len() >= 7, "the vectors hold their cases");
    for vector in vectors {
        let events: Vec<Given> = (1..)
            .zip(&vector.events)
            .map(|(number, event)| Given::numbered(number, &event.event_type, &event.payload))
            .collect();
        let got = parsed(&answer(&fold(&events)));
        assert_eq!(
            json!({"state": got["state"], "deleted": got["deleted"]}),
            vector.expect,
            "{}",
            vector.name
        );
    }
}

#[test]
fn what_cannot_be_folded_is_refused() {
    let mut fold = Fold::new(&[]);
    let event = Given::numbered(1, "A", &json!({"a": 1}));
    for _ in 0..MAX_EVENTS {
        fold.apply(&event.folded()).expect("within the bound");
    }
    assert_eq!(fold.apply(&event.folded()), Err(FoldError::TooManyEvents));

    let mut fold = Fold::new(&[]);
    let mut applied = 0_usize;
    let error = loop {
        let wide = Given::numbered(1, "A", &json!({ (format!("k{applied}")): "x".repeat(1 << 20) }));
        match fold.apply(&wide.folded()) {
            Ok(()) => applied += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((error, applied), (FoldError::TooLarge, (MAX_STATE_BYTES >> 20) - 1));

    // The same member again and again takes no more than one.
    let mut fold = Fold::with_removals(&[]);
    for number in 0..200_u32 {
        let value = if number % 2 == 0 { json!({"y": "x".repeat(1 << 20)}) } else { json!(null) };
        fold.apply(&Given::numbered(number, "A", &json!({ "k": value })).folded()).expect("one mebibyte");
    }
    for payload in ["[1]", "1", "", "{\"a\":1"] {
        let bad = Given { payload: payload.to_owned(), ..event.clone() };
        assert_eq!(Fold::new(&[]).apply(&bad.folded()), Err(FoldError::Malformed(event.event_id)));
    }
}

/// The fold of the test: values are serde_json's, leaves are found by walking the result.
#[derive(Default, Clone)]
struct Independent {
    state: Value,
    blame: BTreeMap<String, u32>,
    deleted: bool,
}

impl Independent {
    fn of(events: &[Given]) -> Self {
        let mut this = Self { state: json!({}), ..Self::default() };
        for (number, event) in (1..).zip(events) {
            this.deleted = event.event_type.ends_with("_DELETED") || event.event_type.ends_with(".Deleted");
            if !this.deleted {
                let change = change(&parsed(&event.payload));
                merge(&mut this.state, &change);
                this.mark(&change, "", number);
            }
        }
        this
    }

    /// Every place that a patch writes is its event's.
    fn mark(&mut self, patch: &Value, at: &str, number: u32) {
        self.blame.insert(at.to_owned(), number);
        if let Value::Object(members) = patch {
            for (key, value) in members {
                self.mark(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), number);
            }
        }
    }
}

fn change(payload: &Value) -> Value {
    for name in ["newValues", "newValue"] {
        let value = match payload.get(name) {
            Some(Value::String(text)) => serde_json::from_str(text).unwrap_or(Value::Null),
            other => other.cloned().unwrap_or(Value::Null),
        };
        if value.is_object() {
            return value;
        }
    }
    match payload.get("changes") {
        Some(Value::Object(changes)) => changes
            .iter()
            .map(|(field, change)| (field.clone(), change.get("new").unwrap_or(change).clone()))
            .collect::<Map<_, _>>()
            .into(),
        _ => payload.clone(),
    }
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(members) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let object = target.as_object_mut().expect("made one above");
    for (key, value) in members {
        if value.is_null() {
            object.remove(key);
        } else {
            merge(object.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

fn leaves(value: &Value, at: &str, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                leaves(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        leaf => drop(found.insert(at.to_owned(), leaf.clone())),
    }
}

/// A JSON Patch of add, remove and replace, applied as RFC 6902 has it.
fn patched(mut document: Value, patch: &Value) -> Value {
    for operation in patch.as_array().expect("a patch is an array") {
        let path = operation["path"].as_str().expect("a path");
        let (parent, key) = path.rsplit_once('/').expect("never the whole document");
        let key = key.replace("~1", "/").replace("~0", "~");
        let parent = document.pointer_mut(parent).expect("the parent is there");
        let parent = parent.as_object_mut().expect("arrays are replaced whole");
        match operation["op"].as_str() {
            Some("add") => assert_eq!(parent.insert(key, operation["value"].clone()), None),
            Some("replace") => assert!(parent.insert(key, operation["value"].clone()).is_some()),
            Some("remove") => assert!(parent.remove(&key).is_some()),
            other => panic!("{other:?}"),
        }
    }
    document
}

/// Values over few keys, so that events meet each other.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3_i64).prop_map(Value::from),
        "[a/~]{0,2}".prop_map(Value::from),
        proptest::collection::vec(0..2_i64, 0..2).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        proptest::collection::btree_map("[a-c/~]", inner, 0..4)
            .prop_map(|members| Value::Object(members.into_iter().collect()))
    })
}

fn object() -> impl Strategy<Value = Value> {
    proptest::collection::btree_map("[a-c/~]", value(), 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn history() -> impl Strategy<Value = Vec<Given>> {
    let payload = prop_oneof![
        4 => object(),
        1 => object().prop_map(|change| json!({ "newValues": change, "oldValues": null })),
        1 => object().prop_map(|change| json!({ "newValue": change.to_string() })),
        1 => object().prop_map(|change| json!({ "changes": change })),
        1 => object().prop_map(|new| json!({ "changes": { "a": { "old": 1, "new": new }, "b": { "old": 2 } } })),
    ];
    let kind = prop_oneof![8 => Just("A"), 1 => Just("X_DELETED"), 1 => Just("User.Deleted")];
    proptest::collection::vec((kind, payload), 0..12).prop_map(|events| {
        (1..).zip(events).map(|(number, (kind, payload))| Given::numbered(number, kind, &payload)).collect()
    })
}

proptest! {
    #[test]
    fn states_blame_and_diffs_agree_with_an_independent_fold(events in history(), cut in any::<prop::sample::Index>()) {
        let cut = cut.index(events.len() + 1);
        let (from, to) = (fold(&events[..cut]), fold(&events));
        let (before, after) = (Independent::of(&events[..cut]), Independent::of(&events));

        let got = parsed(&answer(&to));
        prop_assert_eq!(&got["state"], &after.state);
        prop_assert_eq!(&got["deleted"], &Value::from(after.deleted));
        prop_assert_eq!(&got["eventCount"], &Value::from(events.len()));

        // Each leaf is blamed, on the last event that wrote it; an empty object on one that wrote it or below it.
        let mut places = BTreeMap::new();
        leaves(&after.state, "", &mut places);
        places.remove("");
        let blame = got["blame"].as_object().expect("blame");
        prop_assert_eq!(blame.keys().collect::<Vec<_>>(), places.keys().collect::<Vec<_>>());
        for (place, value) in &places {
            let writer = after.blame[place];
            let blamed = blame[place]["version"].as_u64().expect("a version");
            let expected = events[usize::try_from(blamed).expect("few") - 1].event_id;
            prop_assert_eq!(&blame[place]["eventId"], &Value::from(expected.to_string()));
            if value.is_object() {
                prop_assert!(blamed <= u64::from(writer), "{} {}", place, blamed);
            } else {
                prop_assert_eq!(blamed, u64::from(writer), "{}", place);
            }
        }

        let diff = parsed(&text(|out| Diff::between(&from, &to).write_json(&NAME, out)));
        prop_assert_eq!(patched(before.state.clone(), &diff["patch"]), after.state.clone());
        prop_assert_eq!(diff["patch"] == json!([]), before.state == after.state);
        for change in diff["changes"].as_array().expect("changes") {
            let path = change["path"].as_str().expect("a path");
            let at = |state: &Value| state.pointer(path).cloned().unwrap_or(Value::Null);
            prop_assert_eq!(&change["old"], &at(&before.state));
            prop_assert_eq!(&change["new"], &at(&after.state));
            prop_assert_ne!(&change["old"], &change["new"]);
            // Whoever is named has done it after the older state.
            let id: Uuid = change["eventId"].as_str().expect("an event").parse().expect("an id");
            prop_assert!(events[cut..].iter().any(|event| event.event_id == id), "{}", path);
            if let Some(blamed) = blame.get(path).filter(|_| places.get(path).is_some_and(|leaf| !leaf.is_object())) {
                prop_assert_eq!(&blamed["eventId"], &change["eventId"]);
            }
        }
    }
}

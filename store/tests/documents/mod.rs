//! Random documents, written in random ways, and a containment of our own to compare with.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// A JSON value, or a protected one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Document {
    Null,
    Bool(bool),
    /// In tenths, so that it can be written in several ways.
    Number(i32),
    Text(String),
    Array(Vec<Document>),
    Object(Vec<(String, Document)>),
    Protected,
}

impl Document {
    /// As the rules say it, member by member; nothing contains what is protected, and it contains nothing.
    pub(crate) fn contains(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (Self::Object(own), Self::Object(wanted)) => wanted
                .iter()
                .all(|(key, value)| own.iter().any(|(name, own)| name == key && own.contains(value))),
            (Self::Array(own), Self::Array(wanted)) => {
                wanted.iter().all(|value| own.iter().any(|own| own.contains(value)))
            }
            (Self::Object(_) | Self::Array(_) | Self::Protected, _)
            | (_, Self::Object(_) | Self::Array(_) | Self::Protected) => false,
            (own, wanted) => own == wanted,
        }
    }

    /// As JSON; `ways` chooses among the ways to write a thing.
    fn write(&self, out: &mut String, ways: &mut impl Iterator<Item = u8>) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(&value.to_string()),
            Self::Number(tenths) => match ways.next() {
                Some(0) => write!(out, "{tenths}e-1"),
                Some(1) if tenths % 10 == 0 => write!(out, "{}", tenths / 10),
                Some(2) => write!(out, "{:.3}", f64::from(*tenths) / 10.0),
                _ => write!(out, "{:.1}", f64::from(*tenths) / 10.0),
            }
            .expect("a String takes all"),
            Self::Text(text) => write_text(text, out, ways),
            Self::Array(values) => {
                out.push('[');
                for (nth, value) in values.iter().enumerate() {
                    out.push_str(if nth > 0 { "," } else { "" });
                    value.write(out, ways);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (nth, (key, value)) in members.iter().enumerate() {
                    out.push_str(if nth > 0 { "," } else { "" });
                    write_text(key, out, ways);
                    out.push(':');
                    value.write(out, ways);
                }
                out.push('}');
            }
            Self::Protected => out.push_str(r#"{"$protected":"v1","key":"a","value":"b"}"#),
        }
    }

    /// A question that this document answers: some of its members and elements, in another order.
    fn part(&self, chance: &mut impl Iterator<Item = u8>) -> Option<Self> {
        let kept = |chance: &mut dyn Iterator<Item = u8>| chance.next().unwrap_or(0).is_multiple_of(2);
        match self {
            Self::Object(members) => {
                let members = members.iter().filter(|_| kept(chance)).cloned().collect::<Vec<_>>();
                let part = |(key, value): (String, Self)| Some((key, value.part(chance)?));
                Some(Self::Object(members.into_iter().rev().filter_map(part).collect()))
            }
            Self::Array(values) => {
                let values = values.iter().filter(|_| kept(chance)).cloned().collect::<Vec<_>>();
                Some(Self::Array(values.into_iter().rev().filter_map(|value| value.part(chance)).collect()))
            }
            Self::Protected => None,
            scalar => Some(scalar.clone()),
        }
    }
}

/// With escapes where a way says so; what has to be escaped always is.
fn write_text(text: &str, out: &mut String, ways: &mut impl Iterator<Item = u8>) {
    out.push('"');
    for character in text.chars() {
        match (character, ways.next()) {
            ('"' | '\\', _) => out.extend(['\\', character]),
            ('/', Some(1)) => out.push_str("\\/"),
            (character, Some(0)) => {
                write!(out, "\\u{:04x}", u32::from(character)).expect("a String takes all");
            }
            (character, _) => out.push(character),
        }
    }
    out.push('"');
}

fn texts() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "a", "b", "key", "é", "a/b", "\"", "\\", "a, b", "{}", "value", "1"])
        .prop_map(ToOwned::to_owned)
}

fn values() -> impl Strategy<Value = Document> {
    let scalar = prop_oneof![
        Just(Document::Null),
        any::<bool>().prop_map(Document::Bool),
        (-20..20).prop_map(|number: i32| Document::Number(number * 5)),
        texts().prop_map(Document::Text),
        texts().prop_map(Document::Text),
        Just(Document::Protected),
    ];
    scalar.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![prop::collection::vec(inner.clone(), 0..4).prop_map(Document::Array), objects(inner)]
    })
}

fn objects(of: impl Strategy<Value = Document>) -> impl Strategy<Value = Document> {
    prop::collection::btree_map(texts(), of, 0..5)
        .prop_map(|members| Document::Object(members.into_iter().collect()))
}

/// How things are written: mostly plainly.
fn ways() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(Vec::new()), prop::collection::vec(0..12u8, 0..60)]
}

fn drawn<T: std::fmt::Debug>(
    strategy: &impl Strategy<Value = T>,
    count: usize,
    runner: &mut TestRunner,
) -> Vec<T> {
    (0..count).map(|_| strategy.new_tree(runner).expect("nothing is rejected").current()).collect()
}

fn written(document: &Document, ways: Vec<u8>) -> String {
    let mut text = String::new();
    document.write(&mut text, &mut ways.into_iter());
    text
}

/// Payloads, the same at every run.
pub(crate) fn documents(count: usize) -> Vec<(String, Document)> {
    let mut runner = TestRunner::deterministic();
    drawn(&(objects(values()), ways()), count, &mut runner)
        .into_iter()
        .map(|(document, ways)| (written(&document, ways), document))
        .collect()
}

/// Questions about payloads: parts of some of them, and other objects.
pub(crate) fn questions(payloads: &[Document], count: usize) -> Vec<(String, Document)> {
    let mut runner = TestRunner::deterministic();
    let chances = prop::collection::vec(any::<u8>(), 0..40);
    let unprotected = objects(values()).prop_filter("no part of a question is protected", |object| {
        !written(object, Vec::new()).contains("$protected")
    });
    let drawn = drawn(&(chances, 0..payloads.len(), unprotected, ways()), count, &mut runner);
    drawn
        .into_iter()
        .enumerate()
        .map(|(nth, (chances, about, other, ways))| {
            let part = payloads[about].part(&mut chances.into_iter()).expect("an object");
            let question = if nth % 5 == 0 { other } else { part };
            (written(&question, ways), question)
        })
        .collect()
}

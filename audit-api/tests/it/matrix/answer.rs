//! An answer with everything that it shows, and what of it must not be shown.

use std::time::Duration;

use reqwest::Response;
use serde_json::Value;

use crate::{
    look_alikes::{LETTER, Organization},
    server::soon,
};

use super::attempts::{Attempt, without_names};

/// Two of them: whatever was stored before has been sent by then.
const HEARTBEATS: usize = 2;

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: String,
    pub(super) text: String,
}

/// Reads an answer to its end; a live one until everything stored has been sent.
pub(super) async fn read(mut answer: Response, is_live: bool) -> Answer {
    let status = answer.status().as_u16();
    let headers = format!("{:?}", answer.headers());
    let mut bytes = Vec::new();
    while let Some(chunk) = soon("the rest of an answer", answer.chunk()).await.expect("a whole answer") {
        bytes.extend_from_slice(&chunk);
        let silent = String::from_utf8_lossy(&bytes).matches(": heartbeat").count() >= HEARTBEATS;
        if is_live && silent {
            break;
        }
    }
    let is_container = headers.contains("application/vnd.apache.avro");
    let text = if is_container { container(&bytes) } else { String::from_utf8_lossy(&bytes).into_owned() };
    Answer { status, headers, text }
}

/// What a compressed container file shows.
fn container(file: &[u8]) -> String {
    let events = apache_avro::Reader::new(file).expect("a container");
    let lines: Vec<String> = events.map(|event| format!("{:?}", event.expect("readable"))).collect();
    lines.join("\n")
}

/// How long a stream of the test is silent before it says so.
pub(super) const HEARTBEAT: Duration = Duration::from_millis(200);

impl Answer {
    /// A word of another's that this shows; words that the request itself holds are the caller's own.
    pub(super) fn leak(
        &self,
        wanted: &Organization,
        attempt: &Attempt,
        knows_records: bool,
    ) -> Option<String> {
        let address = percent_encoding::percent_decode_str(&attempt.address).decode_utf8_lossy();
        let asked = format!("{address} {:?} {:?}", attempt.headers, attempt.body);
        let mut words = vec![wanted.secret.to_owned(), LETTER.to_owned(), base64(LETTER)];
        if !knows_records {
            let named_by_others = [wanted.shared_event, wanted.security_event];
            let ids = wanted.positions.keys().filter(|id| !named_by_others.contains(id));
            words.push(wanted.only.to_owned());
            words.extend(ids.map(ToString::to_string));
        }
        let shown = format!("{} {}", self.headers, self.text);
        words.into_iter().find(|word| shown.contains(word) && !asked.contains(word.as_str()))
    }

    /// Whether this shows more than the names that were asked for.
    pub(super) fn shows(&self, wanted: &Organization, attempt: &Attempt) -> bool {
        self.status < 300 && self.leak(wanted, attempt, false).is_some()
    }

    /// The body without names and without what differs from call to call.
    pub(super) fn anonymous(&self, wanted: &Organization) -> String {
        let text = without_names(&self.text, wanted);
        let Ok(mut value) = serde_json::from_str::<Value>(&text) else { return text };
        forget(&mut value);
        value.to_string()
    }
}

fn forget(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members
                .retain(|name, _| !["asOf", "generatedAt", "requestId", "instance"].contains(&name.as_str()));
            members.values_mut().for_each(forget);
        }
        Value::Array(items) => items.iter_mut().for_each(forget),
        _ => {}
    }
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD_NO_PAD.encode(text)
}

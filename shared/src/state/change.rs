//! An event's change document: what it says about the state.

use std::borrow::Cow;

use crate::json::{Opened, ProtectedMarker, compact, open, string};

/// The members of a merge patch.
pub(super) type Patch<'a> = Vec<(Cow<'a, str>, Opened<'a>)>;

/// Hands the change document of a payload to `apply`; `None` = the payload is no object that was ever accepted.
///
/// `newValues` or `newValue` when it is an object, or a string that the door would take for a payload; else `changes`
/// when it is an object, of each entry its `new` where it has one; else the payload itself. A payload that is protected as
/// a whole says nothing that anybody could read, and changes nothing.
pub(super) fn with_change<T>(payload: &str, apply: impl FnOnce(Patch<'_>) -> T) -> Option<T> {
    let opened = match open(payload)? {
        Opened::Object(members) => Opened::Object(members),
        Opened::Text(text) if text.starts_with('{') => return Some(apply(Vec::new())),
        Opened::Text(_) => return None,
    };
    for name in ["newValues", "newValue"] {
        match opened.member(name) {
            Some(Opened::Object(members)) => return Some(apply(members.clone())),
            Some(Opened::Text(text)) => {
                let inner = string(text).and_then(|inner| {
                    // A protected value in here would be one that nobody has protected: the door's rule holds.
                    compact(inner.into_owned(), ProtectedMarker::Refused).ok()
                });
                if let Some(Opened::Object(members)) = inner.as_deref().and_then(open) {
                    return Some(apply(members));
                }
            }
            None => {}
        }
    }
    if let Some(Opened::Object(changes)) = opened.member("changes") {
        return Some(apply(changes.iter().map(|(field, change)| (field.clone(), new_of(change))).collect()));
    }
    match opened {
        Opened::Object(members) => Some(apply(members)),
        Opened::Text(_) => None,
    }
}

fn new_of<'a>(change: &Opened<'a>) -> Opened<'a> {
    change.member("new").unwrap_or(change).clone()
}

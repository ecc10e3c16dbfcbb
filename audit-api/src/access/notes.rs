//! What only the inside of a request knows about it: who asks, and what a body asks for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{extract::FromRequestParts, http::request::Parts};
use serde_json::Value;
use shared::access::{Accessor, AccessorKind, AskedParameter, MOST_PARAMETERS, storable};

use crate::{auth::Caller, respond::Problem};

/// Notes for the record of a request; each clone is the same notes.
#[derive(Debug, Clone, Default)]
pub struct Notes(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    accessor: Option<Accessor>,
    organization: String,
    parameters: Vec<AskedParameter>,
}

impl Notes {
    /// Who asks: a token's holder.
    pub fn caller(&self, caller: &Caller) {
        let mut noted = self.lock();
        caller.accesses_belong_to().clone_into(&mut noted.organization);
        noted.accessor = Some(Accessor {
            kind: AccessorKind::Token,
            id: caller.subject.clone(),
            organization_id: caller.organization.clone(),
            roles: caller.roles.names().into_iter().map(str::to_owned).collect(),
        });
    }

    /// Who asks: whoever has this signed link, which has been checked.
    pub fn link(&self, id: &str) {
        self.lock().accessor = Some(Accessor {
            kind: AccessorKind::Link,
            id: id.to_owned(),
            organization_id: None,
            roles: Vec::new(),
        });
    }

    /// Something more that was asked for, or given.
    pub fn parameter(&self, name: &str, value: &str) {
        let mut noted = self.lock();
        if noted.parameters.len() < MOST_PARAMETERS {
            noted.parameters.push(AskedParameter { name: storable(name), value: Some(storable(value)) });
        }
    }

    /// What a JSON body asks for: each of its members, at whatever depth, under its own name. For bodies that filter; those
    /// that bring events are no questions.
    pub fn body(&self, body: &[u8]) {
        if let Ok(body) = serde_json::from_slice(body) {
            self.members("", &body);
        }
    }

    fn members(&self, name: &str, value: &Value) {
        match value {
            Value::Object(members) => members.iter().for_each(|(name, value)| self.members(name, value)),
            Value::Array(items) => items.iter().for_each(|item| self.members(name, item)),
            Value::Null => {}
            Value::String(text) => self.parameter(name, text),
            other => self.parameter(name, &other.to_string()),
        }
    }

    /// Who asks, as far as that is known.
    pub(super) fn accessor(&self) -> Option<Accessor> {
        self.lock().accessor.clone()
    }

    /// Whose data is asked for; `""` = nobody's in particular.
    pub(super) fn organization(&self) -> String {
        self.lock().organization.clone()
    }

    pub(super) fn parameters(&self) -> Vec<AskedParameter> {
        self.lock().parameters.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Notes {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            tracing::error!("a route that gives data is outside the recording of accesses");
            Problem::internal()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bodys_members_are_noted_by_their_own_names() {
        let notes = Notes::default();
        notes.body(
            br#"{"format":"csv","filters":{"userId":"a\u0000b","eventType":["A","B"]},"limit":7,"to":null}"#,
        );
        let noted: Vec<(String, String)> = notes
            .parameters()
            .into_iter()
            .map(|parameter| (parameter.name, parameter.value.expect("a value")))
            .collect();
        let expected = [
            ("eventType", "A"),
            ("eventType", "B"),
            ("userId", "a\u{fffd}b"),
            ("format", "csv"),
            ("limit", "7"),
        ];
        assert_eq!(noted.len(), expected.len());
        for (name, value) in expected {
            assert!(noted.contains(&(name.to_owned(), value.to_owned())), "{noted:?}");
        }
        notes.body(b"no JSON");
        assert_eq!(notes.parameters().len(), expected.len());
    }
}

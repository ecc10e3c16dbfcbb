//! Which fields changed, each with its old and its new value (requirement E33, semantics.md 10).

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// The fields that differ between two values, as `{"field": {"old": …, "new": …}}`.
///
/// Only what changed is in it. Where both values of a field are objects, its `old` and `new` are objects too and hold
/// only the keys that differ, at any depth. A key that one side does not have is `null` there; that and an explicit
/// `null` count as the same. Lists are compared and kept whole. So the `new` values alone are a JSON merge patch
/// (RFC 7396) that leads from the old value to the new one, which is how the store folds an aggregate's state.
///
/// ```
/// use audit_trail_client::Changes;
/// use serde_json::json;
///
/// let before = json!({"price": 15000, "color": "red", "owner": {"name": "Ana", "city": "Moca"}});
/// let after = json!({"price": 14500, "color": "red", "owner": {"name": "Ana"}});
/// let changes = Changes::between(&before, &after)?;
/// assert_eq!(
///     serde_json::to_value(&changes)?,
///     json!({
///         "owner": {"old": {"city": "Moca"}, "new": {"city": null}},
///         "price": {"old": 15000, "new": 14500},
///     })
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    fields: Map<String, Value>,
}

/// The two values cannot be compared field by field.
#[derive(Debug, thiserror::Error)]
pub enum ChangesError {
    /// A value has no JSON.
    #[error("the {which} value cannot be serialised: {cause}")]
    Serialise {
        /// `old` or `new`.
        which: &'static str,
        /// Why.
        cause: serde_json::Error,
    },
    /// A value has no fields.
    #[error("the {which} value is no JSON object: only structs and maps have fields to compare")]
    NotAnObject {
        /// `old` or `new`.
        which: &'static str,
    },
}

impl Changes {
    /// Compares two values that serialise to JSON objects.
    pub fn between(old: &impl Serialize, new: &impl Serialize) -> Result<Self, ChangesError> {
        let (old, new) = (object("old", old)?, object("new", new)?);
        let fields = differing(&old, &new)
            .map(|(key, old, new)| (key.to_owned(), Value::Object(Self::pair(old, new))))
            .collect();
        Ok(Self { fields })
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The names of the fields that changed.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    fn pair(old: Value, new: Value) -> Map<String, Value> {
        Map::from_iter([("old".to_owned(), old), ("new".to_owned(), new)])
    }
}

impl Serialize for Changes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.fields.serialize(serializer)
    }
}

fn object(which: &'static str, value: &impl Serialize) -> Result<Map<String, Value>, ChangesError> {
    match serde_json::to_value(value) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(ChangesError::NotAnObject { which }),
        Err(cause) => Err(ChangesError::Serialise { which, cause }),
    }
}

/// The keys whose values differ, with what differs of them.
fn differing<'a>(
    old: &'a Map<String, Value>,
    new: &'a Map<String, Value>,
) -> impl Iterator<Item = (&'a str, Value, Value)> {
    let added = new.keys().filter(|key| !old.contains_key(*key));
    old.keys().chain(added).filter_map(move |key| {
        let side = |object: &'a Map<String, Value>| object.get(key).unwrap_or(&Value::Null);
        let (old, new) = trimmed(side(old), side(new))?;
        Some((key.as_str(), old, new))
    })
}

/// What differs of two values; `None` = nothing.
fn trimmed(old: &Value, new: &Value) -> Option<(Value, Value)> {
    let (Value::Object(before), Value::Object(after)) = (old, new) else {
        return (old != new).then(|| (old.clone(), new.clone()));
    };
    let (mut old, mut new) = (Map::new(), Map::new());
    for (key, before, after) in differing(before, after) {
        old.insert(key.to_owned(), before);
        new.insert(key.to_owned(), after);
    }
    (!old.is_empty()).then_some((Value::Object(old), Value::Object(new)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn changes(old: &Value, new: &Value) -> Value {
        serde_json::to_value(Changes::between(old, new).expect("objects")).expect("JSON")
    }

    #[test]
    fn unchanged_fields_are_left_out() {
        assert_eq!(
            changes(&json!({"a": 1, "b": [1, {"c": 2}]}), &json!({"b": [1, {"c": 2}], "a": 1})),
            json!({})
        );
        assert_eq!(
            changes(&json!({"a": 1, "b": 2}), &json!({"a": 1, "b": 3})),
            json!({"b": {"old": 2, "new": 3}})
        );
    }

    #[test]
    fn absent_and_null_are_the_same() {
        assert_eq!(changes(&json!({"a": null}), &json!({})), json!({}));
        assert_eq!(changes(&json!({}), &json!({"a": 1})), json!({"a": {"old": null, "new": 1}}));
        assert_eq!(changes(&json!({"a": 1}), &json!({})), json!({"a": {"old": 1, "new": null}}));
    }

    #[test]
    fn lists_are_kept_whole_and_objects_are_not() {
        assert_eq!(
            changes(&json!({"a": [1, 2]}), &json!({"a": [1]})),
            json!({"a": {"old": [1, 2], "new": [1]}})
        );
        assert_eq!(
            changes(
                &json!({"a": {"b": {"c": 1, "d": 2}, "e": 3}}),
                &json!({"a": {"b": {"c": 1, "d": 4}, "e": 3}})
            ),
            json!({"a": {"old": {"b": {"d": 2}}, "new": {"b": {"d": 4}}}})
        );
        assert_eq!(
            changes(&json!({"a": {"b": 1}}), &json!({"a": 5})),
            json!({"a": {"old": {"b": 1}, "new": 5}})
        );
    }

    #[test]
    fn what_has_no_fields_is_refused() {
        let error = Changes::between(&json!([1]), &json!({})).expect_err("a list");
        assert!(error.to_string().starts_with("the old value is no JSON object"), "{error}");
    }

    /// RFC 7396, as the store will apply the new values.
    fn merge(target: Value, patch: &Value) -> Value {
        let Value::Object(patch) = patch else { return patch.clone() };
        let mut target = if let Value::Object(target) = target { target } else { Map::new() };
        for (key, value) in patch {
            let before = target.remove(key).unwrap_or(Value::Null);
            if !value.is_null() {
                target.insert(key.clone(), merge(before, value));
            }
        }
        Value::Object(target)
    }

    /// Without the nulls that a merge patch cannot make: of objects, not of lists.
    fn without_nulls(value: &Value) -> Value {
        match value {
            Value::Object(object) => {
                let kept = object.iter().filter(|(_, value)| !value.is_null());
                Value::Object(kept.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
            }
            other => other.clone(),
        }
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..3_i32).prop_map(Value::from),
            "[ab]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                json_object(inner).prop_map(Value::Object),
            ]
        })
    }

    fn json_object(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
        prop::collection::btree_map("[abc]", inner, 0..4).prop_map(|map| map.into_iter().collect())
    }

    proptest! {
        #[test]
        fn the_new_values_lead_from_old_to_new_and_the_old_ones_back(
            old in json_object(json_value()), new in json_object(json_value())
        ) {
            let changes = Changes::between(&old, &new).expect("objects");
            let side = |side: &str| {
                let values = changes.fields.iter().map(|(key, pair)| (key.clone(), pair[side].clone()));
                Value::Object(values.collect())
            };
            let (old, new) = (without_nulls(&Value::Object(old)), without_nulls(&Value::Object(new)));
            prop_assert_eq!(&merge(old.clone(), &side("new")), &new);
            prop_assert_eq!(merge(new, &side("old")), old);
        }
    }
}

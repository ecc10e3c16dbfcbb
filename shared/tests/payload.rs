//! The payload scan: what it refuses, what it keeps, and that it reads JSON as serde_json does.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::Value;
use shared::json::{ProtectedMarker, compact};
use shared::refusal::Reason;

fn scanned(text: &str) -> Result<String, String> {
    compact(text.to_owned(), ProtectedMarker::Refused).map_err(|refusal| {
        assert_eq!(refusal.reason, Reason::PayloadInvalid);
        refusal.pointer
    })
}

#[test]
fn compact_text_comes_back_in_its_own_memory() {
    let text = String::from(r#"{"a":[1,{"b":"c d"}]}"#);
    let place = text.as_ptr();
    let same = compact(text, ProtectedMarker::Refused).expect("a good payload");
    assert_eq!(same.as_ptr(), place);
}

#[test]
fn only_whitespace_between_tokens_goes() {
    assert_eq!(
        scanned(" { \"a b\" : [ 1 , \"x  y\" , { } ] } \r\n"),
        Ok(r#"{"a b":[1,"x  y",{}]}"#.to_owned())
    );
    assert_eq!(scanned("\t{}"), Ok("{}".to_owned()));
    assert_eq!(scanned("{ }\n"), Ok("{}".to_owned()));
}

#[test]
fn syntax_errors_name_the_whole_payload() {
    let broken = [
        "",
        " ",
        "{",
        "}",
        "[]",
        "null",
        "\"a\"",
        "1",
        "{}{}",
        "{} ,",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\" 1}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":1,}",
        "{,\"a\":1}",
        "{\"a\":[1,]}",
        "{\"a\":[,1]}",
        "{\"a\":[1 2]}",
        "{\"a\":[1}",
        "{\"a\":{]}",
        "{\"a\":tru}",
        "{\"a\":True}",
        "{\"a\":nul",
        "{\"a\":+1}",
        "{\"a\":.5}",
        "{\"a\":1.}",
        "{\"a\":1.e5}",
        "{\"a\":1e}",
        "{\"a\":1e+}",
        "{\"a\":-}",
        "{\"a\":00}",
        "{\"a\":-01}",
        "{\"a\":0x1}",
        "{\"a\":Infinity}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":\"\\u+123\"}",
        "{\"a\":\"b",
        "{\"a\":\"b\\",
        "{\"a\":\"\t\"}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\\ud83d",
        "{\"a\":\"\u{0}\"}",
        "{\"a\":1}\u{0}",
        "\u{feff}{}",
        "{\u{a0}}",
        "{\"a\":1/**/}",
        "{\"a\":\"\\\"}",
    ];
    for text in broken {
        assert_eq!(scanned(text), Err(String::new()), "{text:?}");
    }
}

#[test]
fn placed_faults_carry_their_pointer() {
    let cases = [
        (r#"{"a":{"b":1,"\u0062":2}}"#, "/a/b"),
        (r#"{"a":[{"":1,"":2}]}"#, "/a/0/"),
        (r#"{"~":{"/":{"$protected":1}}}"#, "/~0/~1/$protected"),
        (r#"{"a":["x","\u0000"]}"#, "/a/1"),
        (r#"{"a":{"\u0000":1}}"#, "/a"),
        (r#"{"a":"\udBFF\u0041"}"#, "/a"),
        (r#"{"a":"\ud800\ud800\udc00"}"#, "/a"),
        (r#"{"a":"\ud800\n"}"#, "/a"),
        (r#"{"a":1e1001}"#, "/a"),
        (r#"{"a":[0,1E+0001001]}"#, "/a/1"),
        (r#"{"a":1e99999999999999999999}"#, "/a"),
        ("{\"caf\\u00e9\":[1,[2,\"\\udc00\"]]}", "/café/1/1"),
    ];
    for (text, pointer) in cases {
        assert_eq!(scanned(text), Err(pointer.to_owned()), "{text}");
    }
}

#[test]
fn limits_are_met_exactly() {
    let nested = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    assert!(scanned(&nested(64)).is_ok());
    assert_eq!(scanned(&nested(65)), Err("/a".repeat(64)));
    let digits = |count: usize| format!("{{\"a\":-0.{}}}", "5".repeat(count - 1));
    assert!(scanned(&digits(1000)).is_ok());
    assert_eq!(scanned(&digits(1001)), Err("/a".to_owned()));
    assert!(scanned(r#"{"a":[1e1000,1e-1000,1E+01000,0e0]}"#).is_ok());
}

#[test]
fn a_replay_may_hold_protected_values() {
    let text = r#"{"email":{"$protected":"v1","key":"k","value":"AA=="}}"#;
    assert_eq!(compact(text.to_owned(), ProtectedMarker::Allowed).as_deref(), Ok(text));
    assert_eq!(scanned(text), Err("/email/$protected".to_owned()));
}

#[test]
fn a_pointer_too_long_names_an_ancestor() {
    let key = "k".repeat(5000);
    let text = format!("{{\"a\":{{\"{key}\":1,\"{key}\":2}}}}");
    assert_eq!(scanned(&text), Err("/a".to_owned()));
}

#[test]
fn objects_of_many_keys_stay_linear() {
    let object = |keys: usize| {
        let members: Vec<String> = (0..keys).map(|key| format!("\"key{key:06}\":0")).collect();
        format!("{{{}}}", members.join(","))
    };
    let began = Instant::now();
    assert!(scanned(&object(100_000)).is_ok());
    // Comparing each with each would be five thousand million comparisons: a minute and more.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    for keys in [15, 16, 17, 18, 40] {
        for repeated in [0, keys / 2, keys - 1] {
            let text = object(keys);
            let again = format!("{},\"key{repeated:06}\":1}}", &text[..text.len() - 1]);
            assert_eq!(scanned(&again), Err(format!("/key{repeated:06}")), "{keys} {repeated}");
        }
    }
}

/// JSON text with whitespace and escapes strewn in, and the value it stands for.
fn spaced(value: &Value, spaces: &mut impl Iterator<Item = &'static str>, out: &mut String) {
    let mut space = |out: &mut String| out.push_str(spaces.next().unwrap_or(""));
    space(out);
    match value {
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                spaced(item, spaces, out);
            }
            out.push_str(spaces.next().unwrap_or(""));
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (index, (key, value)) in members.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                spaced(&Value::String(key.clone()), spaces, out);
                out.push(':');
                spaced(value, spaces, out);
            }
            out.push_str(spaces.next().unwrap_or(""));
            out.push('}');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
    out.push_str(spaces.next().unwrap_or(""));
}

fn values() -> impl Strategy<Value = Value> {
    let text = "[^\u{0}]{0,12}";
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e300..1e300).prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    scalar.prop_recursive(6, 64, 24, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(text, inner, 0..24)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn it_reads_as_serde_json_reads_and_is_idempotent(
        members in prop::collection::btree_map("[^\u{0}$]{0,8}", values(), 0..20),
        spaces in prop::collection::vec(prop::sample::select(vec!["", "", " ", "\n", "\t\r", "  "]), 200),
    ) {
        let value = Value::Object(members.into_iter().collect());
        let mut text = String::new();
        spaced(&value, &mut spaces.into_iter(), &mut text);
        let once = compact(text.clone(), ProtectedMarker::Allowed).expect("good JSON");
        prop_assert_eq!(serde_json::from_str::<Value>(&once).expect("JSON"), serde_json::from_str::<Value>(&text).expect("JSON"));
        prop_assert_eq!(&once, &value.to_string());
        let twice = compact(once.clone(), ProtectedMarker::Allowed);
        prop_assert_eq!(twice, Ok(once));
    }

    #[test]
    fn any_text_is_taken_only_when_serde_json_takes_it(text in "[\\[\\]{}:,\"\\\\ \n0-9eE.+\\-a-fu$ntrlsé\u{1F980}]{0,40}") {
        let text = format!("{{\"a\":{text}}}");
        if let Ok(compacted) = compact(text.clone(), ProtectedMarker::Refused) {
            let value: Value = serde_json::from_str(&text).expect("what is taken is JSON");
            prop_assert_eq!(serde_json::from_str::<Value>(&compacted).expect("JSON"), value);
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        let _ = compact(text, ProtectedMarker::Refused);
    }
}

//! The small values: times, positions, cursors, patterns, retention, problems, roots.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use serde_json::json;
use sha2::{Digest, Sha256};
use shared::cursor::{self, CursorError};
use shared::filter::{EventFilter, Order, PageKey, Pattern, Sort};
use shared::leaf::{RootBuilder, leaf_hash};
use shared::position::Position;
use shared::problem::{Problem, ProblemError, ProblemType};
use shared::retention::{InvalidRetention, Keep, RetentionRules};
use shared::timestamp::Timestamp;

fn micros(text: &str) -> Option<i64> {
    Timestamp::parse(text).ok().map(Timestamp::as_micros)
}

#[test]
fn times_of_any_offset_are_read() {
    let noon = 1_763_640_000_000_000;
    for text in [
        "2025-11-20T12:00:00Z",
        "2025-11-20t12:00:00z",
        "2025-11-20 12:00:00Z",
        "2025-11-20T12:00:00.000000000Z",
        "2025-11-20T12:00:00+00:00",
        "2025-11-20T12:00:00-00:00",
        "2025-11-20T17:30:00+05:30",
        "2025-11-19T23:00:00-13:00",
        "2025-11-20T12:00:00.0000009999Z",
    ] {
        assert_eq!(micros(text), Some(noon), "{text}");
    }
    assert_eq!(micros("1969-12-31T23:59:59.9999999Z"), Some(-1));
    assert_eq!(micros("2024-02-29T00:00:00.5Z"), Some(1_709_164_800_500_000));
    assert_eq!(micros("2016-12-31T23:59:60Z"), micros("2017-01-01T00:00:00Z"), "a leap second");
    assert_eq!(
        micros("2017-01-01T05:29:60+05:30"),
        micros("2017-01-01T00:00:00Z"),
        "a leap second elsewhere"
    );
    assert_eq!(micros("0001-01-01T00:00:00Z"), Some(Timestamp::MIN.as_micros()));
    assert_eq!(micros("9999-12-31T23:59:59.999999Z"), Some(Timestamp::MAX.as_micros()));
    assert!(micros("0000-01-01T00:00:00Z").is_some_and(|year_zero| year_zero < Timestamp::MIN.as_micros()));
}

#[test]
fn what_is_no_time_is_refused() {
    for text in [
        "",
        "now",
        "2025-11-20",
        "2025-11-20T12:00:00",
        "2025-11-20T12:00Z",
        "2025-11-20T12:00:00.Z",
        "2025-11-20T24:00:00Z",
        "2025-11-20T12:60:00Z",
        "2025-11-20T12:00:60Z",
        "2025-11-20T23:59:61Z",
        "2025-13-01T00:00:00Z",
        "2025-00-01T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2025-04-31T00:00:00Z",
        "2025-01-00T00:00:00Z",
        "2025-11-20T12:00:00+24:00",
        "2025-11-20T12:00:00+0100",
        "2025-11-20T12:00:00+01",
        "2025-11-20T12:00:00Z ",
        " 2025-11-20T12:00:00Z",
        "+2025-11-20T12:00:00Z",
        "20251120T120000Z",
        "9999-12-31T23:59:59-00:01",
        "0000-01-01T00:00:00+00:01",
        "2025-11-20T12:00:00,5Z",
        "1763640000",
    ] {
        assert_eq!(micros(text), None, "{text}");
    }
}

#[test]
fn times_beyond_four_digits_still_print() {
    assert_eq!(Timestamp::from_micros(i64::MAX).to_string(), "294247-01-10T04:00:54.775807Z");
    assert_eq!(Timestamp::from_micros(i64::MIN).to_string(), "-290308-12-21T19:59:05.224192Z");
}

#[test]
fn patterns_know_only_the_star() {
    let fits = |pattern: &str, value: &str| Pattern::parse(pattern).matches(value);
    assert!(fits("Order", "Order") && !fits("Order", "Orders") && !fits("Order", "order"));
    assert!(fits("Order*", "Order") && fits("Order*", "OrderPlaced") && !fits("Order*", "AnOrder"));
    assert!(fits("*", "") && fits("*", "anything"));
    assert!(fits("*.Deleted", "User.Deleted") && !fits("*.Deleted", "User.Deleted.Twice"));
    assert!(fits("a*b*c", "abc") && fits("a*b*c", "a-b-b-c") && !fits("a*b*c", "acb"));
    assert!(fits("a*a", "aa") && !fits("a*a", "a") && fits("**a**", "xax") && fits("a**b", "ab"));
    assert!(!fits("a_c*d", "abcd") && !fits("a%*d", "abcd") && fits("a.*d", "a.d") && !fits("a.*d", "abd"));
}

#[test]
fn cursors_of_another_request_or_of_no_request_are_told_apart() {
    let filter = EventFilter { user_id: vec!["u".into()], ..EventFilter::default() };
    let own = cursor::fingerprint(&filter, Sort::Time, Order::Descending);
    let key = PageKey::Time(Timestamp::from_micros(5), Position { log_id: 1, offset: 2 });
    let text = cursor::encode(&key, &own);
    assert_eq!(cursor::decode(&text, &own), Ok(key));
    let others = [
        cursor::fingerprint(&EventFilter::default(), Sort::Time, Order::Descending),
        cursor::fingerprint(&filter, Sort::Recorded, Order::Descending),
        cursor::fingerprint(&filter, Sort::Time, Order::Ascending),
        cursor::fingerprint(
            &EventFilter { source: vec!["u".into()], ..EventFilter::default() },
            Sort::Time,
            Order::Descending,
        ),
    ];
    for other in others {
        assert_eq!(cursor::decode(&text, &other), Err(CursorError::Mismatch));
    }
    for broken in ["", "x", "!!!!", "AAAA", &text[..8], &format!("{text}="), &"A".repeat(10_000)] {
        assert_eq!(cursor::decode(broken, &own), Err(CursorError::Malformed), "{broken}");
    }
}

fn rules(value: serde_json::Value) -> Result<RetentionRules, serde_json::Error> {
    serde_json::from_value(value)
}

#[test]
fn the_first_rule_that_matches_assigns_the_class() {
    let rules = rules(json!({
        "classes": {"short": {"keep": "90 days"}, "long": {"keep": "forever"}, "half": {"keep": "6 months"}},
        "rules": [
            {"event_type": "Payment*", "topic": "audit.events.payments", "class": "long"},
            {"event_type": "*.Viewed", "class": "short"},
            {"topic": "audit.events.*", "class": "half"},
        ],
    }))
    .expect("good rules");
    assert_eq!(rules.assign("PaymentCaptured", "audit.events.payments"), "long");
    assert_eq!(rules.assign("PaymentCaptured", "audit.events.orders"), "half");
    assert_eq!(rules.assign("Page.Viewed", "audit.events.payments"), "short");
    assert_eq!(rules.assign("PaymentCaptured", "audit.events"), "standard");
    let kept: Vec<_> =
        rules.classes().iter().map(|(name, class)| (name.as_str(), class.keep.interval())).collect();
    let interval = |text: &str| Some(text.to_owned());
    assert_eq!(
        kept,
        [
            ("half", interval("6 months")),
            ("long", None),
            ("short", interval("90 days")),
            ("standard", interval("7 years"))
        ]
    );
    assert_eq!(RetentionRules::default().assign("any", "thing"), "standard");
    assert_eq!(RetentionRules::default().classes()["standard"].keep, Keep::Years(7));
}

#[test]
fn contradictory_retention_is_refused() {
    let message = |value| rules(value).expect_err("refused").to_string();
    assert_eq!(
        message(json!({"rules": [{"class": "gone"}]})),
        InvalidRetention::UnknownClass { index: 0, class: "gone".into() }.to_string()
    );
    for name in ["", "Upper", "1st", "with-dash", "a\"b", &"x".repeat(25)] {
        assert_eq!(
            message(json!({"classes": {name: {"keep": "1 day"}}})),
            InvalidRetention::ClassName(name.into()).to_string()
        );
    }
    for keep in
        ["", "7", "years", "0 days", "-1 days", "10000 days", "7 weeks", "7 yearss", "for ever", "1.5 years"]
    {
        assert!(keep.parse::<Keep>().is_err(), "{keep}");
    }
    assert!(rules(json!({"classes": {"a": {"keep": "1 day", "extra": 1}}})).is_err());
    assert!(rules(json!({"unknown": 1})).is_err());
}

#[test]
fn problems_are_the_members_of_rfc_9457() {
    let mut problem = Problem::invalid_parameter("limit", "must be 1 to 1000");
    problem.instance = Some("/v1/events".into());
    problem.errors.push(ProblemError {
        parameter: None,
        pointer: Some("/0/eventId".into()),
        detail: "is missing".into(),
    });
    assert_eq!(
        serde_json::to_string(&problem).expect("JSON"),
        concat!(
            r#"{"type":"urn:audit-trail:problem:invalid-request","title":"The request is invalid","status":400,"#,
            r#""detail":"limit: must be 1 to 1000","instance":"/v1/events","errors":[{"parameter":"limit","#,
            r#""detail":"must be 1 to 1000"},{"pointer":"/0/eventId","detail":"is missing"}]}"#
        )
    );
    let bare = serde_json::to_value(Problem::new(ProblemType::NotFound, "no such event")).expect("JSON");
    assert_eq!(bare.as_object().expect("an object").len(), 4);
    let slugs: std::collections::BTreeSet<_> = ProblemType::ALL.map(ProblemType::slug).into();
    assert_eq!(slugs.len(), ProblemType::ALL.len());
    assert!(ProblemType::ALL.is_sorted_by_key(|kind| kind.status()));
}

#[test]
fn roots_agree_with_another_implementation() {
    let mut builder = RootBuilder::new();
    let mut oracle = MemoryBackedTree::<Sha256, String>::new();
    for count in 0..200_u64 {
        assert_eq!(builder.count(), count);
        let root: [u8; 32] = builder.clone().finish();
        if count == 0 {
            assert_eq!(root, <[u8; 32]>::from(Sha256::digest(b"")));
        } else {
            assert_eq!(root.as_slice(), oracle.root().as_bytes().as_slice(), "{count} leaves");
        }
        let leaf = format!("leaf {count}");
        builder.push(leaf_hash(&leaf));
        oracle.push(leaf);
    }
}

proptest! {
    #[test]
    fn times_print_as_jiff_prints_and_come_back(value in Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros()) {
        let time = Timestamp::from_micros(value);
        // jiff stops a day before the last moments of 9999, for offsets.
        if let Ok(other) = jiff::Timestamp::from_microsecond(value) {
            prop_assert_eq!(time.to_string(), format!("{other:.6}"));
        }
        prop_assert_eq!(Timestamp::parse(&time.to_string()), Ok(time));
        prop_assert_eq!(serde_json::from_str::<Timestamp>(&json!(time).to_string()).expect("a time"), time);
    }

    #[test]
    fn every_time_prints(value in any::<i64>()) {
        prop_assert!(Timestamp::from_micros(value).to_string().ends_with('Z'));
    }

    #[test]
    fn offsets_are_read_as_jiff_reads_them(
        seconds in 0_i64..4_000_000_000, hours in 0..24, minutes in 0..60, sign in prop::sample::select(vec!['+', '-']),
    ) {
        let local = jiff::Timestamp::from_second(seconds).expect("a time").strftime("%Y-%m-%dT%H:%M:%S").to_string();
        let text = format!("{local}{sign}{hours:02}:{minutes:02}");
        let other: jiff::Timestamp = text.parse().expect("a time");
        prop_assert_eq!(Timestamp::parse(&text).expect("a time").as_micros(), other.as_microsecond());
    }

    #[test]
    fn arbitrary_text_as_time_never_panics(text in "[0-9TZ:.+\\- ]{0,40}") {
        let _ = Timestamp::parse(&text);
    }

    #[test]
    fn positions_come_back(log_id in 0..i32::MAX, offset in 0..i64::MAX) {
        let position = Position { log_id, offset };
        prop_assert_eq!(position.to_string().parse(), Ok(position));
    }

    #[test]
    fn cursors_come_back(first in any::<i64>(), log_id in any::<i32>(), second in any::<Option<i64>>(), fingerprint in "[0-9a-f]{16}") {
        let recorded = PageKey::Recorded { append_no: first, offset: second };
        let position = Position { log_id, offset: second.unwrap_or_default() };
        for key in [recorded, PageKey::Time(Timestamp::from_micros(first), position)] {
            prop_assert_eq!(cursor::decode(&cursor::encode(&key, &fingerprint), &fingerprint), Ok(key));
        }
    }

    #[test]
    fn arbitrary_cursors_never_panic(text in "[A-Za-z0-9_\\-]{0,80}") {
        let _ = cursor::decode(&text, "00112233aabbccdd");
    }
}

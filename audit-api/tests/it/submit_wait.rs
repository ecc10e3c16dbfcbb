//! `Prefer: wait=N`: 201 with positions when the events are stored, 202 when they are not in time.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;
use shared::envelope::from_canonical_json;
use test_support::wait_until;

use crate::{
    feeder::{self, Record},
    server::{json, problem},
    submit::{event, producer, taking},
};

fn as_record(event: &serde_json::Value) -> Record {
    Record::Event(feeder::event(from_canonical_json(&event.to_string()).expect("a good event")))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_gets_the_positions_once_the_events_are_stored() {
    let (server, topic) = taking().await;
    let (first, second) = (event("a", 1), event("a", 2));
    let body = json!([first, second]).to_string();
    let token = producer("acme");
    let headers = [("prefer", "wait=10"), ("idempotency-key", "k")];
    let posting = server.post(&token, &headers, body.clone());
    let storing = async {
        wait_until("Kafka has both", Duration::from_secs(30), || async {
            (topic.end_offsets().await == [2]).then_some(())
        })
        .await;
        let mut feeder = server.feeder().await;
        feeder.append_to(topic.name(), 0, [as_record(&first)]).await;
        feeder.append_to(topic.name(), 0, [as_record(&second)]).await
    };
    let (answer, _) = tokio::join!(posting, storing);
    assert_eq!(answer.headers()["preference-applied"], "wait=10");
    let answer = json(answer, StatusCode::CREATED).await;
    let ids = [&first["eventId"], &second["eventId"]];
    let data = json!([{"eventId": ids[0], "position": "1:0"}, {"eventId": ids[1], "position": "1:1"}]);
    assert_eq!(answer["data"], data);
    // A repeat that waits finds the same places, and a duplicate the place of the first.
    let again = server.post(&token, &headers, body.clone()).await;
    assert_eq!(json(again, StatusCode::CREATED).await["data"], data);
    let posting = server.post(&token, &[("prefer", "wait=10")], body);
    let storing = async {
        wait_until("Kafka has both again", Duration::from_secs(30), || async {
            (topic.end_offsets().await == [4]).then_some(())
        })
        .await;
        server.feeder().await.append_to(topic.name(), 0, [as_record(&first), as_record(&second)]).await
    };
    let (answer, _) = tokio::join!(posting, storing);
    assert_eq!(json(answer, StatusCode::CREATED).await["data"], data);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_stored_in_time_is_accepted() {
    let (server, _topic) = taking().await;
    let answer = server.post(&producer("acme"), &[("prefer", "wait=1")], event("a", 1).to_string()).await;
    assert_eq!(answer.headers()["preference-applied"], "wait=1");
    let answer = json(answer, StatusCode::ACCEPTED).await;
    assert!(answer["data"][0].get("position").is_none(), "{answer}");
    let answer = server.post(&producer("acme"), &[], event("a", 1).to_string()).await;
    assert!(!answer.headers().contains_key("preference-applied"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_is_told_that_the_id_belongs_to_another_event() {
    let (server, topic) = taking().await;
    let mine = event("a", 1);
    let mut theirs = mine.clone();
    theirs["payload"]["total"] = "99.00".into();
    server.feeder().await.append([as_record(&theirs)]).await;
    let body = json!([event("b", 1), mine]).to_string();
    let token = producer("acme");
    let posting = server.post(&token, &[("prefer", "wait=10")], body);
    let storing = async {
        wait_until("Kafka has both", Duration::from_secs(30), || async {
            (topic.end_offsets().await == [2]).then_some(())
        })
        .await;
        server.feeder().await.append_to(topic.name(), 0, [as_record(&event("b", 1)), as_record(&mine)]).await
    };
    let (answer, _) = tokio::join!(posting, storing);
    let errors = answer.text().await.expect("a body");
    let answer: serde_json::Value = serde_json::from_str(&errors).expect("JSON");
    assert_eq!(answer["type"], "urn:audit-trail:problem:event-id-conflict", "{answer}");
    assert_eq!(
        (answer["status"].clone(), &answer["errors"][0]["pointer"]),
        (json!(409), &json!("/1/eventId"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_is_no_number_is_refused() {
    let (server, _topic) = taking().await;
    let refused = server.post(&producer("acme"), &[("prefer", "wait=x")], event("a", 1).to_string()).await;
    assert_eq!(problem(refused, StatusCode::BAD_REQUEST).await, "invalid-request");
}

//! The producer against a real Kafka: partitions as Java's, bounds, errors, order.

#![expect(clippy::unwrap_used, reason = "tests: the helpers too")]

use std::{collections::BTreeMap, time::Duration};

use bus::{Outgoing, ProduceError, Producer, ProducerLimits};
use bytes::Bytes;
use rdkafka::error::RDKafkaErrorCode;
use service::config::KafkaSettings;
use test_support::{TestTopic, kafka_settings};

/// Kafka's murmur2 (org.apache.kafka.common.utils.Utils), written anew as the test's own oracle.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c_u32 ^ u32::try_from(data.len()).unwrap();
    let mut chunks = data.chunks_exact(4);
    for chunk in chunks.by_ref() {
        let mut word = u32::from_le_bytes(chunk.try_into().unwrap()).wrapping_mul(M);
        word ^= word >> 24;
        hash = hash.wrapping_mul(M) ^ word.wrapping_mul(M);
    }
    let rest = chunks.remainder();
    for (index, byte) in rest.iter().enumerate() {
        hash ^= u32::from(*byte) << (8 * index);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[test]
fn the_oracle_agrees_with_values_of_kafkas_own_tests() {
    // From UtilsTest.testMurmur2 of Apache Kafka.
    let known: [(&str, i32); 6] = [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ("abc", 479_470_107),
    ];
    for (text, hash) in known {
        assert_eq!(murmur2(text.as_bytes()).cast_signed(), hash, "{text}");
    }
}

fn to(topic: &TestTopic, key: &str, value: &str) -> Outgoing {
    Outgoing {
        topic: topic.name().to_owned(),
        key: Some(Bytes::from(key.to_owned())),
        value: Some(Bytes::from(value.to_owned())),
        ..Outgoing::default()
    }
}

#[tokio::test]
async fn every_key_goes_to_the_partition_that_java_would_choose() {
    let topic = TestTopic::create(12).await;
    let producer = Producer::new(&kafka_settings(), "test", ProducerLimits::default()).unwrap();
    let mut deliveries = Vec::new();
    for number in 0..500_u32 {
        // Every length, beyond ASCII too, and ids as real as ARNs.
        let key = format!("{}arn:aws:{number}/\u{e9}", "k".repeat(number as usize % 9));
        deliveries.push((producer.enqueue(to(&topic, &key, "x")).await.unwrap(), key));
    }
    let mut used = BTreeMap::new();
    for (delivery, key) in deliveries {
        let expected = (murmur2(key.as_bytes()) & 0x7fff_ffff) % 12;
        let found = delivery.await.unwrap().partition;
        assert_eq!(u32::try_from(found).unwrap(), expected, "{key}");
        *used.entry(found).or_insert(0) += 1;
    }
    assert_eq!(used.len(), 12, "{used:?}");
}

#[tokio::test]
async fn key_value_headers_and_time_arrive_as_they_were_sent() {
    let topic = TestTopic::create(1).await;
    let headers = vec![
        ("traceparent".to_owned(), Some(Bytes::from_static(b"00-1-2-01"))),
        ("twice".to_owned(), Some(Bytes::from_static(b"\xff\x00"))),
        ("twice".to_owned(), None),
    ];
    let whole = Outgoing {
        topic: topic.name().to_owned(),
        key: Some(Bytes::from_static(b"k")),
        value: Some(Bytes::from_static(b"\x00v")),
        headers: headers.clone(),
        partition: Some(0),
        timestamp_ms: Some(1_600_000_000_123),
    };
    let empty = Outgoing { value: Some(Bytes::new()), ..Outgoing::default() };
    let null = Outgoing::default();
    let producer = Producer::new(&kafka_settings(), "test", ProducerLimits::default()).unwrap();
    for record in [whole, empty, null] {
        producer.send(Outgoing { topic: topic.name().to_owned(), ..record }).await.unwrap();
    }
    let records = topic.read_all().await;
    assert_eq!(records.len(), 3);
    assert_eq!(records[0].key.as_deref(), Some(&b"k"[..]));
    assert_eq!(records[0].value.as_deref(), Some(&b"\x00v"[..]));
    assert_eq!(records[0].headers, headers);
    assert_eq!(records[0].timestamp_ms, Some(1_600_000_000_123));
    assert_eq!(records[1].value.as_deref(), Some(&b""[..]));
    assert_eq!(records[1].key, None);
    assert_eq!(records[2].value, None);
}

#[tokio::test]
async fn records_of_one_key_keep_their_order_while_many_are_in_flight() {
    let topic = TestTopic::create(3).await;
    let limits = ProducerLimits { in_flight_records: 100, ..ProducerLimits::default() };
    let producer = Producer::new(&kafka_settings(), "test", limits).unwrap();
    let mut deliveries = tokio::task::JoinSet::new();
    for number in 0..5000 {
        let record = to(&topic, &format!("key-{}", number % 7), &number.to_string());
        let delivery = producer.enqueue(record).await.unwrap();
        deliveries.spawn(delivery);
        // librdkafka's count includes answers that its thread is just handing out.
        assert!(producer.in_flight() <= 200, "{} in flight", producer.in_flight());
    }
    producer.flush(Duration::from_secs(30)).await.unwrap();
    while let Some(delivered) = deliveries.join_next().await {
        delivered.unwrap().unwrap();
    }
    let mut last = BTreeMap::new();
    let records = topic.read_all().await;
    assert_eq!(records.len(), 5000);
    for record in records {
        let value: u32 = String::from_utf8(record.value.unwrap().to_vec()).unwrap().parse().unwrap();
        let previous = last.insert(record.key.clone(), value);
        assert!(previous.is_none_or(|previous| previous < value), "{value} after {previous:?}");
    }
}

#[tokio::test]
async fn a_record_over_the_limit_is_refused_and_one_at_the_limit_is_sent() {
    let topic = TestTopic::create(1).await;
    let producer = Producer::new(&kafka_settings(), "test", ProducerLimits::for_records_of(100_000)).unwrap();
    let of = |bytes: usize| Outgoing {
        topic: topic.name().to_owned(),
        value: Some(Bytes::from(vec![7; bytes])),
        ..Outgoing::default()
    };
    let error = producer.send(of(100_001)).await.unwrap_err();
    assert!(matches!(error, ProduceError::TooLarge { bytes: 100_001, limit: 100_000, .. }), "{error}");
    assert!(error.is_permanent());
    assert!(error.to_string().contains(topic.name()), "{error}");
    producer.send(of(100_000)).await.unwrap();
    assert_eq!(topic.end_offsets().await, [1]);
}

#[tokio::test]
async fn what_the_broker_refuses_is_named_with_its_topic() {
    let topic = TestTopic::create_with(1, &[("max.message.bytes", "2000")]).await;
    let producer = Producer::new(&kafka_settings(), "test", ProducerLimits::default()).unwrap();
    // Bytes without any pattern, so that compression does not bring them under the limit.
    let noise: Vec<u8> =
        (0..5000_u32).map(|n| u8::try_from(murmur2(&n.to_le_bytes()) & 0xff).unwrap()).collect();
    let record =
        Outgoing { topic: topic.name().to_owned(), value: Some(noise.into()), ..Outgoing::default() };
    let error = producer.send(record).await.unwrap_err();
    assert_eq!(error.code(), Some(RDKafkaErrorCode::MessageSizeTooLarge), "{error}");
    assert!(error.is_permanent());
    assert!(error.to_string().contains(topic.name()), "{error}");
    // The producer is not harmed.
    producer.send(to(&topic, "k", "small")).await.unwrap();

    let nowhere = Outgoing { partition: Some(99), ..to(&topic, "k", "x") };
    let error = producer.send(nowhere).await.unwrap_err();
    assert_eq!(error.code(), Some(RDKafkaErrorCode::UnknownPartition), "{error}");
}

fn nowhere() -> KafkaSettings {
    // Port 1 of loopback: nothing listens there.
    KafkaSettings { bootstrap_servers: Some("127.0.0.1:1".to_owned()), ..KafkaSettings::default() }
}

#[tokio::test]
async fn too_much_in_flight_waits_and_nothing_is_dropped_in_silence() {
    let limits = ProducerLimits {
        in_flight_records: 2,
        delivery_timeout: Duration::from_secs(2),
        ..ProducerLimits::default()
    };
    let producer = Producer::new(&nowhere(), "test", limits).unwrap();
    let record =
        || Outgoing { topic: "t".to_owned(), value: Some(Bytes::from_static(b"x")), ..Outgoing::default() };
    let first = producer.enqueue(record()).await.unwrap();
    let second = producer.enqueue(record()).await.unwrap();
    let mut third = tokio::spawn({
        let producer = producer.clone();
        async move { producer.enqueue(record()).await.map(|_| ()) }
    });
    let early = tokio::time::timeout(Duration::from_millis(500), &mut third).await;
    assert!(early.is_err(), "the third must wait for room");
    for waiting in [first, second] {
        let error = waiting.await.unwrap_err();
        assert_eq!(error.code(), Some(RDKafkaErrorCode::MessageTimedOut), "{error}");
        assert!(!error.is_permanent());
    }
    tokio::time::timeout(Duration::from_secs(5), third).await.expect("there is room now").unwrap().unwrap();
}

#[tokio::test]
async fn a_caller_that_awaits_only_afterwards_does_not_wait_for_itself() {
    let topic = TestTopic::create(1).await;
    let limits = ProducerLimits { in_flight_records: 10, ..ProducerLimits::default() };
    let producer = Producer::new(&kafka_settings(), "test", limits).unwrap();
    let handing_over = async {
        let mut deliveries = Vec::new();
        for number in 0..200 {
            deliveries.push(producer.enqueue(to(&topic, "k", &number.to_string())).await.unwrap());
        }
        deliveries
    };
    let deliveries = tokio::time::timeout(Duration::from_secs(30), handing_over).await.expect("no deadlock");
    for (number, delivery) in (0..).zip(deliveries) {
        assert_eq!(delivery.await.unwrap().offset, number);
    }
}

#[tokio::test]
async fn a_record_whose_answer_nobody_awaits_is_sent_all_the_same() {
    let topic = TestTopic::create(1).await;
    let producer = Producer::new(&kafka_settings(), "test", ProducerLimits::default()).unwrap();
    drop(producer.enqueue(to(&topic, "k", "v")).await.unwrap());
    producer.flush(Duration::from_secs(30)).await.unwrap();
    assert_eq!(topic.end_offsets().await, [1]);
}

#[tokio::test]
async fn bytes_in_flight_are_bounded_too() {
    let limits = ProducerLimits {
        in_flight_bytes: 64 * 1024,
        max_record_bytes: 64 * 1024,
        delivery_timeout: Duration::from_mins(1),
        ..ProducerLimits::default()
    };
    let producer = Producer::new(&nowhere(), "test", limits).unwrap();
    let record = || Outgoing {
        topic: "t".to_owned(),
        value: Some(Bytes::from(vec![0; 40 * 1024])),
        ..Outgoing::default()
    };
    let _first = producer.enqueue(record()).await.unwrap();
    let second = tokio::time::timeout(Duration::from_millis(300), producer.enqueue(record())).await;
    assert!(second.is_err(), "80 KiB must not fit in 64");
    assert!(matches!(
        producer.flush(Duration::from_millis(200)).await,
        Err(ProduceError::Unflushed { records: 1 })
    ));
}

#[tokio::test]
async fn a_caller_with_bounded_patience_is_told_that_the_producer_is_busy() {
    let limits = ProducerLimits { in_flight_records: 2, ..ProducerLimits::default() };
    let producer = Producer::new(&nowhere(), "test", limits).unwrap();
    let record = || Outgoing { topic: "t".to_owned(), ..Outgoing::default() };
    let _held = [producer.enqueue(record()).await.unwrap(), producer.enqueue(record()).await.unwrap()];
    let error = producer.enqueue_within(record(), Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(&error, ProduceError::Busy { topic } if topic == "t"), "{error}");
    assert!(!error.is_permanent());
}

#[tokio::test]
async fn every_record_of_many_gets_an_outcome_of_its_own_in_order() {
    let topic = TestTopic::create(3).await;
    let limits = ProducerLimits { in_flight_records: 10, ..ProducerLimits::for_records_of(1000) };
    let producer = Producer::new(&kafka_settings(), "test", limits).unwrap();
    let records = (0..100).map(|number| {
        let value = if number == 40 { "x".repeat(2000) } else { number.to_string() };
        to(&topic, "one key", &value)
    });
    let outcomes = producer.send_all(records, Duration::from_secs(30)).await;
    assert_eq!(outcomes.len(), 100);
    let mut next = None;
    for (number, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Ok(delivered) => {
                assert!(next.is_none_or(|offset| offset == delivered.offset), "{number}");
                next = Some(delivered.offset + 1);
            }
            Err(error) => {
                assert!(number == 40 && matches!(error, ProduceError::TooLarge { .. }), "{number}: {error}");
            }
        }
    }
    assert_eq!(next, Some(99));
}

#[tokio::test]
async fn from_the_first_record_without_room_on_none_is_sent() {
    let limits = ProducerLimits {
        in_flight_records: 2,
        delivery_timeout: Duration::from_secs(1),
        ..ProducerLimits::default()
    };
    let producer = Producer::new(&nowhere(), "test", limits).unwrap();
    let record = || Outgoing { topic: "t".to_owned(), ..Outgoing::default() };
    let outcomes = producer.send_all((0..5).map(|_| record()), Duration::from_millis(50)).await;
    let codes: Vec<_> = outcomes.iter().map(|outcome| outcome.as_ref().unwrap_err().code()).collect();
    assert_eq!(codes[..2], [Some(RDKafkaErrorCode::MessageTimedOut); 2]);
    assert!(outcomes[2..].iter().all(|outcome| matches!(outcome, Err(ProduceError::Busy { .. }))));
}

#[tokio::test]
async fn a_closed_producer_counts_what_it_could_not_deliver_and_takes_no_more() {
    let topic = TestTopic::create(1).await;
    let producer = Producer::new(&kafka_settings(), "test", ProducerLimits::default()).unwrap();
    for number in 0..100 {
        drop(producer.enqueue(to(&topic, "k", &number.to_string())).await.unwrap());
    }
    assert_eq!(producer.close(Duration::from_secs(30)).await, 0);
    assert_eq!(topic.end_offsets().await, [100]);
    let error = producer.send(to(&topic, "k", "late")).await.unwrap_err();
    assert!(matches!(error, ProduceError::Closed { .. }), "{error}");

    let producer = Producer::new(&nowhere(), "test", ProducerLimits::default()).unwrap();
    for _ in 0..3 {
        drop(producer.enqueue(to(&topic, "k", "x")).await.unwrap());
    }
    assert_eq!(producer.close(Duration::from_millis(100)).await, 3);
}

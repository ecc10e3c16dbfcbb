//! How many messages a second the bridge carries: printed, judged by nobody. Run it by hand, with release builds in
//! `AUDIT_TEST_BIN`.

use std::time::Instant;

use lapin::{BasicProperties, options::BasicPublishOptions};

use crate::rig::Rig;

const MESSAGES: usize = 200_000;

#[tokio::test]
#[ignore = "a measurement, not a test"]
async fn messages_a_second_from_a_full_queue() {
    let rig = Rig::new().await;
    assert!(rig.bridge().await.stop().await.success());
    let publisher = rig.rabbit.publisher().await;
    let exchange = rig.rabbit.name("events");
    let mut confirms = Vec::new();
    for number in 0..MESSAGES {
        let id = test_support::unique_id();
        let body = format!(
            r#"{{"eventId":"{id}","eventType":"Update","action":"Vehicle.StatusChanged","userId":"user-{}","entityType":"Vehicle","entityId":"vehicle-{}","oldValue":"{{\"status\": \"Active\"}}","newValue":"{{\"status\": \"Sold\"}}","serviceName":"VehiclesSaleService","timestamp":"2026-01-07T10:30:00Z"}}"#,
            number % 100,
            number % 1000
        );
        let properties = BasicProperties::default().with_delivery_mode(2);
        let publishing = publisher.channel().basic_publish(
            exchange.as_str().into(),
            "Vehicle.Updated".into(),
            BasicPublishOptions::default(),
            body.as_bytes(),
            properties,
        );
        confirms.push(publishing.await.unwrap());
        if confirms.len() == 1000 {
            for confirm in confirms.drain(..) {
                confirm.await.unwrap();
            }
        }
    }
    let waiting = rig.rabbit.waiting("audit-service.events").await;
    let bridge = rig.bridge().await;
    let begun = (Instant::now(), rig.topic.end_offsets().await.iter().sum::<i64>());
    let records = rig.produced(i64::try_from(MESSAGES).unwrap()).await;
    let (seconds, carried) = (begun.0.elapsed().as_secs_f64(), records - begun.1);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let rate = carried as f64 / seconds;
    eprintln!(
        "{waiting} waited; {carried} carried in {seconds:.1} s: {rate:.0} a second; {} MiB resident",
        bridge.resident_bytes() >> 20
    );
    assert!(bridge.stop().await.success());
    rig.rabbit.remove().await;
}

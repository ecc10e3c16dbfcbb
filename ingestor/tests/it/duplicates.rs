//! One event, one row: the same id again, wherever and however it comes.

use shared::timestamp::Timestamp;
use test_support::canonical_event;

use crate::rig::Rig;

/// One batch holds the same event twice; later ones hold it again as it was, in another partition, in another month,
/// and with other bytes.
#[tokio::test]
async fn the_first_of_an_id_is_stored_and_every_other_is_accounted_for() {
    let rig = Rig::new(2).await;
    let event = canonical_event("order-1", 1).build();
    let mut moved = rig.record(&event);
    moved.partition = Some(1);
    let mut first = rig.record(&event);
    first.partition = Some(0);
    // All of this waits in the topic before the ingestor starts: it comes in few batches, over two writers.
    rig.topic.send_all([first.clone(), first.clone(), moved.clone()]).await;
    let ingestor = rig.ingestor().await;
    let account = rig.settled().await;
    assert_eq!((account.stored, account.kind("duplicate")), (1, 2));

    let mut other_month = event.clone();
    other_month.timestamp = Timestamp::from_micros(event.timestamp.as_micros() - 40 * 24 * 3600 * 1_000_000);
    let mut other_bytes = event.clone();
    other_bytes.payload = r#"{"other":true}"#.to_owned();
    let mut elsewhere = rig.record(&other_bytes);
    elsewhere.partition = Some(1);
    rig.topic.send_all([first, moved, rig.record(&other_month), rig.record(&other_bytes), elsewhere]).await;
    let account = rig.settled().await;
    assert_eq!((account.stored, account.kind("duplicate")), (1, 4));
    assert_eq!(account.reason("event-id-conflict"), 3);
    assert!(ingestor.stop().await.success());
}

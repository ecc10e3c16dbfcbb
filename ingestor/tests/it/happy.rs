//! Good records: stored, each in its place, whatever framing and schema they come with.

use test_support::canonical_event;

use crate::rig::Rig;

#[tokio::test]
async fn canonical_events_are_stored() {
    let rig = Rig::new(3).await;
    let ingestor = rig.ingestor().await;
    let records: Vec<_> = (0..300)
        .map(|n| rig.record(&canonical_event(&format!("order-{}", n % 20), n / 20 + 1).build()))
        .collect();
    rig.topic.send_all(records).await;
    let account = rig.settled().await;
    assert_eq!((account.stored, account.offsets()), (300, 300));
    assert!(ingestor.metric("audit_events_stored_total").await >= 300.0);
    assert!(ingestor.stop().await.success());
}

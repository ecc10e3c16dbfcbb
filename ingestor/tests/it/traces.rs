//! Traces: from a record's `traceparent`, by a link on its batch, to the insert.

use bus::Outgoing;
use bytes::Bytes;
use test_support::{Daemon, canonical_event};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};

use crate::rig::Rig;

const TRACE: [u8; 16] =
    [0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c];

fn contains(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn a_batch_is_a_span_linked_to_the_traces_of_its_records() {
    let collector = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&collector).await;
    let rig = Rig::new(1).await;
    let config = rig.config().set("telemetry", "otlp_endpoint", format!("{:?}", collector.uri()));
    let traceparent = format!("00-{}-b7ad6b7169203331-01", hex::encode(TRACE));
    let header = ("traceparent".to_owned(), Some(Bytes::from(traceparent)));
    let record = rig.record(&canonical_event("a", 1).build());
    rig.topic.send_all([Outgoing { headers: vec![header], ..record }]).await;
    let ingestor = Daemon::ingestor(&config).ready().await;
    rig.settled().await;
    // The end of the process flushes what is still to be exported.
    assert!(ingestor.stop().await.success());
    let requests = collector.received_requests().await.expect("requests are recorded");
    let bodies: Vec<u8> = requests.into_iter().flat_map(|request| request.body).collect();
    assert!(contains(&bodies, format!("process {}", rig.topic.name()).as_bytes()), "the batch's span");
    assert!(contains(&bodies, b"insert audit.events"), "the insert's span");
    assert!(contains(&bodies, &TRACE), "the link to the record's trace");
}

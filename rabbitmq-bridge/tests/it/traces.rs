//! Traces: from a message's headers, through the bridge's span, into Kafka's headers.

use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable},
};
use test_support::Daemon;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};

use crate::rig::Rig;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

fn contains(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn a_messages_trace_goes_on_in_kafka_as_a_child_of_the_bridges_span() {
    let collector = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&collector).await;
    let rig = Rig::new().await;
    let config = rig.config().set("telemetry", "otlp_endpoint", format!("{:?}", collector.uri()));
    let bridge = Daemon::rabbitmq_bridge(&config).ready().await;
    let mut headers = FieldTable::default();
    headers.insert("traceparent".into(), AMQPValue::LongString(format!("00-{TRACE}-{PARENT}-01").into()));
    headers.insert("tracestate".into(), AMQPValue::LongString("vendor=1".into()));
    let traced = BasicProperties::default().with_headers(headers);
    let body = br#"{"eventType":"USER_UPDATED","userId":"u"}"#;
    rig.rabbit.publish("events", "user.updated", traced, body).await;
    rig.rabbit.publish("events", "user.updated", BasicProperties::default(), body).await;
    rig.produced(2).await;
    // The end of the process flushes what is still to be exported.
    assert!(bridge.stop().await.success());
    let records = rig.topic.read_all().await;
    let with_trace: Vec<_> = records.iter().filter_map(|record| record.header("traceparent")).collect();
    let [traceparent] = with_trace[..] else { panic!("one record has a trace: {with_trace:?}") };
    assert!(
        traceparent.starts_with(&format!("00-{TRACE}-")) && traceparent.ends_with("-01"),
        "{traceparent}"
    );
    assert!(!traceparent.contains(PARENT), "the bridge's span is the parent now");
    assert!(records.iter().any(|record| record.header("tracestate") == Some("vendor=1")));
    let requests = collector.received_requests().await.expect("requests are recorded");
    let bodies: Vec<u8> = requests.into_iter().flat_map(|request| request.body).collect();
    let name = format!("process {}:user.updated", rig.rabbit.name("events"));
    assert!(contains(&bodies, name.as_bytes()), "the bridge's span");
    assert!(contains(&bodies, b"audit-rabbitmq-bridge"));
    rig.rabbit.remove().await;
}

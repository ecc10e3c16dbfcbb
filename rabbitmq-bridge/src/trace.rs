//! Traces: a message that brings its trace gets one span here, and Kafka's record goes on with it.
//!
//! Messages without a trace get none: most older services send none, and a span a message would be all that is seen.

use std::collections::HashMap;

use bus::Outgoing;
use bytes::Bytes;
use opentelemetry::{
    propagation::{Extractor, Injector},
    trace::TraceContextExt as _,
};
use tracing::{Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::delivered::Message;

/// The headers of W3C Trace Context.
const HEADERS: [&str; 2] = ["traceparent", "tracestate"];

/// What the headers may take: names, a `traceparent` of 55 bytes and a `tracestate` of 512.
pub const MOST_HEADER_BYTES: usize = 600;

/// A longer `tracestate` may be dropped (W3C Trace Context), and is.
const LONGEST: usize = 512;

/// Puts the message's trace on its record; the span, if there is one, ends when it is dropped.
pub fn carry(message: &Message, queue: &str, record: &mut Outgoing) -> Span {
    if message.header("traceparent").is_none_or(|value| value.len() > LONGEST) {
        return Span::none();
    }
    let span = process_span(message, queue);
    let parent =
        opentelemetry::global::get_text_map_propagator(|propagator| propagator.extract(&Incoming(message)));
    // An error only says that no trace layer is installed.
    let _ = span.set_parent(parent);
    let mut onward = Onward::default();
    let context = span.context();
    if context.span().span_context().is_valid() {
        opentelemetry::global::get_text_map_propagator(|propagator| {
            propagator.inject_context(&context, &mut onward);
        });
    } else {
        // Nothing is recorded here; whoever comes next may.
        let incoming = Incoming(message);
        for name in HEADERS {
            incoming.get(name).into_iter().for_each(|value| onward.set(name, value.to_owned()));
        }
    }
    for name in HEADERS {
        if let Some(value) = onward.0.remove(name).filter(|value| !value.is_empty()) {
            record.headers.push((name.to_owned(), Some(Bytes::from(value))));
        }
    }
    span
}

/// By the semantic conventions for messaging.
fn process_span(message: &Message, queue: &str) -> Span {
    let destination = message.destination();
    info_span!(
        "process",
        otel.name = format!("process {destination}"),
        otel.kind = "consumer",
        messaging.system = "rabbitmq",
        messaging.operation.name = "process",
        messaging.operation.type = "process",
        messaging.destination.name = format!("{destination}:{queue}"),
        messaging.rabbitmq.destination.routing_key = message.routing_key.as_str(),
        messaging.rabbitmq.message.delivery_tag = message.tag,
    )
}

struct Incoming<'a>(&'a Message);

impl Extractor for Incoming<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.header(key).filter(|value| value.len() <= LONGEST)
    }

    fn keys(&self) -> Vec<&str> {
        HEADERS.to_vec()
    }
}

#[derive(Default)]
struct Onward(HashMap<String, String>);

impl Injector for Onward {
    fn set(&mut self, key: &str, value: String) {
        self.0.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use lapin::{
        BasicProperties,
        message::Delivery,
        types::{AMQPValue, FieldTable},
    };
    use shared::timestamp::Timestamp;

    use super::*;

    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn carried(headers: &[(&str, &str)]) -> Vec<(String, Option<Bytes>)> {
        let mut table = FieldTable::default();
        for (name, value) in headers {
            table.insert((*name).into(), AMQPValue::LongString((*value).into()));
        }
        let mut delivery = Delivery::mock(1, "events".into(), "user.created".into(), false, Vec::new());
        delivery.properties = BasicProperties::default().with_headers(table);
        let mut record = Outgoing::default();
        carry(&Message::new(delivery, Timestamp::from_micros(0)), "q", &mut record);
        record.headers
    }

    #[test]
    fn where_nothing_is_recorded_the_context_goes_on_as_it_came() {
        let expected = [("traceparent", TRACE), ("tracestate", "a=1")]
            .map(|(name, value)| (name.to_owned(), Some(Bytes::from(value))));
        assert_eq!(carried(&[("traceparent", TRACE), ("tracestate", "a=1")]), expected);
        assert_eq!(carried(&[("traceparent", TRACE), ("tracestate", &"a".repeat(600))]), expected[..1]);
        assert_eq!(carried(&[("tracestate", "a=1")]), []);
        assert_eq!(carried(&[]), []);
    }
}

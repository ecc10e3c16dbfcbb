//! Traces: one span per batch, linked to the traces of the records in it.

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use store::batch::Header;
use tracing::{Span, field::Empty, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::decode::header;

/// Links on one span, at most: OpenTelemetry's own limit.
const MOST_LINKS: usize = 128;

/// The sampled traces that a batch's records came with.
#[derive(Debug, Default)]
pub struct TraceLinks(Vec<SpanContext>);

impl TraceLinks {
    /// Takes the record's `traceparent`, when it says that its trace is sampled.
    pub fn add(&mut self, headers: &[Header]) {
        if self.0.len() < MOST_LINKS
            && let Some(context) = header(headers, "traceparent").and_then(parse_traceparent)
            && context.is_sampled()
        {
            self.0.push(context);
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no record came with a sampled trace.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn attach(self, span: &Span) {
        for context in self.0 {
            span.add_link(context);
        }
    }
}

/// The span of one batch, by the semantic conventions for messaging.
pub fn batch_span(destination: &str, group: &str, records: usize, links: TraceLinks) -> Span {
    let span = info_span!(
        "process",
        otel.name = format!("process {destination}"),
        otel.kind = "consumer",
        otel.status_code = Empty,
        messaging.system = "kafka",
        messaging.operation.name = "process",
        messaging.operation.type = "process",
        messaging.destination.name = destination,
        messaging.consumer.group.name = group,
        messaging.batch.message_count = records,
    );
    links.attach(&span);
    span
}

/// The span of the transaction within [`batch_span`].
pub fn insert_span() -> Span {
    info_span!(
        "insert",
        otel.name = "insert audit.events",
        otel.kind = "client",
        otel.status_code = Empty,
        db.system.name = "postgresql",
        db.operation.name = "COPY",
        db.collection.name = "audit.events",
    )
}

/// W3C Trace Context: `00-<trace id>-<parent id>-<flags>`; later versions may append.
fn parse_traceparent(value: &[u8]) -> Option<SpanContext> {
    let text = std::str::from_utf8(value).ok()?;
    let mut parts = text.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let well_formed = version.len() == 2 && version != "ff" && trace.len() == 32 && parent.len() == 16;
    if !well_formed || flags.len() != 2 || (version == "00" && parts.next().is_some()) {
        return None;
    }
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(parent).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
        true,
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn with(traceparent: &str) -> [Header; 1] {
        [("traceparent".to_owned(), Some(Bytes::copy_from_slice(traceparent.as_bytes())))]
    }

    #[test]
    fn sampled_traces_are_linked_and_others_are_not() {
        let mut links = TraceLinks::default();
        links.add(&with("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
        links.add(&with("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"));
        links.add(&with("00-00000000000000000000000000000000-b7ad6b7169203331-01"));
        links.add(&with("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"));
        links.add(&with("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"));
        links.add(&with("nonsense"));
        links.add(&[]);
        assert_eq!(links.len(), 2);
    }

    #[test]
    fn links_are_bounded() {
        let mut links = TraceLinks::default();
        for _ in 0..200 {
            links.add(&with("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
        }
        assert_eq!(links.len(), MOST_LINKS);
    }
}

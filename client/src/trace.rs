//! W3C Trace Context as record headers.

use bytes::Bytes;
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// A longer `tracestate` is left out, as the specification allows.
const MAX_STATE_BYTES: usize = 512;

/// The trace that a record belongs to; none = no headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TraceHeaders {
    parent: Option<String>,
    state: Option<String>,
}

impl TraceHeaders {
    /// The current span's context: tracing's, when it is exported by OpenTelemetry, else OpenTelemetry's own.
    pub(crate) fn current() -> Self {
        let context = tracing::Span::current().context();
        let of_span = Self::of(context.span().span_context());
        if of_span.parent.is_some() {
            return of_span;
        }
        Self::of(opentelemetry::Context::current().span().span_context())
    }

    /// What a caller sent, for a service that takes no part in tracing itself; nothing when it is malformed.
    pub(crate) fn of_caller(parent: Option<&str>, state: Option<&str>) -> Self {
        let Some(parent) = parent.filter(|parent| is_traceparent(parent)) else { return Self::default() };
        let state = state.filter(|state| !state.is_empty() && state.len() <= MAX_STATE_BYTES);
        Self { parent: Some(parent.to_owned()), state: state.map(str::to_owned) }
    }

    fn of(context: &SpanContext) -> Self {
        if !context.is_valid() {
            return Self::default();
        }
        let (trace, span, flags) = (context.trace_id(), context.span_id(), context.trace_flags().to_u8());
        let state = context.trace_state().header();
        Self {
            parent: Some(format!("00-{trace}-{span}-{flags:02x}")),
            state: Some(state).filter(|state| !state.is_empty() && state.len() <= MAX_STATE_BYTES),
        }
    }

    /// These, or the others when there are none.
    pub(crate) fn or(self, other: impl FnOnce() -> Self) -> Self {
        if self.parent.is_some() { self } else { other() }
    }

    /// The trace's id.
    pub(crate) fn trace_id(&self) -> Option<&str> {
        self.parent.as_deref()?.split('-').nth(1)
    }

    /// As a record carries them.
    pub(crate) fn into_headers(self) -> Vec<(String, Option<Bytes>)> {
        let named = [("traceparent", self.parent), ("tracestate", self.state)];
        let present = named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        present.map(|(name, value)| (name, Some(Bytes::from(value)))).collect()
    }
}

/// `00-<32 hex>-<16 hex>-<2 hex>`, ids not all zero; what a later version appends is not known here.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id = |text: &str, length: usize| is_hex(text, length) && text.bytes().any(|byte| byte != b'0');
    matches!(parts[..], ["00", trace, span, flags] if is_id(trace, 32) && is_id(span, 16) && is_hex(flags, 2))
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_current_span_becomes_a_traceparent() {
        let tracer = SdkTracerProvider::builder().build().tracer("test");
        let subscriber =
            tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(tracer));
        tracing::subscriber::with_default(subscriber, || {
            assert_eq!(TraceHeaders::current(), TraceHeaders::default(), "no span, no headers");
            let span = tracing::info_span!("placing an order");
            let headers = span.in_scope(TraceHeaders::current);
            let parent = headers.parent.clone().expect("the span has a context");
            assert!(is_traceparent(&parent), "{parent}");
            let id = span.context().span().span_context().trace_id().to_string();
            assert_eq!(headers.trace_id(), Some(id.as_str()));
            assert_eq!(headers.into_headers(), [("traceparent".to_owned(), Some(Bytes::from(parent)))]);
        });
    }

    #[test]
    fn without_opentelemetry_there_are_no_headers() {
        assert!(TraceHeaders::current().into_headers().is_empty());
    }

    #[test]
    fn a_callers_context_is_taken_when_it_is_well_formed() {
        let given = TraceHeaders::of_caller(Some(PARENT), Some("vendor=1"));
        assert_eq!(given.trace_id(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        assert_eq!(given.into_headers().len(), 2);
        let long = "x".repeat(MAX_STATE_BYTES + 1);
        assert_eq!(TraceHeaders::of_caller(Some(PARENT), Some(&long)).into_headers().len(), 1);
        let zero = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        for bad in ["", "nonsense", zero, &PARENT.to_uppercase(), &format!("{PARENT}-x")] {
            assert_eq!(TraceHeaders::of_caller(Some(bad), None), TraceHeaders::default(), "{bad}");
        }
    }
}

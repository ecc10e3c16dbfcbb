//! One log event as one JSON object on one line, with the ids of its trace.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use opentelemetry::trace::TraceContextExt;
use serde_json::{Map, Value};
use tracing::{
    Dispatch, Event, Subscriber,
    dispatcher::WeakDispatch,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    fmt::{
        FmtContext, FormatEvent, FormattedFields,
        format::{JsonFields, Writer},
        time::{FormatTime, SystemTime},
    },
    registry::{LookupSpan, SpanRef},
};

/// Finds the subscriber that a line is written for, which alone knows the ids of its spans.
#[derive(Debug, Clone, Default)]
pub(super) struct DispatchKeeper(Arc<OnceLock<WeakDispatch>>);

impl<S: Subscriber> Layer<S> for DispatchKeeper {
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        // A second registration is of the same subscriber: the first stays.
        let _ = self.0.set(dispatch.downgrade());
    }
}

/// The format of `telemetry.log_format = "json"`.
#[derive(Debug)]
pub(super) struct JsonLine(pub(super) DispatchKeeper);

impl<S> FormatEvent<S, JsonFields> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Map::new();
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        line.insert("timestamp".to_owned(), time.into());
        line.insert("level".to_owned(), event.metadata().level().as_str().into());
        line.insert("target".to_owned(), event.metadata().target().into());
        event.record(&mut Fields(&mut line));
        if let Some(span) = context.event_scope().and_then(|mut spans| spans.next()) {
            self.insert_span(&mut line, &span);
        }
        let text = serde_json::to_string(&line).map_err(|_| fmt::Error)?;
        writeln!(writer, "{text}")
    }
}

impl JsonLine {
    fn insert_span<'a, S: LookupSpan<'a>>(&self, line: &mut Map<String, Value>, span: &SpanRef<'a, S>) {
        let mut fields = {
            // Dropped before the context is asked for: that locks the extensions too.
            let extensions = span.extensions();
            let text = extensions.get::<FormattedFields<JsonFields>>();
            text.and_then(|text| serde_json::from_str::<Map<String, Value>>(&text.fields).ok())
                .unwrap_or_default()
        };
        fields.insert("name".to_owned(), span.name().into());
        line.insert("span".to_owned(), Value::Object(fields));
        let dispatch = self.0.0.get().and_then(WeakDispatch::upgrade);
        let context =
            dispatch.and_then(|dispatch| tracing_opentelemetry::get_otel_context(&span.id(), &dispatch));
        if let Some(context) = context {
            let ids = context.span().span_context().clone();
            if ids.is_valid() {
                line.insert("trace_id".to_owned(), ids.trace_id().to_string().into());
                line.insert("span_id".to_owned(), ids.span_id().to_string().into());
            }
        }
    }
}

/// Collects an event's fields beside the line's own, which a field of the same name never overwrites.
struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        let name = match field.name() {
            name @ ("timestamp" | "level" | "target" | "span" | "trace_id" | "span_id") => {
                format!("field.{name}")
            }
            name => name.strip_prefix("r#").unwrap_or(name).to_owned(),
        };
        self.0.insert(name, value.into());
    }
}

impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        // The chain of causes, or the line would say "connection error" and keep why to itself.
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            let next = error.to_string();
            if !text.contains(&next) {
                text.push_str(": ");
                text.push_str(&next);
            }
            cause = error.source();
        }
        self.put(field, text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Mutex};

    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::{Registry, fmt::MakeWriter, layer::SubscriberExt};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Lines {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    fn lines_of(with_traces: bool, log: impl FnOnce()) -> Vec<Value> {
        let (lines, keeper) = (Lines::default(), DispatchKeeper::default());
        let provider = SdkTracerProvider::builder().build();
        let spans = with_traces.then(|| tracing_opentelemetry::layer().with_tracer(provider.tracer("test")));
        let subscriber = Registry::default().with(keeper.clone()).with(spans).with(
            tracing_subscriber::fmt::layer()
                .fmt_fields(JsonFields::new())
                .event_format(JsonLine(keeper))
                .with_writer(lines.clone()),
        );
        tracing::subscriber::with_default(subscriber, log);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_holds_message_fields_span_and_the_ids_of_the_trace() {
        let lines = lines_of(true, || {
            let _entered = tracing::info_span!("append", log_id = 7).entered();
            tracing::info!(stored = 3, name = "a\nb", "event_stored");
        });
        assert_eq!(lines.len(), 1, "a newline in a field must not break the line");
        let line = &lines[0];
        assert_eq!(line["message"], "event_stored");
        assert_eq!(line["stored"], 3);
        assert_eq!(line["name"], "a\nb");
        assert_eq!(line["span"], serde_json::json!({"name": "append", "log_id": 7}));
        assert_eq!(line["trace_id"].as_str().unwrap().len(), 32);
        assert_eq!(line["span_id"].as_str().unwrap().len(), 16);
    }

    #[test]
    fn without_a_collector_there_are_no_ids() {
        let lines = lines_of(false, || {
            let _entered = tracing::info_span!("append").entered();
            tracing::warn!(target = "mine", "slow");
        });
        assert_eq!(lines[0].get("trace_id"), None);
        assert_eq!(lines[0]["level"], "WARN");
        assert_eq!(lines[0]["field.target"], "mine");
    }

    #[test]
    fn an_error_is_written_with_its_causes() {
        let error = io::Error::other(crate::config::ConfigError::key("a.b", "is bad"));
        let lines = lines_of(false, || {
            tracing::error!(error = &error as &(dyn std::error::Error + 'static), "failed");
        });
        assert!(lines[0]["error"].as_str().unwrap().contains("a.b"));
    }
}

//! Logs, and traces when a collector is configured; both by `tracing`.

mod collector;
mod json_line;

use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{Protocol, WithExportConfig, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracerProvider},
};
use opentelemetry_semantic_conventions::resource::{SERVICE_INSTANCE_ID, SERVICE_VERSION};
use tracing_subscriber::{
    EnvFilter, Layer, Registry, filter::LevelFilter, layer::SubscriberExt, util::SubscriberInitExt,
};

use self::collector::Collector;
use crate::config::{ConfigError, LogFormat, TelemetrySettings};

/// What must be flushed before the process ends.
#[derive(Debug)]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

/// Logs or traces cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The exporter of traces refuses its settings.
    #[error("configuration key `telemetry.otlp_endpoint`: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// A setting cannot be used.
    #[error(transparent)]
    Configuration(#[from] ConfigError),
    /// Another subscriber was installed before.
    #[error("the log cannot be opened: {0}")]
    Subscriber(#[from] tracing_subscriber::util::TryInitError),
}

impl Telemetry {
    /// Opens the log (standard output) and, when an endpoint is configured, the export of traces; once per process.
    pub fn start(service_name: &'static str, settings: &TelemetrySettings) -> Result<Self, TelemetryError> {
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        let traces = tracer_provider(service_name, settings)?;
        // Without the collector there are no spans to carry ids, so the layer is left out and costs nothing.
        // They have a level of their own: fewer log lines must not mean no traces.
        let spans = traces.as_ref().map(|provider| {
            tracing_opentelemetry::layer()
                .with_tracer(provider.tracer(service_name))
                .with_filter(LevelFilter::INFO)
        });
        let keeper = json_line::DispatchKeeper::default();
        let lines = lines(settings, keeper.clone()).with_filter(filter(settings));
        // The keeper wants no events. Without a bound of its own it would have every `trace!` of every crate looked at,
        // and librdkafka's client has two for each record.
        let keeper = keeper.with_filter(LevelFilter::OFF);
        Registry::default().with(keeper).with(spans).with(lines).try_init()?;
        Ok(Self { traces })
    }

    /// Sends what has not been sent yet; call it at the end, also of a start that failed.
    pub fn flush(self) {
        if let Some(provider) = self.traces
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

/// `RUST_LOG` when it is set and can be read, else the configured filter.
fn filter(settings: &TelemetrySettings) -> EnvFilter {
    EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        // The AMQP client logs each answer that a passive declaration asks for as an error; what matters the bridge says.
        let quiet = if settings.log_filter.contains("lapin") { "" } else { "lapin=off," };
        EnvFilter::new(format!("{quiet}{}", settings.log_filter))
    })
}

fn lines<S>(
    settings: &TelemetrySettings,
    keeper: json_line::DispatchKeeper,
) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    match settings.log_format {
        LogFormat::Text => tracing_subscriber::fmt::layer().boxed(),
        LogFormat::Json => tracing_subscriber::fmt::layer()
            .fmt_fields(tracing_subscriber::fmt::format::JsonFields::new())
            .event_format(json_line::JsonLine(keeper))
            .boxed(),
    }
}

fn tracer_provider(
    service_name: &'static str,
    settings: &TelemetrySettings,
) -> Result<Option<SdkTracerProvider>, TelemetryError> {
    if settings.otlp_endpoint.is_none() && !endpoint_variable_is_set() {
        return Ok(None);
    }
    let builder = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_http_client(Collector::new(settings.otlp_ca_file.as_deref())?);
    let exporter = match &settings.otlp_endpoint {
        Some(base) => builder.with_endpoint(format!("{}/v1/traces", base.trim_end_matches('/'))).build()?,
        // The exporter reads OpenTelemetry's own variables by itself.
        None => builder.build()?,
    };
    let resource = Resource::builder()
        .with_service_name(service_name)
        .with_attribute(KeyValue::new(SERVICE_VERSION, settings.service_version.clone()))
        .with_attribute(KeyValue::new(SERVICE_INSTANCE_ID, instance_id()))
        .build();
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.trace_ratio))))
        .build();
    Ok(Some(provider))
}

fn endpoint_variable_is_set() -> bool {
    ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// The pod or machine name and the process: what tells two replicas apart.
fn instance_id() -> String {
    let host =
        std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "local".to_owned());
    format!("{host}:{}", std::process::id())
}

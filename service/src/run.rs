//! The start, the life and the end of a daemon.

use std::{
    future::poll_fn, path::PathBuf, pin::pin, process::ExitCode, sync::Arc, task::Poll, time::Duration,
};

use clap::{Arg, Command, value_parser};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use crate::{
    Health, Shutdown, certificates,
    config::{self, AuditConfig, ConfigError, Loaded},
    health::{self, Condition},
    http,
    metrics::Metrics,
    telemetry::Telemetry,
};

/// What differs between daemons at start and stop.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    /// `service.name` in traces and logs.
    pub name: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    /// The keys that this daemon cannot do without.
    pub require: fn(&AuditConfig) -> Result<(), ConfigError>,
    /// How long a graceful stop may take.
    pub shutdown_deadline: fn(&AuditConfig) -> Duration,
}

/// What a daemon gets.
#[derive(Debug, Clone)]
pub struct Context {
    /// The checked configuration.
    pub config: Arc<AuditConfig>,
    /// Where the daemon names its conditions of readiness, before it first waits for anything.
    pub health: Health,
    /// The request to stop.
    pub shutdown: Shutdown,
    /// What `/metrics` renders, for a daemon that serves it on a second address.
    pub metrics: Metrics,
}

impl Service {
    /// The ingestor.
    pub const INGESTOR: Self = Self {
        name: "audit-ingestor",
        about: "Stores the events of Kafka topics in PostgreSQL, each exactly once.",
        require: |config| {
            config.kafka.bootstrap_servers()?;
            config.registry.url()?;
            config.database.ingestor_url().map(|_| ())
        },
        shutdown_deadline: |config| config.ingestor.shutdown_deadline,
    };

    /// The RabbitMQ bridge.
    pub const RABBITMQ_BRIDGE: Self = Self {
        name: "audit-rabbitmq-bridge",
        about: "Brings the messages of RabbitMQ to Kafka as events.",
        require: |config| {
            config.rabbitmq.url()?;
            config.kafka.bootstrap_servers()?;
            config.registry.url().map(|_| ())
        },
        shutdown_deadline: |config| config.rabbitmq.shutdown_deadline,
    };

    /// The HTTP API.
    pub const AUDIT_API: Self = Self {
        name: "audit-api",
        about: "Answers queries and replays over HTTP.",
        require: |config| {
            config.auth.require()?;
            config.accesses.require(config)?;
            config.database.api_url().map(|_| ())
        },
        shutdown_deadline: |config| config.api.shutdown_deadline,
    };

    /// The projector.
    pub const PROJECTOR: Self = Self {
        name: "audit-projector",
        about: "Folds the events in recorded order into the projections that queries read.",
        require: |config| config.database.projector_url().map(|_| ()),
        shutdown_deadline: |config| config.projector.shutdown_deadline,
    };
}

/// Bad configuration, as users know it from other daemons.
const EXIT_CONFIGURATION: u8 = 2;

/// Runs a daemon from the command line to the exit code: 0 stopped as asked, 1 failed, 2 configuration.
///
/// Call it from a `main` that is not asynchronous: it makes the runtime.
pub fn run<F, R>(service: Service, daemon: F) -> ExitCode
where
    F: FnOnce(Context) -> R,
    R: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let loaded = match configuration(&service) {
        Ok(loaded) => loaded,
        Err(error) => {
            // The log is not open yet: its format is part of the configuration.
            eprintln!("{}: {error}", service.name);
            return ExitCode::from(EXIT_CONFIGURATION);
        }
    };
    let telemetry = match Telemetry::start(service.name, &loaded.config.telemetry) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            eprintln!("{}: {error}", service.name);
            return ExitCode::from(EXIT_CONFIGURATION);
        }
    };
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let result = live(service, loaded.config, daemon);
    let code = match &result {
        Ok(()) => {
            tracing::info!(service = service.name, "stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!(service = service.name, error = format!("{error:#}"), "failed");
            let of_configuration = error.downcast_ref::<ConfigError>().is_some();
            if of_configuration { ExitCode::from(EXIT_CONFIGURATION) } else { ExitCode::FAILURE }
        }
    };
    telemetry.flush();
    code
}

fn configuration(service: &Service) -> Result<Loaded, ConfigError> {
    let arguments = Command::new(service.name)
        .about(service.about)
        .version(env!("CARGO_PKG_VERSION"))
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("The configuration [default: $AUDIT_CONFIG, else ./audit.toml if it is there]"),
        )
        .get_matches();
    let loaded = config::load(arguments.get_one::<PathBuf>("config").cloned())?;
    (service.require)(&loaded.config)?;
    Ok(loaded)
}

fn live<F, R>(service: Service, config: AuditConfig, daemon: F) -> anyhow::Result<()>
where
    F: FnOnce(Context) -> R,
    R: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let metrics = Metrics::install()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let deadline = (service.shutdown_deadline)(&config);
    let context =
        Context { config: Arc::new(config), health: Health::new(), shutdown: Shutdown::new(), metrics };
    let result = runtime.block_on(supervise(service, context, deadline, daemon));
    // A task that ignores the request to stop must not hold the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// How long after an immediate stop was asked for the daemon may take to return.
const IMMEDIATE: Duration = Duration::from_secs(1);

/// Runs the daemon; `running` is met from where it first waits. Its own conditions it names before that, and a probe that
/// comes earlier must not find it ready because nothing is named yet.
async fn named_first<R: Future>(daemon: R, running: Condition) -> R::Output {
    let mut daemon = pin!(daemon);
    let first = poll_fn(|context| Poll::Ready(daemon.as_mut().poll(context))).await;
    running.met();
    match first {
        Poll::Ready(output) => output,
        Poll::Pending => daemon.await,
    }
}

async fn supervise<F, R>(
    service: Service,
    context: Context,
    deadline: Duration,
    daemon: F,
) -> anyhow::Result<()>
where
    F: FnOnce(Context) -> R,
    R: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let (shutdown, settings) = (context.shutdown.clone(), &context.config.telemetry);
    listen_for_signals(shutdown.clone())?;
    let listener = TcpListener::bind(settings.listen).await.map_err(|error| {
        ConfigError::key("telemetry.listen", format!("cannot listen on {}: {error}", settings.listen))
    })?;
    tracing::info!(
        service = service.name,
        version = settings.service_version,
        telemetry = %listener.local_addr()?,
        "started"
    );
    let routes = health::routes(context.health.clone(), context.metrics.clone());
    let limits = http::Limits { max_connections: 64, header_timeout: Duration::from_secs(5) };
    // It answers until the very end: a drain is what operators most want to watch.
    let observing = Shutdown::new();
    tokio::spawn(http::serve(listener, routes, limits, observing.clone()));
    tokio::spawn(context.metrics.clone().upkeep());
    tokio::spawn(certificates::watch(Arc::clone(&context.config)));
    let running_condition = context.health.condition("running");

    let mut running = tokio::spawn(named_first(daemon(context), running_condition.clone()));
    let result = tokio::select! {
        ended = &mut running => ended?,
        () = shutdown.requested() => {
            running_condition.unmet("stopping");
            drain(&mut running, &shutdown, deadline).await
        }
    };
    observing.request_immediate();
    result
}

async fn drain(
    running: &mut tokio::task::JoinHandle<anyhow::Result<()>>,
    shutdown: &Shutdown,
    deadline: Duration,
) -> anyhow::Result<()> {
    tracing::info!(deadline_seconds = deadline.as_secs_f64(), "stopping: finishing what has begun");
    tokio::select! {
        ended = &mut *running => return ended?,
        () = shutdown.immediate() => tracing::warn!("stopping at once: asked twice"),
        () = tokio::time::sleep(deadline) => {
            tracing::warn!("stopping at once: the deadline has passed");
            shutdown.request_immediate();
        }
    }
    if let Ok(ended) = tokio::time::timeout(IMMEDIATE, &mut *running).await {
        return ended?;
    }
    running.abort();
    anyhow::bail!("the work in hand was abandoned; nothing is lost, it is read again at the next start")
}

/// The first SIGTERM or SIGINT asks for a graceful stop, the second for one at once.
fn listen_for_signals(shutdown: Shutdown) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if shutdown.is_requested() {
                shutdown.request_immediate();
            } else {
                shutdown.request();
            }
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_daemon_is_not_ready_before_it_has_named_its_conditions() {
        let health = Health::new();
        let running = health.condition("running");
        let own = health.clone();
        let daemon = async move {
            assert_eq!(own.readiness().unmet["running"], "starting");
            let database = own.condition("database");
            tokio::task::yield_now().await;
            assert!(!own.readiness().unmet.contains_key("running"), "it is running since it first waited");
            assert!(own.readiness().unmet.contains_key("database"));
            database.met();
            own.readiness().status
        };
        assert_eq!(named_first(daemon, running).await, "ready");
    }
}

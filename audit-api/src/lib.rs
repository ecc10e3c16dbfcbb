//! A request's way out: request → filter → query → stream; and an event's way in by HTTP.
//!
//! [`router`] is the route table, `endpoints` has one endpoint a file, [`request`] turns raw parameters into checked
//! ones, [`walk`] goes through the store chunk by chunk, [`respond`] writes the answer. [`submit`] takes events and
//! [`redrive`] sends dead letters again, both by Kafka. [`auth`] says who asks, [`access`] records who looked.

pub mod access;
pub mod auth;
pub mod endpoints;
pub mod exports;
pub mod head;
pub mod https;
pub mod limits;
pub mod measure;
pub mod observe;
pub mod openapi;
pub mod redrive;
pub mod replays;
pub mod replica;
pub mod request;
pub mod respond;
pub mod router;
pub mod state;
pub mod submit;
pub mod walk;
pub mod writing;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use service::{Condition, Context, config::ConfigError, http};
use shared::clock::SystemClock;
use store::{DatabaseUrl, Reader};
use tokio::net::TcpListener;

use crate::{
    access::Recorder,
    auth::{Authenticator, Jwks},
    exports::Exports,
    replica::{Replica, Watch},
    state::{Api, Parts},
    writing::Writing,
};

/// The name that the database shows for our connections.
const APPLICATION: &str = "audit-api";
/// Time between two looks at the database for readiness.
const PROBE: Duration = Duration::from_secs(5);
/// How long a stop waits for the records of the last accesses.
const LAST_RECORDS: Duration = Duration::from_secs(5);

/// Runs the API until a stop is requested and every request has been answered.
pub async fn run(context: Context) -> anyhow::Result<()> {
    measure::describe();
    let settings = context.config.api.clone();
    let (database, tokens) = (context.health.condition("database"), context.health.condition("tokens"));
    let clock = Arc::new(SystemClock);
    let authenticator = Authenticator::new(&context.config.auth, clock.clone())?;
    let identity = https::identity(&settings)?;
    let url = DatabaseUrl::from(context.config.database.api_url()?);
    let recorder = recording(&context, clock.clone())?;
    let reader = connect(&url, settings.pool_size, &context).await?;
    let writing = Writing::new(&context.config, &url, &reader, clock.clone())?;
    if writing.is_none() {
        tracing::warn!("no kafka.bootstrap_servers or no registry.url: this API only reads");
    }
    let listener = TcpListener::bind(settings.listen).await.map_err(|error| {
        ConfigError::key("api.listen", format!("cannot listen on {}: {error}", settings.listen))
    })?;
    tracing::info!(address = %listener.local_addr()?, "listening");

    match authenticator.jwks() {
        None => tokens.met(),
        Some(jwks) => {
            drop(tokio::spawn(keep_keys(Arc::clone(jwks), context.config.auth.jwks_refresh, tokens)));
        }
    }
    let replica = context.config.database.replica_url.as_ref().map(|_| Arc::<Replica>::default());
    tokio::spawn(watch_database(reader.clone(), replica.clone(), database));
    let limits =
        http::Limits { max_connections: settings.max_connections, header_timeout: settings.header_timeout };
    let replaying = writing.as_ref().map(|writing| {
        tokio::spawn(writing.clone().keep(context.shutdown.clone()));
        tokio::spawn(writing.replays.clone().keep(context.shutdown.clone()))
    });
    let exports = Exports::new(&context.config.exports)?;
    if let Some(exports) = &exports {
        tokio::spawn(Arc::clone(exports).sweep(context.shutdown.clone()));
    }
    let api = Api::new(Parts {
        reader,
        writing: writing.clone(),
        exports,
        retention: context.config.retention.clone(),
        recorder: recorder.clone(),
        authenticator,
        settings,
        clock,
        shutdown: context.shutdown.clone(),
    });
    if let (Some(url), Some(replica)) = (&context.config.database.replica_url, &replica) {
        let watch = Watch {
            url: DatabaseUrl::from(url),
            connections: api.settings.pool_size,
            application: APPLICATION,
            max_lag: api.settings.replica_max_lag,
        };
        tokio::spawn(watch.keep(Arc::clone(&api), Arc::clone(replica)));
    }
    let router = router::router(api, replica, context.health.clone(), context.metrics.clone());
    let served = https::serve(listener, router, limits, identity, context.shutdown).await;
    let patience = context.config.submissions.delivery_timeout;
    if let Some(replaying) = replaying {
        // What was handed to Kafka is waited for and saved; a runner that does not end in time has lost nothing either.
        let _ = tokio::time::timeout(patience, replaying).await;
    }
    if let Some(recorder) = recorder {
        recorder.close(LAST_RECORDS).await;
    }
    if let Some(writing) = writing {
        writing.close(patience).await;
    }
    served.context("the HTTP listener failed")
}

/// What records who looked, if anything does; it names its condition before anything is waited for.
fn recording(context: &Context, clock: Arc<SystemClock>) -> anyhow::Result<Option<Recorder>> {
    let recorder = Recorder::new(&context.config, clock)?;
    if let Some(recorder) = &recorder {
        let accesses = context.health.condition("accesses");
        tokio::spawn(recorder.clone().keep(accesses, context.shutdown.clone()));
    } else {
        tracing::warn!("accesses.record is false: nobody will be able to say who looked at what");
    }
    Ok(recorder)
}

/// Waits for the database; a schema that this build does not know ends the start.
async fn connect(url: &DatabaseUrl, connections: usize, context: &Context) -> anyhow::Result<Reader> {
    let mut pause = Duration::from_millis(200);
    loop {
        match Reader::connect(url, connections, APPLICATION).await {
            Ok(reader) => return Ok(reader),
            Err(error) if error.is_transient() && !context.shutdown.is_requested() => {
                tracing::warn!(%error, "the database cannot be reached; trying again");
            }
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(PROBE),
            () = context.shutdown.requested() => anyhow::bail!("asked to stop before the database could be reached"),
        }
    }
}

/// Without the primary, an API that reads from a standby goes on answering reads.
async fn watch_database(reader: Reader, replica: Option<Arc<Replica>>, condition: Condition) {
    loop {
        measure::pool(&reader);
        match reader.check().await {
            Ok(()) => condition.met(),
            Err(error) if replica.as_ref().is_some_and(|replica| replica.is_used()) => {
                tracing::warn!(%error, "the primary cannot be reached; reads go on at the standby");
                condition.met();
            }
            Err(error) => condition.unmet(error.to_string()),
        }
        tokio::time::sleep(PROBE).await;
    }
}

/// Fetches the public keys, soon again until they are known, then from time to time.
async fn keep_keys(jwks: Arc<Jwks>, every: Duration, condition: Condition) {
    loop {
        let fetched = jwks.refresh().await;
        let known = fetched.is_ok();
        match fetched {
            Ok(()) => condition.met(),
            Err(reason) => condition.unmet(format!("the public keys were never fetched: {reason}")),
        }
        tokio::time::sleep(if known { every } else { PROBE.min(every) }).await;
    }
}

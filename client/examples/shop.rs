//! A small shop whose every request and every order is in the audit trail.
//!
//! With `cargo xtask up` running, in the project's folder:
//!
//! ```text
//! cargo run -p audit-trail-client --example shop
//! curl -X POST -H 'x-user: ana' -H 'content-type: application/json' \
//!      -d '{"sku":"tea","quantity":2}' http://127.0.0.1:3000/orders
//! curl -X PATCH -H 'x-user: ana' -H 'content-type: application/json' \
//!      -d '{"quantity":3}' http://127.0.0.1:3000/orders/<id>
//! trailctl history Order <id>
//! trailctl events --event-type HttpRequest
//! ```
//!
//! Elsewhere: `--kafka HOST:PORT --registry URL`, `--topic`, `--listen`.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use audit_trail_client::{
    AuditEvent, AuditProducer, Changes, EventBuilder, Mint, ProducerSettings, Refusal, SendError,
    middleware::{AuditLayer, Identity},
};
use axum::{
    Extension, Json, Router,
    extract::{Path, Request, State},
    http::StatusCode,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use clap::Parser;
use serde::{Deserialize, Serialize};

#[derive(Parser)]
struct Arguments {
    /// Kafka's host:port [default: the local stack's]
    #[arg(long)]
    kafka: Option<String>,
    /// The registry's URL [default: the local stack's]
    #[arg(long)]
    registry: Option<String>,
    /// The topic
    #[arg(long, default_value = "audit.events")]
    topic: String,
    /// Where the shop listens
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
}

#[derive(Clone)]
struct Shop {
    orders: Arc<Mutex<HashMap<String, (u32, Order)>>>,
    audit: AuditProducer,
}

#[derive(Clone, Serialize, Deserialize)]
struct Order {
    sku: String,
    quantity: u32,
    note: Option<String>,
}

#[derive(Deserialize)]
struct Correction {
    quantity: Option<u32>,
    note: Option<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let arguments = Arguments::parse();
    let (kafka, registry) = match (arguments.kafka, arguments.registry) {
        (Some(kafka), Some(registry)) => (kafka, registry),
        (kafka, registry) => {
            let local = local_stack().context("give --kafka and --registry, or start `cargo xtask up`")?;
            (kafka.unwrap_or(local.kafka), registry.unwrap_or(local.schema_registry))
        }
    };
    let settings = ProducerSettings { topic: arguments.topic, ..ProducerSettings::new(kafka, registry) };
    let audit = AuditProducer::start(&settings, Mint::system())?;
    let shop = Shop { orders: Arc::default(), audit: audit.clone() };
    let layer = AuditLayer::new(audit.clone(), "shop")
        .organization("demo")
        .trust("127.0.0.0/8".parse()?)
        .except(|_, path| path == "/health");
    let app = Router::new()
        .route("/orders", post(place))
        .route("/orders/{id}", get(show).patch(correct))
        .route("/health", get(|| async { "ok" }))
        .layer(layer)
        // Outside of the layer, so that it knows who asks.
        .layer(from_fn(identify))
        .with_state(shop);
    let listener = tokio::net::TcpListener::bind(arguments.listen).await?;
    println!("the shop is open at http://{}", listener.local_addr()?);
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
        .await?;
    let flushed = audit.flush(Duration::from_secs(10)).await;
    println!("closed; every event is in Kafka: {flushed}; {:?}", audit.stats());
    Ok(())
}

/// What a real service would learn from a token.
async fn identify(mut request: Request, next: Next) -> Response {
    let user = request.headers().get("x-user").and_then(|user| user.to_str().ok()).map(str::to_owned);
    request.extensions_mut().insert(Identity { user, organization: None });
    next.run(request).await
}

/// An order is placed only if its event is in Kafka.
async fn place(
    State(shop): State<Shop>,
    Extension(who): Extension<Identity>,
    Json(order): Json<Order>,
) -> Result<(StatusCode, Json<serde_json::Value>), Failure> {
    let id = format!("order-{}", shop.audit.mint().id());
    let event = event("OrderPlaced", &id, 1, &who).payload(&order).build(shop.audit.mint())?;
    shop.audit.send(event).await?;
    shop.lock().insert(id.clone(), (1, order));
    Ok((StatusCode::CREATED, Json(serde_json::json!({ "id": id }))))
}

/// A correction's event says which fields changed; it goes its way while the answer is given already.
async fn correct(
    State(shop): State<Shop>,
    Extension(who): Extension<Identity>,
    Path(id): Path<String>,
    Json(correction): Json<Correction>,
) -> Result<Json<Order>, Failure> {
    let mut orders = shop.lock();
    let (version, order) = orders.get_mut(&id).ok_or(Failure(StatusCode::NOT_FOUND))?;
    let before = order.clone();
    let mut after = order.clone();
    after.quantity = correction.quantity.unwrap_or(after.quantity);
    after.note = correction.note.or(after.note);
    let changes =
        Changes::between(&before, &after).map_err(|_| Failure(StatusCode::INTERNAL_SERVER_ERROR))?;
    if !changes.is_empty() {
        let event = event("OrderCorrected", &id, *version + 1, &who).changes(&changes);
        // Under the lock, so that versions reach the queue in their order.
        drop(shop.audit.offer(event.build(shop.audit.mint())?)?);
        (*version, *order) = (*version + 1, after.clone());
    }
    Ok(Json(after))
}

async fn show(State(shop): State<Shop>, Path(id): Path<String>) -> Result<Json<Order>, Failure> {
    let orders = shop.lock();
    orders.get(&id).map(|(_, order)| Json(order.clone())).ok_or(Failure(StatusCode::NOT_FOUND))
}

fn event(what: &str, id: &str, version: u32, who: &Identity) -> EventBuilder {
    let event = AuditEvent::named(what).of("Order", id).version(version).source("shop").organization("demo");
    match &who.user {
        Some(user) => event.user(user),
        None => event,
    }
}

impl Shop {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (u32, Order)>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Failure(StatusCode);

impl From<SendError> for Failure {
    fn from(_: SendError) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE)
    }
}

impl From<Refusal> for Failure {
    fn from(_: Refusal) -> Self {
        Self(StatusCode::UNPROCESSABLE_ENTITY)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LocalStack {
    kafka: String,
    schema_registry: String,
}

/// What `cargo xtask up` says about itself.
fn local_stack() -> Option<LocalStack> {
    let here = std::env::current_dir().ok()?;
    let files = here.ancestors().map(|folder| folder.join(".stack/up/status.json"));
    files.into_iter().find_map(|file| serde_json::from_slice(&std::fs::read(file).ok()?).ok())
}

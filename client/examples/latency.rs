//! What the middleware costs a service: the same requests without it, with it, and with it while Kafka is away.
//!
//! ```text
//! cargo run --release -p audit-trail-client --example latency -- --kafka HOST:PORT --registry URL
//! ```
//!
//! Requests go through real sockets to an axum service in this process, on a few connections that are kept open and
//! ask at a fixed pace.

use std::time::{Duration, Instant};

use audit_trail_client::{AuditProducer, Mint, ProducerSettings, middleware::AuditLayer};
use axum::{Router, routing::get};
use clap::Parser;

#[derive(Parser)]
struct Arguments {
    /// Kafka's host:port; without it only Kafka's absence is measured
    #[arg(long, requires = "registry")]
    kafka: Option<String>,
    /// The registry's URL
    #[arg(long)]
    registry: Option<String>,
    /// The topic
    #[arg(long, default_value = "audit.events.latency")]
    topic: String,
    /// Requests a second
    #[arg(long, default_value_t = 2000)]
    rate: u32,
    /// Seconds of each round
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// Rounds of each kind, taken in turns
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

const CONNECTIONS: u32 = 8;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let away = ProducerSettings::new("127.0.0.1:1", "http://127.0.0.1:1");
    let mut kinds = vec![("without", None), ("kafka away", Some(away))];
    if let (Some(kafka), Some(registry)) = (&arguments.kafka, &arguments.registry) {
        let settings = ProducerSettings::new(kafka, registry);
        kinds.push(("with kafka", Some(ProducerSettings { topic: arguments.topic.clone(), ..settings })));
    }
    println!("round  middleware   requests  p50 us  p99 us  p99.9 us  audit");
    for round in 1..=arguments.rounds {
        for (name, settings) in &kinds {
            let audit = settings.as_ref().map(|settings| AuditProducer::start(settings, Mint::system()));
            let audit = audit.transpose()?;
            let app = Router::new().route("/orders/{id}", get(|| async { "an order" }));
            let app = match &audit {
                Some(audit) => app.layer(AuditLayer::new(audit.clone(), "shop")),
                None => app,
            };
            let mut took = measure(app, &arguments).await?;
            took.sort_unstable();
            let at = |share: usize| took[(took.len() * share / 1000).min(took.len() - 1)].as_micros();
            let stats = audit.map(|audit| format!("{:?}", audit.stats())).unwrap_or_default();
            let (p50, p99, p999) = (at(500), at(990), at(999));
            println!("{round:>5}  {name:<11} {:>9} {p50:>7} {p99:>7} {p999:>9}  {stats}", took.len());
        }
    }
    Ok(())
}

async fn measure(app: Router, arguments: &Arguments) -> anyhow::Result<Vec<Duration>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/orders/4711", listener.local_addr()?);
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let each = arguments.rate * arguments.seconds / CONNECTIONS;
    let pace = Duration::from_secs(1) * CONNECTIONS / arguments.rate;
    let workers: Vec<_> = (0..CONNECTIONS).map(|_| tokio::spawn(ask(url.clone(), each, pace))).collect();
    let mut took = Vec::new();
    for worker in workers {
        took.extend(worker.await??);
    }
    server.abort();
    Ok(took)
}

async fn ask(url: String, requests: u32, pace: Duration) -> anyhow::Result<Vec<Duration>> {
    let client = reqwest::Client::new();
    client.get(&url).send().await?.bytes().await?;
    let begun = Instant::now();
    let mut took = Vec::new();
    for number in 0..requests {
        let due = begun + pace * number;
        tokio::time::sleep_until(due.into()).await;
        let sent = Instant::now();
        client.get(&url).send().await?.error_for_status()?.bytes().await?;
        // Timers have a grain of a millisecond, which is not the service's.
        took.push(sent.elapsed());
    }
    Ok(took)
}

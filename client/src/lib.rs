//! For Rust microservices: audit events that cannot be invalid, on their way to Kafka without slowing anything down.
//!
//! * [`AuditEvent`]: built step by step, checked by the very code that the ingestor checks with.
//! * [`Changes`]: which fields of a value changed, each with its old and its new value.
//! * [`AuditProducer`]: a bounded queue to Kafka. A caller waits, or never waits and has the drops counted.
//! * [`middleware`]: one event for each HTTP request, for tower and axum.
//!
//! # An event
//!
//! ```
//! use audit_trail_client::{AuditEvent, Mint};
//!
//! let mint = Mint::system();
//! let placed = AuditEvent::named("OrderPlaced")
//!     .of("Order", "order-4711")
//!     .version(1)
//!     .payload(&serde_json::json!({"total": "12.50"}))
//!     .user("ana")
//!     .organization("demo")
//!     .source("shop")
//!     .build(&mint)?;
//! let captured = AuditEvent::named("PaymentCaptured")
//!     .of("Payment", "payment-815")
//!     .caused_by(&placed)
//!     .build(&mint)?;
//! assert_eq!(placed.payload(), r#"{"total":"12.50"}"#);
//! assert_eq!(captured.metadata()["causationId"], placed.id().to_string());
//!
//! // What breaks a rule is told with its place and the remedy.
//! let refusal = AuditEvent::named("OrderPlaced").of("Order", "").build(&mint).unwrap_err();
//! assert_eq!(refusal.pointer, "/aggregateId");
//! # Ok::<(), audit_trail_client::Refusal>(())
//! ```
//!
//! # On its way
//!
//! ```no_run
//! use std::time::Duration;
//! use audit_trail_client::{AuditEvent, AuditProducer, Mint, ProducerSettings};
//!
//! # async fn service() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = ProducerSettings::new("127.0.0.1:9092", "http://127.0.0.1:8081/apis/ccompat/v7");
//! let audit = AuditProducer::start(&settings, Mint::system())?;
//! let event = AuditEvent::named("OrderPlaced").of("Order", "order-4711").build(audit.mint())?;
//!
//! audit.send(event.clone()).await?;         // waits until Kafka has it
//! drop(audit.enqueue(event.clone()).await); // waits for room only
//! drop(audit.offer(event));                 // never waits; without room it is dropped and counted
//!
//! audit.flush(Duration::from_secs(10)).await; // before the process ends
//! println!("{:?}", audit.stats());
//! # Ok(())
//! # }
//! ```
//!
//! Features: `axum` (the default) has the middleware with route templates and peers' addresses; `tower` the middleware
//! without them; without either, only events and the producer.

// The Rust of the page about producing must compile.
#[cfg(doctest)]
#[doc = include_str!("../../docs/producing.md")]
struct ProducingPage;

mod changes;
mod event;
#[cfg(feature = "tower")]
pub mod middleware;
mod mint;
mod producer;
mod settings;
mod trace;

pub use bus::{Delivered, ProduceError};
pub use changes::{Changes, ChangesError};
pub use event::{AuditEvent, EventBuilder, Named};
pub use mint::Mint;
pub use producer::{AuditProducer, Pending, SendError, StartError, Stats};
pub use service::config::{KafkaSettings, RegistrySettings};
pub use settings::ProducerSettings;
pub use shared::{
    clock::{Clock, ManualClock, SystemClock},
    refusal::{Reason, Refusal},
    timestamp::Timestamp,
};

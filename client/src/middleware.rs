//! One event for each HTTP request (requirement E32), as a layer for tower and axum.
//!
//! Who, from where, what, when, and how it ended: the event is offered to the [`AuditProducer`] when the head of the
//! response is there, with the request's start as its time. Neither body is touched, so a response that streams goes
//! on streaming. A request whose caller goes away, or whose handler panics, is recorded too, as aborted.
//!
//! Nothing is ever waited for: without room the event is dropped, counted in [`Stats::dropped`](crate::Stats) and
//! reported in the log. A service that would rather refuse than answer unrecorded says so by
//! [`AuditLayer::fail_closed`].
//!
//! ```no_run
//! use audit_trail_client::{AuditProducer, Mint, ProducerSettings, middleware::AuditLayer};
//! use axum::{Router, routing::get};
//!
//! # async fn service() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = ProducerSettings::new("127.0.0.1:9092", "http://127.0.0.1:8081/apis/ccompat/v7");
//! let audit = AuditProducer::start(&settings, Mint::system())?;
//! let app: Router = Router::new()
//!     .route("/orders/{id}", get(|| async { "an order" }))
//!     .layer(AuditLayer::new(audit, "shop").organization("demo").trust("10.0.0.0/8".parse()?));
//! # Ok(())
//! # }
//! ```
//!
//! Who it was is said by an [`Identity`] among the extensions of the request, put there by an authentication layer
//! outside of this one, or of the response, put there by one inside or by the handler.
//!
//! The event: `eventType` `HttpRequest`; aggregate `User` and the user's id, else `Service` and the service's name,
//! unversioned; `action` = method and route template (the path where there is none). The query is left out: it may
//! hold secrets.

mod address;
mod recording;
mod seen;
mod service;

use std::{sync::Arc, time::Duration};

use http::Method;
use tower_layer::Layer;

use crate::AuditProducer;
pub use address::{InvalidNetwork, TrustedProxies};
pub use service::{AuditService, FailClosedService};

/// Who makes a request: an extension of the request or the response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The user's id.
    pub user: Option<String>,
    /// The organisation that the user acts for.
    pub organization: Option<String>,
}

/// The address of the peer, for servers other than axum's: an extension of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub std::net::IpAddr);

/// The layer; see the [module](self).
#[derive(Debug, Clone)]
pub struct AuditLayer {
    watch: Watch,
}

/// What every clone of a layer and its services share.
#[derive(Debug, Clone)]
struct Watch {
    producer: AuditProducer,
    rules: Arc<Rules>,
}

#[derive(Debug, Clone)]
struct Rules {
    service: String,
    organization: Option<String>,
    proxies: TrustedProxies,
    except: fn(&Method, &str) -> bool,
}

impl AuditLayer {
    /// Records every request of this service.
    pub fn new(producer: AuditProducer, service: impl Into<String>) -> Self {
        let rules = Rules {
            service: seen::name(&service.into()),
            organization: None,
            proxies: TrustedProxies::none(),
            except: |_, _| false,
        };
        Self { watch: Watch { producer, rules: Arc::new(rules) } }
    }

    /// The organisation of requests whose [`Identity`] names none.
    pub fn organization(self, organization: impl Into<String>) -> Self {
        self.with(|rules| rules.organization = Some(organization.into()))
    }

    /// The proxies whose `X-Forwarded-For` is believed; none by default, since anybody can send that header.
    pub fn trust(self, proxies: TrustedProxies) -> Self {
        self.with(|rules| rules.proxies = proxies)
    }

    /// Requests that are not recorded, by method and path: probes and scrapes.
    pub fn except(self, except: fn(&Method, &str) -> bool) -> Self {
        self.with(|rules| rules.except = except)
    }

    /// Refuses rather than answer unrecorded: 503 without calling the handler when no room for the event is free
    /// within this time, and 503 in place of its response when Kafka has not acknowledged the event within this time
    /// (then the handler's effects stay, and the event may still arrive). The acknowledgement comes before the first
    /// byte of the response.
    pub fn fail_closed(self, within: Duration) -> FailClosedLayer {
        FailClosedLayer { watch: self.watch, within }
    }

    fn with(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        change(Arc::make_mut(&mut self.watch.rules));
        self
    }
}

/// The layer that refuses what it cannot record; see [`AuditLayer::fail_closed`].
#[derive(Debug, Clone)]
pub struct FailClosedLayer {
    watch: Watch,
    within: Duration,
}

impl<S> Layer<S> for AuditLayer {
    type Service = AuditService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AuditService::new(inner, self.watch.clone())
    }
}

impl<S> Layer<S> for FailClosedLayer {
    type Service = FailClosedService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        FailClosedService::new(inner, self.watch.clone(), self.within)
    }
}

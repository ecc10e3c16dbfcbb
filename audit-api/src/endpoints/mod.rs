//! One endpoint a file: its parameters, its documentation, its handler.

mod accesses;
mod aggregates;
mod asked;
mod body;
mod causation;
mod dead_letters;
mod event_types;
mod events;
mod fallback;
mod health;
mod ledger;
mod older;
mod replay;
mod replays;
mod stats;
mod stream;

pub use asked::{Asked, Serving};
pub use fallback::{method_not_allowed, not_found, panicked};
pub(crate) use health::{__path_live, __path_metrics, __path_ready};
pub(crate) use older::{AuditLogDetails, is_older};

use std::sync::Arc;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::state::Api;

/// Every route that needs a token: `/v1`, and the older services' addresses.
pub fn v1() -> OpenApiRouter<Arc<Api>> {
    reads().merge(of_the_primary())
}

/// What a standby may answer: its handlers take [`Serving`].
pub fn reads() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(events::list::list, events::submit::submit))
        .routes(routes!(events::find::find))
        .routes(routes!(event_types::list))
        .routes(routes!(stats::stats))
        .routes(routes!(aggregates::list::list))
        .routes(routes!(causation::of_event))
        .routes(routes!(causation::of_correlation))
        .routes(routes!(aggregates::history::history))
        .routes(routes!(aggregates::replay::replay))
        .routes(routes!(aggregates::state::state))
        .routes(routes!(aggregates::diff::diff))
        .routes(routes!(accesses::list))
        .routes(routes!(replay::replay))
        .routes(routes!(stream::stream))
        .merge(older::routes())
}

/// What tells of something that was done a moment ago, or does something.
pub fn of_the_primary() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(ledger::record))
        .routes(routes!(dead_letters::list::list))
        .routes(routes!(dead_letters::find::find))
        .routes(routes!(dead_letters::redrive::redrive))
        .routes(routes!(replays::list::list, replays::start::start))
        .routes(routes!(replays::find::find, replays::change::cancel))
        .routes(routes!(replays::change::pause))
        .routes(routes!(replays::change::resume))
}

/// What needs no token, since its address is signed.
pub fn signed() -> OpenApiRouter<Arc<Api>> {
    older::signed()
}

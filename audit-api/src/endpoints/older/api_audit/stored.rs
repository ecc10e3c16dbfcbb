//! What is written at these addresses is answered when it is stored, as their documents have it.

use std::time::Duration;

use shared::envelope::Envelope;
use uuid::Uuid;

use crate::{auth::Caller, respond::Problem, state::Api};

const PATIENCE: Duration = Duration::from_secs(10);

/// Submits the event and waits until it is stored; gives back its id.
pub(super) async fn store(api: &Api, caller: &Caller, envelope: Envelope) -> Result<Uuid, Problem> {
    let submitted = api.submit(caller, vec![envelope], PATIENCE).await?;
    if !submitted.is_stored() {
        return Err(Problem::unavailable(
            "it is on its way, and will be stored once; it was not yet when the time was over",
        ));
    }
    submitted.events.first().map(|event| event.event_id).ok_or_else(Problem::internal)
}

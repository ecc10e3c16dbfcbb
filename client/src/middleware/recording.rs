//! The duty to record one request, which ends with it, whatever its end.

use std::time::Instant;

use http::{Request, Response};

use super::{
    Identity, Watch,
    seen::{Ending, Seen},
};
use crate::{
    Pending,
    producer::{Room, SendError},
};

/// Dropped before it is finished, it records the request as aborted: the caller went away, or the handler panicked.
pub(super) struct Recording {
    watch: Watch,
    begun: Instant,
    seen: Option<Seen>,
}

impl Recording {
    /// Begins with a request; `None` when it is not to be recorded.
    pub(super) fn begin<B>(request: &Request<B>, watch: &Watch) -> Option<Self> {
        let seen = Seen::of(request, &watch.rules, watch.producer.mint().now())?;
        Some(Self { watch: watch.clone(), begun: Instant::now(), seen: Some(seen) })
    }

    /// About how much room the event will need.
    pub(super) fn bytes(&self) -> usize {
        self.seen.as_ref().map_or(0, Seen::bytes)
    }

    /// Offers the event of a request that was answered.
    pub(super) fn finish<R>(mut self, response: &Response<R>) {
        let ending = self.ending(Some(response));
        // Without room it has been counted; nobody waits for the rest.
        let _ = self.conclude(&ending, None);
    }

    /// Sends it in room that was taken before the handler was called.
    pub(super) fn finish_in<R>(mut self, room: Room, response: &Response<R>) -> Result<Pending, SendError> {
        let ending = self.ending(Some(response));
        self.conclude(&ending, Some(room))
    }

    fn ending<R>(&self, response: Option<&Response<R>>) -> Ending {
        Ending {
            status: response.map(Response::status),
            identity: response.and_then(|response| response.extensions().get::<Identity>().cloned()),
            took: self.begun.elapsed(),
        }
    }

    fn conclude(&mut self, ending: &Ending, room: Option<Room>) -> Result<Pending, SendError> {
        let producer = &self.watch.producer;
        let seen = self.seen.take().ok_or(SendError::Stopped)?;
        let event = match seen.event(ending, &self.watch.rules, producer.mint()) {
            Ok(event) => event,
            Err(refusal) => {
                tracing::error!(%refusal, "a request cannot be recorded");
                producer.count_dropped();
                return Err(SendError::NoRoom);
            }
        };
        match room {
            Some(room) => producer.push(event, seen.trace(), room),
            None => producer.offer_traced(event, seen.trace()),
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if self.seen.is_some() {
            let ending = self.ending::<()>(None);
            // As in `finish`.
            let _ = self.conclude(&ending, None);
        }
    }
}

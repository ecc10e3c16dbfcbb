//! The life of a stream: counted and logged when it ends, and told to who records it.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{sync::oneshot, time::Instant};

use crate::respond::Stop;

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) rows: u64,
    pub(super) how: &'static str,
}

/// The end of a stream, to be waited for; an extension of the stream's answer, which can be cloned and taken once.
#[derive(Debug, Clone)]
pub struct Ending(Arc<Mutex<Option<oneshot::Receiver<Ended>>>>);

impl Ending {
    /// Waits for it; `None` = its writer ended without saying how.
    pub(super) async fn wait(self) -> Option<Ended> {
        let receiver = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        receiver.await.ok()
    }
}

/// The open stream.
pub struct StreamAccess {
    opened: Instant,
    ended: Option<oneshot::Sender<Ended>>,
}

impl StreamAccess {
    /// A stream begins; its end goes with the answer.
    pub fn opened() -> (Self, Ending) {
        metrics::gauge!("audit_api_streams_active").increment(1.0);
        let (sender, receiver) = oneshot::channel();
        let stream = Self { opened: Instant::now(), ended: Some(sender) };
        (stream, Ending(Arc::new(Mutex::new(Some(receiver)))))
    }

    /// It has ended, early when there is a reason.
    pub fn closed(mut self, rows: u64, stop: Option<&Stop>) {
        let how = stop.map_or("complete", Stop::name);
        metrics::counter!("audit_api_streams_total", "ended" => how).increment(1);
        metrics::counter!("audit_api_stream_rows_total").increment(rows);
        let seconds = self.opened.elapsed().as_secs_f64();
        if let Some(Stop::Store(error)) = stop {
            tracing::warn!(rows, seconds, ended = how, %error, "stream closed");
        } else {
            tracing::info!(rows, seconds, ended = how, "stream closed");
        }
        if let Some(ended) = self.ended.take() {
            // Nobody listens where accesses are not recorded.
            let _ = ended.send(Ended { rows, how });
        }
    }
}

impl Drop for StreamAccess {
    fn drop(&mut self) {
        metrics::gauge!("audit_api_streams_active").decrement(1.0);
        if self.ended.is_some() {
            tracing::error!("a stream's writer ended without saying how");
        }
    }
}

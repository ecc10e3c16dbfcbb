//! The life of a stream: opened with a permit, written by a task, ended by its end, its token, its client or a stop.

use std::{sync::Arc, time::Duration};

use axum::{body::Body, http::Response};
use shared::{avro::ContainerWriter, csv::FormulaGuard, view::write_csv_header};
use store::{ChunkLimits, EventRow, StoreError};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};
use tracing::Instrument as _;

use super::{Frames, Gone, Problem, ndjson, sse};
use crate::{access::StreamAccess, auth::Caller, request::Media, state::Api};

/// Bounds of the chunks of a stream that ends: large, the next one read while the client takes the last.
pub const REPLAY_LIMITS: ChunkLimits =
    ChunkLimits { rows: 1000, bytes: 1 << 20, scan: Duration::from_secs(1) };
/// Bounds of the chunks of a tail: little memory for each of many clients.
pub const TAIL_LIMITS: ChunkLimits =
    ChunkLimits { rows: 200, bytes: 128 << 10, scan: Duration::from_secs(1) };

/// Why a stream ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// The client has gone.
    #[error("the client has gone")]
    Client(#[from] Gone),
    /// The token has expired.
    #[error("the token has expired")]
    Expired,
    /// This process stops; clients resume elsewhere.
    #[error("the server stops")]
    Shutdown,
    /// The database failed.
    #[error("the database failed: {0}")]
    Store(#[from] StoreError),
}

impl Stop {
    /// In one word, for metrics and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Client(_) => "client",
            Self::Expired => "expired",
            Self::Shutdown => "shutdown",
            Self::Store(_) => "store",
        }
    }
}

/// What writes the rows of one stream.
pub trait Writer: Send + 'static {
    /// Writes everything; `Ok` = the answer is whole.
    fn write(self, out: &mut Out) -> impl Future<Output = Result<(), Stop>> + Send;
}

/// A stream that has been opened.
pub struct Streaming {
    out: Out,
    ends: Instant,
    access: StreamAccess,
    permit: OwnedSemaphorePermit,
}

/// Where a [`Writer`] writes.
pub struct Out {
    frames: Frames,
    media: Media,
    guard: FormulaGuard,
    container: Option<ContainerWriter>,
    rows: u64,
    last_sent: Instant,
    heartbeat: Duration,
}

impl Streaming {
    /// Takes one of the permits and makes the answer.
    pub fn open(api: &Api, caller: &Caller, media: Media) -> Result<(Self, Response<Body>), Problem> {
        let permit = Arc::clone(&api.streams)
            .try_acquire_owned()
            .map_err(|_| Problem::unavailable("all streams are taken: try again, or close one"))?;
        let (mut frames, body) = Frames::new(api.settings.slow_client_timeout);
        let heartbeat = api.settings.heartbeat;
        let guard = FormulaGuard::On;
        let container =
            (media == Media::Avro).then(|| ContainerWriter::begin(rand::random(), frames.buffer()));
        let out = Out { frames, media, guard, container, rows: 0, last_sent: Instant::now(), heartbeat };
        let (access, ending) = StreamAccess::opened();
        let stream = Self { out, ends: api.end_of_stream(caller.expires), access, permit };
        let mut response = super::data(media.content_type(), body);
        response.extensions_mut().insert(ending);
        Ok((stream, response))
    }

    /// Whether the cells of CSV are kept from becoming formulas; they are unless it is said.
    pub fn guarded(mut self, guard: FormulaGuard) -> Self {
        self.out.guard = guard;
        self
    }

    /// Runs the writer in a task of its own until it is done, or the stream has to end.
    pub fn spawn(self, writer: impl Writer) {
        tokio::spawn(self.run(writer).in_current_span());
    }

    async fn run(self, writer: impl Writer) {
        let Self { mut out, ends, access, permit: _permit } = self;
        let client = out.frames.client();
        let written = tokio::select! {
            written = writer.write(&mut out) => written,
            () = tokio::time::sleep_until(ends) => Err(Stop::Expired),
            () = client.gone() => Err(Stop::Client(Gone)),
        };
        drop(client);
        let rows = out.rows;
        let ended = match written {
            Ok(()) => out.finish().await.map_err(Stop::from),
            Err(stop) => {
                // A tail has no end of its own; its client reconnects. Anything else must not look whole.
                if out.media == Media::EventStream && matches!(stop, Stop::Expired | Stop::Shutdown) {
                    out.frames.end_here();
                }
                Err(stop)
            }
        };
        access.closed(rows, ended.err().as_ref());
    }
}

impl Out {
    /// Writes what stands before all rows: the column names of CSV.
    pub async fn head(&mut self) -> Result<(), Gone> {
        if self.media != Media::Csv {
            return Ok(());
        }
        write_csv_header(self.frames.buffer());
        self.send().await
    }

    /// Writes rows, with an id for each when they are server-sent events, and hands them over.
    pub async fn rows<F>(&mut self, rows: &[EventRow], id: &F) -> Result<(), Gone>
    where
        F: Fn(&EventRow) -> String + Sync,
    {
        for row in rows {
            let buffer = self.frames.buffer();
            match (&mut self.container, self.media) {
                (Some(container), _) => container.event(&row.view(), buffer),
                (None, Media::EventStream) => sse::event(buffer, &id(row), row),
                (None, Media::Csv) => row.view().write_csv(buffer, self.guard),
                (None, _) => ndjson::line(buffer, row),
            }
            self.rows += 1;
            self.frames.pass_on().await?;
        }
        if rows.is_empty() { Ok(()) } else { self.send().await }
    }

    /// Writes what only event streams have; nothing for lines.
    pub async fn control(&mut self, write: impl FnOnce(&mut Vec<u8>) + Send) -> Result<(), Gone> {
        if self.media != Media::EventStream {
            return Ok(());
        }
        write(self.frames.buffer());
        self.send().await
    }

    async fn finish(mut self) -> Result<(), Gone> {
        if let Some(container) = self.container.take() {
            container.end(self.frames.buffer());
        }
        self.frames.finish().await
    }

    /// When the next heartbeat is due.
    pub fn heartbeat_due(&self) -> Instant {
        self.last_sent + self.heartbeat
    }

    /// Counts the silence from now on: a heartbeat without an id to send.
    pub fn mark(&mut self) {
        self.last_sent = Instant::now();
    }

    async fn send(&mut self) -> Result<(), Gone> {
        self.mark();
        self.frames.flush().await
    }
}

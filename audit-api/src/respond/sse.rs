//! Server-sent events (WHATWG HTML, 9.2; semantics.md 6): every event has an id by which a client resumes.

use shared::position::Position;
use store::{EventRow, Reader, RecordedCursor};
use tokio::sync::watch;

use super::{Out, Stop, Writer};
use crate::{
    request::resume::{AggregateId, end_id},
    walk::{Chunk, RecordedWalk, Walk, next},
};

/// How long a client should wait before it reconnects, as the field that says so.
const RETRY: &[u8] = b"retry: 2000\n\n";

/// Appends one event.
pub fn event(out: &mut Vec<u8>, id: &str, row: &EventRow) {
    out.extend_from_slice(b"id: ");
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(b"\nevent: event\ndata: ");
    row.view().write_json(out);
    out.extend_from_slice(b"\n\n");
}

/// The first block: how to reconnect, and from where, if that is known.
async fn open(out: &mut Out, id: Option<String>) -> Result<(), Stop> {
    out.control(|buffer| {
        buffer.extend_from_slice(RETRY);
        id_only(buffer, id.as_deref());
    })
    .await?;
    Ok(())
}

/// A comment, which keeps the connection, and an id without data, which moves the resume point of a sparse filter.
async fn beat(out: &mut Out, id: Option<String>) -> Result<(), Stop> {
    out.control(|buffer| {
        buffer.extend_from_slice(b": heartbeat\n\n");
        id_only(buffer, id.as_deref());
    })
    .await?;
    out.mark();
    Ok(())
}

/// The last event: whoever resumes from its id is answered 204, so that an `EventSource` stops.
async fn end(out: &mut Out, head: i64) -> Result<(), Stop> {
    out.control(|buffer| {
        buffer.extend_from_slice(format!("id: {}\nevent: end\ndata: {{}}\n\n", end_id(head)).as_bytes());
    })
    .await?;
    Ok(())
}

fn id_only(buffer: &mut Vec<u8>, id: Option<&str>) {
    if let Some(id) = id {
        buffer.extend_from_slice(format!("id: {id}\n\n").as_bytes());
    }
}

/// What names a place in recorded order to the client.
type Name = fn(Position) -> String;

/// The position itself: tails and whole-store replays.
pub fn by_position(position: Position) -> String {
    position.to_string()
}

/// The position behind `r.`: the replay of one aggregate.
pub fn by_aggregate(position: Position) -> String {
    AggregateId::Recorded(position).to_string()
}

/// The id of a place; none before the first append, and none while the database cannot say: a heartbeat goes without.
async fn place(reader: &Reader, cursor: RecordedCursor, name: Name) -> Option<String> {
    let found = reader.position_of(cursor).await;
    found.inspect_err(|error| tracing::debug!(%error, "a heartbeat goes without an id")).ok()?.map(name)
}

/// Recorded order up to the head of its start.
pub struct Replay {
    /// The first chunk, read before the answer began.
    pub first: Chunk,
    /// What follows it.
    pub walk: RecordedWalk,
    /// The append that it ends with.
    pub head: i64,
    /// For the places of heartbeats.
    pub reader: Reader,
}

impl Writer for Replay {
    async fn write(mut self, out: &mut Out) -> Result<(), Stop> {
        open(out, None).await?;
        let id = |row: &EventRow| by_position(row.position());
        let mut chunk = self.first;
        while !chunk.complete {
            let reached = chunk.reached;
            let (written, read) = tokio::join!(out.rows(&chunk.rows, &id), next(&mut self.walk));
            written?;
            chunk = read?;
            if let Some(cursor) = reached
                && tokio::time::Instant::now() >= out.heartbeat_due()
            {
                beat(out, place(&self.reader, cursor, by_position).await).await?;
            }
        }
        out.rows(&chunk.rows, &id).await?;
        end(out, self.head).await
    }
}

/// Recorded order without end: what is appended is sent.
pub struct Tail {
    /// From where; ends where it is extended to.
    pub walk: RecordedWalk,
    /// The head, as it moves.
    pub head: watch::Receiver<i64>,
    /// For the places of heartbeats.
    pub reader: Reader,
    /// What names a place to the client.
    pub name: Name,
    /// Only these versions and above.
    pub least_version: Option<i32>,
    /// The request to stop.
    pub shutdown: service::Shutdown,
}

impl Writer for Tail {
    async fn write(self, out: &mut Out) -> Result<(), Stop> {
        let id = place(&self.reader, self.walk.cursor(), self.name).await;
        open(out, id).await?;
        self.follow(out).await
    }
}

impl Tail {
    /// Sends what is there, then waits for more; returns only with the reason to stop.
    pub async fn follow(mut self, out: &mut Out) -> Result<(), Stop> {
        loop {
            self.walk.extend(*self.head.borrow_and_update());
            while !self.walk.is_complete() {
                self.advance(out).await?;
            }
            tokio::select! {
                // The watcher lives as long as the process: an error means that it stops.
                moved = self.head.changed() => moved.map_err(|_| Stop::Shutdown)?,
                () = tokio::time::sleep_until(out.heartbeat_due()) => self.beat(out).await?,
                () = self.shutdown.requested() => return Err(Stop::Shutdown),
            }
        }
    }

    async fn advance(&mut self, out: &mut Out) -> Result<(), Stop> {
        let mut chunk = next(&mut self.walk).await?;
        if let Some(least) = self.least_version {
            chunk.rows.retain(|row| row.version() >= least);
        }
        let name = self.name;
        out.rows(&chunk.rows, &|row| name(row.position())).await?;
        if tokio::time::Instant::now() >= out.heartbeat_due() {
            self.beat(out).await?;
        }
        Ok(())
    }

    async fn beat(&self, out: &mut Out) -> Result<(), Stop> {
        beat(out, place(&self.reader, self.walk.cursor(), self.name).await).await
    }
}

/// The replay of one aggregate: its history up to a head, then the end, or what is appended from there on.
pub struct AggregateReplay<W> {
    /// The first chunk of the history, read before the answer began.
    pub first: Chunk,
    /// What follows it.
    pub history: W,
    /// The last append that belongs to the history.
    pub head: i64,
    /// What follows the history, when the caller wants it.
    pub tail: Option<Tail>,
}

impl<W: Walk + 'static> Writer for AggregateReplay<W> {
    async fn write(mut self, out: &mut Out) -> Result<(), Stop> {
        open(out, None).await?;
        let head = self.head;
        let id = |row: &EventRow| AggregateId::History { head, key: row.into() }.to_string();
        let mut chunk = self.first;
        while !chunk.complete {
            let (written, read) = tokio::join!(out.rows(&chunk.rows, &id), next(&mut self.history));
            written?;
            chunk = read?;
        }
        out.rows(&chunk.rows, &id).await?;
        match self.tail {
            Some(tail) => tail.follow(out).await,
            None => end(out, head).await,
        }
    }
}

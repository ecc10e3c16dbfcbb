//! Reads and checks on a thread of its own, a bounded distance ahead of the sending.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicU64},
};

use bus::EventRecord;
use shared::refusal::Refusal;
use tokio::sync::mpsc;

use super::{
    check::Checker,
    lines::{Lines, ReadError},
};

/// Records that travel together, at most.
const BATCH_RECORDS: usize = 512;
/// Bytes that travel together, about.
const BATCH_BYTES: usize = 1024 * 1024;
/// Batches that wait for the sender, at most.
const BATCHES_AHEAD: usize = 8;

/// What comes out of the files, in order.
#[derive(Debug)]
pub enum Fed {
    /// Good records.
    Records(Vec<EventRecord>),
    /// A bad line; without `lenient` the last thing that comes.
    Bad(BadLine),
    /// A file that cannot be read further; the last thing that comes.
    Unreadable(ReadError),
    /// A file that cannot be opened; the last thing that comes.
    NotOpened(String),
}

/// A line that the ingestor would not take.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}: {refusal}")]
pub struct BadLine {
    /// The input.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// Why, and where in it.
    pub refusal: Refusal,
}

/// Starts reading; the channel ends after the last file.
pub fn start(
    files: Vec<PathBuf>,
    checker: Checker,
    lenient: bool,
    consumed: Arc<AtomicU64>,
) -> mpsc::Receiver<Fed> {
    let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
    std::thread::spawn(move || {
        let mut feed = Feed { sender, checker, lenient, records: Vec::new(), bytes: 0 };
        for path in files {
            let read = match Lines::open(&path, &consumed) {
                Ok(lines) => feed.read(lines),
                Err(error) => feed.last(Fed::NotOpened(format!("{}: {error}", path.display()))),
            };
            if read.is_err() {
                return;
            }
        }
        // Err = the sender of records is gone, and with it the need for them.
        let _ = feed.flush();
    });
    receiver
}

/// Nothing more is wanted or to be had.
struct Stop;

struct Feed {
    sender: mpsc::Sender<Fed>,
    checker: Checker,
    lenient: bool,
    records: Vec<EventRecord>,
    bytes: usize,
}

impl Feed {
    fn read(&mut self, mut lines: Lines) -> Result<(), Stop> {
        let mut line = Vec::with_capacity(16 * 1024);
        loop {
            let number = match lines.next_into(&mut line) {
                Ok(Some(number)) => number,
                Ok(None) => return Ok(()),
                Err(error) => return self.last(Fed::Unreadable(error)),
            };
            match self.checker.check(&line) {
                Ok(record) => self.push(record)?,
                Err(refusal) => {
                    let bad = Fed::Bad(BadLine { file: lines.name().to_owned(), line: number, refusal });
                    if !self.lenient {
                        return self.last(bad);
                    }
                    self.send(bad)?;
                }
            }
        }
    }

    fn push(&mut self, record: EventRecord) -> Result<(), Stop> {
        self.bytes += record.size();
        self.records.push(record);
        if self.records.len() >= BATCH_RECORDS || self.bytes >= BATCH_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Stop> {
        if self.records.is_empty() {
            return Ok(());
        }
        self.bytes = 0;
        let records = std::mem::replace(&mut self.records, Vec::with_capacity(BATCH_RECORDS));
        self.send(Fed::Records(records))
    }

    /// Everything before comes first.
    fn last(&mut self, fed: Fed) -> Result<(), Stop> {
        self.flush()?;
        self.send(fed)?;
        Err(Stop)
    }

    fn send(&self, fed: Fed) -> Result<(), Stop> {
        self.sender.blocking_send(fed).map_err(|_| Stop)
    }
}

//! The body of a stream: frames of about 64 KiB in a short queue. A full queue makes the writer wait for the client.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use futures::Stream;
use tokio::sync::mpsc;

/// A frame is sent when it holds this much, in bytes.
const FRAME: usize = 64 * 1024;
/// Frames that wait for the client.
const QUEUED: usize = 2;

/// The client has gone, or takes nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client takes no more")]
pub struct Gone;

/// The writing end.
pub struct Frames {
    buffer: Vec<u8>,
    queue: mpsc::Sender<Bytes>,
    complete: Arc<AtomicBool>,
    patience: Duration,
}

impl Frames {
    /// The writing end and the body. A client that takes nothing for `patience` counts as gone.
    pub fn new(patience: Duration) -> (Self, Body) {
        let (queue, frames) = mpsc::channel(QUEUED);
        let complete = Arc::new(AtomicBool::new(false));
        let body = Body::from_stream(FrameStream { frames, complete: Arc::clone(&complete) });
        (Self { buffer: Vec::new(), queue, complete, patience }, body)
    }

    /// Where to write; [`Frames::pass_on`] from time to time.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Hands over what has been written, once it fills a frame.
    pub async fn pass_on(&mut self) -> Result<(), Gone> {
        if self.buffer.len() < FRAME { Ok(()) } else { self.flush().await }
    }

    /// Hands over whatever has been written.
    pub async fn flush(&mut self) -> Result<(), Gone> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let frame = Bytes::from(std::mem::take(&mut self.buffer));
        self.queue.send_timeout(frame, self.patience).await.map_err(|_| Gone)
    }

    /// The client's side, to wait for its end while the rest is busy.
    pub fn client(&self) -> Client {
        Client(self.queue.clone())
    }

    /// Ends the body cleanly with what has been handed over: a stream without an end of its own.
    pub fn end_here(self) {
        self.complete.store(true, Ordering::Release);
    }

    /// Ends the body cleanly. Without it the connection is reset, so that half an answer never looks like a whole one.
    pub async fn finish(mut self) -> Result<(), Gone> {
        self.flush().await?;
        self.complete.store(true, Ordering::Release);
        Ok(())
    }
}

/// The reading end's presence.
pub struct Client(mpsc::Sender<Bytes>);

impl Client {
    /// Returns when the client has gone.
    pub async fn gone(&self) {
        self.0.closed().await;
    }
}

struct FrameStream {
    frames: mpsc::Receiver<Bytes>,
    complete: Arc<AtomicBool>,
}

impl Stream for FrameStream {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.frames.poll_recv(context) {
            Poll::Ready(Some(frame)) => Poll::Ready(Some(Ok(frame))),
            Poll::Ready(None) if self.complete.load(Ordering::Acquire) => Poll::Ready(None),
            Poll::Ready(None) => Poll::Ready(Some(Err(io::Error::other("the stream was not completed")))),
            Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;

    use super::*;

    #[tokio::test]
    async fn only_a_finished_stream_ends_cleanly() {
        for finish in [true, false] {
            let (mut frames, body) = Frames::new(Duration::from_secs(1));
            frames.buffer().extend_from_slice(b"x\n");
            frames.flush().await.expect("room");
            if finish {
                frames.finish().await.expect("room");
            } else {
                drop(frames);
            }
            let ends: Vec<bool> = body.into_data_stream().map(|frame| frame.is_ok()).take(2).collect().await;
            assert_eq!(ends, if finish { vec![true] } else { vec![true, false] });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_counts_as_gone() {
        let (mut frames, _body) = Frames::new(Duration::from_secs(1));
        let mut sent = 0;
        let refused = loop {
            frames.buffer().resize(FRAME, b'x');
            match frames.pass_on().await {
                Ok(()) => sent += 1,
                Err(gone) => break gone,
            }
        };
        assert_eq!((sent, refused), (QUEUED, Gone));
    }
}

//! The append head, read once for all followers, and only while there are any.

use std::{sync::Arc, time::Duration};

use store::Reader;
use tokio::sync::{Notify, watch};
use tokio_util::task::AbortOnDropHandle;

/// Hands out receivers of the head; one task reads it.
pub struct HeadWatcher {
    head: Arc<watch::Sender<i64>>,
    followed: Arc<Notify>,
    _task: AbortOnDropHandle<()>,
}

/// The longest pause between two looks while the database cannot answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

impl HeadWatcher {
    /// Starts the task; it sleeps while nobody follows, and ends with the watcher.
    pub fn start(reader: Reader, interval: Duration) -> Self {
        let (head, followed) = (Arc::new(watch::channel(0).0), Arc::new(Notify::new()));
        let task = tokio::spawn(poll(reader, interval, Arc::clone(&head), Arc::clone(&followed)));
        Self { head, followed, _task: AbortOnDropHandle::new(task) }
    }

    /// The head from now on. It may be behind at first, never ahead.
    pub fn follow(&self) -> watch::Receiver<i64> {
        let receiver = self.head.subscribe();
        self.followed.notify_one();
        receiver
    }
}

async fn poll(reader: Reader, interval: Duration, head: Arc<watch::Sender<i64>>, followed: Arc<Notify>) {
    let mut pause = interval;
    loop {
        if head.receiver_count() == 0 {
            followed.notified().await;
        }
        match reader.head().await {
            Ok(now) => {
                head.send_if_modified(|known| now > std::mem::replace(known, now.max(*known)));
                pause = interval;
            }
            Err(error) => {
                if pause == interval {
                    tracing::warn!(%error, "the append head cannot be read; followers wait");
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        tokio::time::sleep(pause).await;
    }
}

//! How much memory a service takes, asked again and again while things happen to it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinHandle;

use crate::{Stack, processes};

/// Watches one service until dropped.
#[derive(Debug)]
pub struct Watched {
    most: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

/// Watches the resident memory of the service of this name, over its restarts.
pub fn watch(stack: &Arc<Stack>, service: &'static str) -> Watched {
    let most = Arc::new(AtomicU64::new(0));
    let (stack, seen) = (Arc::clone(stack), Arc::clone(&most));
    let task = tokio::spawn(async move {
        loop {
            let pid = stack.status().await.service(service).pid;
            // A service is asked for its pid rarely and for its memory often: asking for the pid starts a process.
            for _ in 0..20 {
                let Some(bytes) = pid.and_then(processes::resident_bytes) else { break };
                seen.fetch_max(bytes, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    });
    Watched { most, task }
}

impl Watched {
    /// The most bytes that were seen.
    pub fn most(&self) -> u64 {
        self.most.load(Ordering::Relaxed)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

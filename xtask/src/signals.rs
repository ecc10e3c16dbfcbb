//! Signals counted, not acted on: the loop looks when it is ready to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use signal_hook::iterator::Signals;

/// Adds one to `counter` each time one of `signals` arrives.
pub(crate) fn count(signals: [Signal; 3], counter: Arc<AtomicUsize>) -> Result<()> {
    let mut arriving = Signals::new(signals.map(|signal| signal as i32)).context("listening for signals")?;
    std::thread::spawn(move || {
        for _ in arriving.forever() {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    Ok(())
}

//! Signals counted, not acted on: the loop looks when it is ready to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use signal_hook::iterator::Signals;

/// Adds one to `counter` each time `signal` arrives.
pub(crate) fn on(signal: Signal, counter: Arc<AtomicUsize>) -> Result<()> {
    let mut signals = Signals::new([signal as i32]).with_context(|| format!("listening for {signal}"))?;
    std::thread::spawn(move || {
        for _ in signals.forever() {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    Ok(())
}

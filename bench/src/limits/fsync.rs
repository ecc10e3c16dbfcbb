//! How often the disk takes 8 kB for good: what one writer's commits could not exceed without company.

use std::fs::{self, File};
use std::io::{Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

const LASTS: Duration = Duration::from_secs(2);
/// The page that is written over and over, within a file that has its size already, as a WAL segment has.
const PAGE: [u8; 8192] = [0x5a; 8192];
const PAGES: u64 = 2048;

/// Writes of 8 kB with fdatasync, a second.
pub(crate) fn writes_per_second(folder: &Path) -> Result<f64> {
    let path = folder.join("fsync.probe");
    let outcome = probe(&path);
    fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
    outcome
}

fn probe(path: &Path) -> Result<f64> {
    let mut file = File::create(path).with_context(|| format!("making {}", path.display()))?;
    for _ in 0..PAGES {
        file.write_all(&PAGE)?;
    }
    file.sync_all()?;
    file.rewind()?;
    let started = Instant::now();
    let mut writes = 0_u32;
    while started.elapsed() < LASTS {
        if u64::from(writes) % PAGES == 0 {
            file.rewind()?;
        }
        file.write_all(&PAGE)?;
        file.sync_data()?;
        writes += 1;
    }
    Ok(f64::from(writes) / started.elapsed().as_secs_f64())
}

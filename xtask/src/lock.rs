//! One supervisor per stack: a lock file that the kernel frees when its owner dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use anyhow::{Context, Result};

/// Held for as long as a supervisor lives; dropping it (or dying) frees the stack.
pub(crate) struct Lock {
    _file: File,
}

/// What came of trying to take the lock.
pub(crate) enum Attempt {
    /// The stack is ours.
    Taken(Lock),
    /// Another process has it: its pid, when it has written it already.
    HeldBy(Option<i32>),
}

/// Tries to take the stack whose lock file is `path`, and writes this process's pid into it.
pub(crate) fn try_take(path: &Path) -> Result<Attempt> {
    let mut file = open(path)?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0)?;
            file.rewind()?;
            write!(file, "{}", std::process::id())?;
            Ok(Attempt::Taken(Lock { _file: file }))
        }
        Err(TryLockError::WouldBlock) => Ok(Attempt::HeldBy(pid_in(&mut file)?)),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
    }
}

/// The pid of the process that holds the lock, or `None` when nobody does.
/// A shared try, so that looking never takes the stack away from a starter.
pub(crate) fn holder(path: &Path) -> Result<Option<i32>> {
    if !path.exists() {
        return Ok(None);
    }
    let mut file = open(path)?;
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => pid_in(&mut file),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
    }
}

fn open(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .with_context(|| format!("opening {}", path.display()))
}

fn pid_in(file: &mut File) -> Result<Option<i32>> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text.trim().parse().ok())
}

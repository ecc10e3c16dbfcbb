//! One supervisor per stack: a lock file that the kernel frees when its owner dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Held for as long as a supervisor lives; dropping it (or dying) frees the stack.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// What came of trying to take the lock.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// The stack is ours.
    Taken(Lock),
    /// The process with this pid has it.
    HeldBy(i32),
}

/// Tries to take the stack whose lock file is `path`, and writes this process's pid into it.
pub(crate) fn try_take(path: &Path) -> Result<Attempt> {
    let mut file = open(path)?;
    for _ in 0..ATTEMPTS {
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0)?;
                file.rewind()?;
                write!(file, "{}", std::process::id())?;
                return Ok(Attempt::Taken(Lock { _file: file }));
            }
            Err(TryLockError::WouldBlock) => {
                if let Some(pid) = live_pid_in(&mut file)? {
                    return Ok(Attempt::HeldBy(pid));
                }
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("locking {}", path.display()));
            }
        }
        sleep(PAUSE);
    }
    bail!("{} is locked, but no process says that it has it", path.display())
}

/// The pid of the process that holds the lock, or `None` when nobody does.
pub(crate) fn holder(path: &Path) -> Result<Option<i32>> {
    if !path.exists() {
        return Ok(None);
    }
    let mut file = open(path)?;
    for _ in 0..ATTEMPTS {
        // A shared try, so that two lookers do not see each other.
        match file.try_lock_shared() {
            Ok(()) => return Ok(None),
            Err(TryLockError::WouldBlock) => {
                if let Some(pid) = live_pid_in(&mut file)? {
                    return Ok(Some(pid));
                }
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("locking {}", path.display()));
            }
        }
        sleep(PAUSE);
    }
    bail!("{} is locked, but no process says that it has it", path.display())
}

/// Between the lock and the pid in it lies a moment; and a looker's own short lock is not an owner's.
const ATTEMPTS: u32 = 40;
const PAUSE: Duration = Duration::from_millis(25);

fn open(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .with_context(|| format!("opening {}", path.display()))
}

/// The pid in the file, unless its process is gone: then it is the last owner's, not yet overwritten.
fn live_pid_in(file: &mut File) -> Result<Option<i32>> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text.trim().parse().ok().filter(|pid| crate::process::started_at(*pid).is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_stack_names_its_owner_until_it_is_dropped() {
        let path = std::env::temp_dir().join(format!("xtask-lock-{}", std::process::id()));
        let own_pid = i32::try_from(std::process::id()).unwrap();
        assert_eq!(holder(&path).unwrap(), None);
        let Attempt::Taken(lock) = try_take(&path).unwrap() else { panic!("nobody else has it") };
        assert_eq!(holder(&path).unwrap(), Some(own_pid));
        assert!(matches!(try_take(&path).unwrap(), Attempt::HeldBy(pid) if pid == own_pid));
        drop(lock);
        assert_eq!(holder(&path).unwrap(), None);
        assert!(matches!(try_take(&path).unwrap(), Attempt::Taken(_)));
        std::fs::remove_file(path).unwrap();
    }
}

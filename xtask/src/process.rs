//! One child process: started in a group of its own, ended by the kernel when its supervisor dies.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::account::{Account, drop_privileges};
use crate::probe::Probe;

/// How many old logs are kept beside the current one.
const OLD_LOGS: u32 = 3;

/// Everything needed to start a process, as often as it takes.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// The name that `status` shows and the log file has.
    pub(crate) name: &'static str,
    /// The program, by path or looked up in `PATH`.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) args: Vec<OsString>,
    /// Variables on top of this process's own.
    pub(crate) env: Vec<(String, String)>,
    /// Its working folder.
    pub(crate) dir: PathBuf,
    /// Its log: standard output and error.
    pub(crate) log: PathBuf,
    /// Run as this account; `None`: as the caller.
    pub(crate) account: Option<Account>,
    /// The signal that asks it to end in order.
    pub(crate) stop: Signal,
    /// How long it may take to end before it is killed.
    pub(crate) stop_within: Duration,
    /// How it is asked whether it is ready.
    pub(crate) probe: Probe,
    /// Stopped from the highest to the lowest; those of one tier together.
    pub(crate) tier: u8,
}

impl Launch {
    /// Starts the process. Must be called from a thread that lives as long as the supervisor: the kernel's
    /// parent-death signal follows the thread, not the process.
    pub(crate) fn spawn(&self) -> Result<Child> {
        let log = open_log(&self.log)?;
        let mut command = command_as(self.account.as_ref(), Some(self.stop), &self.program);
        command
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            // The services' configuration is what this program gives them, not what the caller uses.
            .env_remove("AUDIT_CONFIG")
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        command.spawn().with_context(|| format!("starting {} ({})", self.name, self.program.display()))
    }
}

/// A command that runs `program` as `account` and, when `on_death` is given, gets that signal when this process dies.
pub(crate) fn command_as(account: Option<&Account>, on_death: Option<Signal>, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if let Some(account) = account {
        command.args(drop_privileges(account)).env("HOME", "/nonexistent");
    }
    if let Some(signal) = on_death {
        command.arg(format!("--pdeathsig={}", signal.as_str().trim_start_matches("SIG")));
    }
    command.arg("--").arg(program);
    command
}

fn open_log(path: &Path) -> Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("opening {}", path.display()))
}

/// Moves the log of the last run aside, and drops the oldest.
pub(crate) fn rotate_log(path: &Path) -> Result<()> {
    if fs::metadata(path).map_or(true, |meta| meta.len() == 0) {
        return Ok(());
    }
    let old = |number: u32| path.with_extension(format!("log.{number}"));
    for number in (1..OLD_LOGS).rev() {
        if old(number).exists() {
            fs::rename(old(number), old(number + 1))?;
        }
    }
    fs::rename(path, old(1)).with_context(|| format!("rotating {}", path.display()))
}

/// The last `lines` lines of a log, indented; empty when there is none.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..]
        .iter()
        .fold(String::new(), |text, line| text + "    | " + line + "\n")
}

/// A child's pid as the kernel's own type.
pub(crate) fn pid_of(child: &Child) -> i32 {
    // A pid is at most 2^22 on Linux.
    i32::try_from(child.id()).unwrap_or(i32::MAX)
}

/// Sends `signal` to one process; whether it was there.
pub(crate) fn signal(pid: i32, signal: Signal) -> bool {
    kill(Pid::from_raw(pid), signal).is_ok()
}

/// Sends `signal` to a process group; whether it was there.
pub(crate) fn signal_group(pid: i32, signal: Signal) -> bool {
    killpg(Pid::from_raw(pid), signal).is_ok()
}

/// When the process `pid` started, in clock ticks since boot: with the pid, its identity. `None` when it is gone.
pub(crate) fn started_at(pid: i32) -> Option<u64> {
    started_in(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Field 22 of `/proc/<pid>/stat`, counted after the last `)`: the name in field 2 may hold spaces and brackets.
fn started_in(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    // A zombie has ended; only its parent has not yet looked.
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_start_is_known_and_a_dead_pid_has_none() {
        let pid = i32::try_from(std::process::id()).unwrap();
        assert!(started_at(pid).is_some_and(|ticks| ticks > 0));
        assert_eq!(started_at(i32::MAX), None);
    }

    #[test]
    fn odd_names_do_not_shift_the_fields() {
        let fields: Vec<String> = (4..=52).map(|field| field.to_string()).collect();
        let stat = format!("7 (a b) c) S {}", fields.join(" "));
        assert_eq!(started_in(&stat), Some(22));
        assert_eq!(started_in(&stat.replace(" S ", " Z ")), None);
    }

    #[test]
    fn logs_rotate_and_the_oldest_goes() {
        let dir = std::env::temp_dir().join(format!("xtask-logs-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let log = dir.join("kafka.log");
        for run in 1..=5 {
            fs::write(&log, format!("run {run}\n")).unwrap();
            rotate_log(&log).unwrap();
        }
        let kept = |number: u32| fs::read_to_string(dir.join(format!("kafka.log.{number}"))).unwrap();
        assert_eq!((kept(1).as_str(), kept(3).as_str()), ("run 5\n", "run 3\n"));
        assert!(!dir.join("kafka.log.4").exists());
        assert!(!log.exists());
        fs::write(&log, "a\nb\nc\n").unwrap();
        assert_eq!(tail(&log, 2), "    | b\n    | c\n");
        assert_eq!(tail(&dir.join("none.log"), 2), "");
        fs::remove_dir_all(dir).unwrap();
    }
}

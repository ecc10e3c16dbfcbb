//! A supervisor in the background: this program again, in a session of its own, watched until it is ready.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use crate::console::Console;
use crate::leftovers;
use crate::process::{rotate_log, signal, signal_group};
use crate::stack::Stack;
use crate::state::{Phase, State};
use crate::{lock, signals};

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The hidden flag by which this program knows that it is the supervisor in the background.
pub(crate) const FLAG: &str = "--in-background";

/// Leaves the terminal for good: no hang-up, no Ctrl-C from it.
pub(crate) fn leave_terminal() -> Result<()> {
    nix::unistd::setsid().context("leaving the terminal's session")?;
    Ok(())
}

/// Starts `xtask <arguments> --in-background`, shows its progress, and returns when its stack is ready.
pub(crate) fn start(stack: &Stack, arguments: &[&str]) -> Result<()> {
    fs::create_dir_all(stack.logs())?;
    let log_path = stack.log("supervisor");
    rotate_log(&log_path)?;
    let log = OpenOptions::new().create(true).append(true).open(&log_path)?;
    let mut child = Command::new(std::env::current_exe()?)
        .args(arguments)
        .arg(FLAG)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("starting the supervisor")?;
    follow(stack, &mut child, &log_path)
}

fn follow(stack: &Stack, child: &mut Child, log_path: &Path) -> Result<()> {
    let mut shown = 0;
    let interrupted = Arc::new(AtomicUsize::new(0));
    signals::count([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP], Arc::clone(&interrupted))?;
    loop {
        if interrupted.swap(0, Ordering::Relaxed) > 0 {
            // It has left this terminal: who gives up the wait gives up the start.
            signal(i32::try_from(child.id())?, Signal::SIGTERM);
        }
        // Looked at before the log is shown, so that the last lines are not missed.
        let ended = child.try_wait()?;
        let ready = is_ready(stack, child.id())?;
        show_new(log_path, &mut shown)?;
        if let Some(status) = ended {
            bail!("the start failed ({status}); its log: {}", log_path.display());
        }
        if ready {
            return Ok(());
        }
        sleep(LOOK_EVERY);
    }
}

fn is_ready(stack: &Stack, pid: u32) -> Result<bool> {
    let pid = i32::try_from(pid)?;
    let holds = lock::holder(&stack.lock())? == Some(pid);
    Ok(holds && State::of(pid, &stack.state()).is_some_and(|state| state.phase == Phase::Ready))
}

#[expect(clippy::print_stderr, reason = "passes on what the supervisor printed")]
fn show_new(path: &Path, shown: &mut u64) -> Result<()> {
    let mut text = Vec::new();
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(*shown))?;
    *shown += u64::try_from(file.read_to_end(&mut text)?)?;
    eprint!("{}", String::from_utf8_lossy(&text));
    Ok(())
}

/// Asks the supervisor of `stack` to stop everything and waits for it. Whether there was one.
pub(crate) fn stop(stack: &Stack, console: &Console) -> Result<bool> {
    let Some(pid) = lock::holder(&stack.lock())? else {
        leftovers::end(&stack.state(), console);
        return Ok(false);
    };
    console.step(&format!("asking the supervisor (pid {pid}) to stop"));
    signal(pid, Signal::SIGTERM);
    let deadline = Instant::now() + Duration::from_secs(90);
    while lock::holder(&stack.lock())? == Some(pid) {
        if Instant::now() > deadline {
            console.step("it does not: killing it");
            signal_group(pid, Signal::SIGKILL);
            signal(pid, Signal::SIGKILL);
            sleep(LOOK_EVERY);
            leftovers::end(&stack.state(), console);
        }
        sleep(LOOK_EVERY);
    }
    Ok(true)
}

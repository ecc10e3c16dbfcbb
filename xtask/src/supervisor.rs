//! Keeps a stack's processes alive, and ends them in order.
//!
//! One thread, one loop: everything that takes time is a condition that [`Supervisor::wait_until`] asks for again and
//! again, between looks at the children and at the signals that ask this process to end.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use crate::console::Console;
use crate::leftovers;
use crate::process::{Launch, pid_of, rotate_log, signal, signal_group, tail};
use crate::signals;
use crate::stack::Stack;
use crate::state::{Phase, ProcessState, State};
use crate::supervised::Supervised;

const LOOK_EVERY: Duration = Duration::from_millis(50);
/// While the stack comes up, a process that dies so often fails the start.
const FAILED_START_AFTER: u32 = 3;
/// No build and no test run takes this long.
const LONGEST_COMMAND: Duration = Duration::from_hours(24);
const LOG_LINES_SHOWN: usize = 20;

/// The processes of one stack.
pub(crate) struct Supervisor {
    console: Console,
    state_file: PathBuf,
    phase: Phase,
    supervised: Vec<Supervised>,
    written: Option<State>,
    asked_to_stop: Arc<AtomicUsize>,
}

impl Supervisor {
    /// A supervisor of a stack that is ours; what an earlier one left over is ended first. SIGINT, SIGTERM and SIGHUP
    /// ask it to stop, from now on.
    pub(crate) fn new(stack: &Stack, console: Console) -> Result<Self> {
        let supervisor = Self::without_processes(stack, console)?;
        leftovers::end(&stack.state(), &console);
        Ok(supervisor)
    }

    /// A supervisor that only runs commands: the stack's processes are another's.
    pub(crate) fn without_processes(stack: &Stack, console: Console) -> Result<Self> {
        let asked_to_stop = Arc::new(AtomicUsize::new(0));
        signals::count([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP], Arc::clone(&asked_to_stop))?;
        Ok(Self {
            console,
            state_file: stack.state(),
            phase: Phase::Starting,
            supervised: Vec::new(),
            written: None,
            asked_to_stop,
        })
    }

    /// Starts a process and keeps it alive from now on.
    pub(crate) fn start(&mut self, launch: Launch) -> Result<()> {
        rotate_log(&launch.log)?;
        let child = launch.spawn()?;
        self.supervised.push(Supervised::new(launch, child));
        self.report()
    }

    /// Waits until every process is ready, at most `within`.
    pub(crate) fn wait_ready(&mut self, within: Duration) -> Result<()> {
        let names: Vec<&str> = self.supervised.iter().map(|one| one.launch.name).collect();
        let what = names.join(", ");
        self.wait_until(&format!("{what} to be ready"), within, |supervisor| {
            Ok(supervisor.supervised.iter().all(|one| one.state == ProcessState::Running))
        })
    }

    /// Waits until the process of this name is ready, at most `within`.
    pub(crate) fn wait_for(&mut self, name: &str, within: Duration) -> Result<()> {
        let is_ready = |one: &Supervised| one.launch.name == name && one.state == ProcessState::Running;
        self.wait_until(&format!("{name} to be ready"), within, |supervisor| {
            Ok(supervisor.supervised.iter().any(is_ready))
        })
    }

    /// Calls `condition` until it holds, and looks after the processes meanwhile.
    pub(crate) fn wait_until(
        &mut self,
        what: &str,
        within: Duration,
        mut condition: impl FnMut(&mut Self) -> Result<bool>,
    ) -> Result<()> {
        let deadline = Instant::now() + within;
        loop {
            self.look()?;
            if condition(self)? {
                return Ok(());
            }
            if self.is_asked_to_stop() {
                bail!("stopped while waiting for {what}");
            }
            if self.phase == Phase::Starting {
                self.fail_on_repeated_death()?;
            }
            if Instant::now() > deadline {
                bail!("waited {} s in vain for {what}\n{}", within.as_secs(), self.logs_of_unready());
            }
            sleep(LOOK_EVERY);
        }
    }

    /// Runs a command to its end while looking after the processes; asked to stop, it ends the command first.
    pub(crate) fn run(&mut self, what: &str, command: &mut Command) -> Result<ExitStatus> {
        // A group of its own, so that it ends with all it started.
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {what}"))?;
        self.wait_for_child(what, child)
    }

    /// The same for a command that was started already, in a process group of its own.
    pub(crate) fn wait_for_child(&mut self, what: &str, mut child: Child) -> Result<ExitStatus> {
        let mut ended = None;
        let outcome = self.wait_until(what, LONGEST_COMMAND, |_| {
            ended = child.try_wait()?;
            Ok(ended.is_some())
        });
        if let Some(status) = ended {
            return Ok(status);
        }
        let pid = pid_of(&child);
        signal_group(pid, Signal::SIGTERM);
        let deadline = Instant::now() + Duration::from_secs(5);
        while child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                signal_group(pid, Signal::SIGKILL);
            }
            sleep(LOOK_EVERY);
        }
        outcome?;
        bail!("{what} was cut short")
    }

    /// Everything is up: says so to the other commands, and lets later deaths be restarts only.
    pub(crate) fn declare_ready(&mut self) -> Result<()> {
        self.phase = Phase::Ready;
        self.report()
    }

    /// Looks after the processes until a signal asks this process to stop.
    pub(crate) fn run_until_asked_to_stop(&mut self) -> Result<()> {
        while !self.is_asked_to_stop() {
            self.look()?;
            sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Whether a signal has asked this process to end.
    pub(crate) fn is_asked_to_stop(&self) -> bool {
        self.asked_to_stop.load(Ordering::Relaxed) > 0
    }

    /// Ends all processes, tier by tier from the highest, each within its own time; a second signal kills at once.
    pub(crate) fn stop_all(&mut self) -> Result<()> {
        self.phase = Phase::Stopping;
        let signals_before = self.asked_to_stop.load(Ordering::Relaxed);
        let mut tiers: Vec<u8> = self.supervised.iter().map(|one| one.launch.tier).collect();
        tiers.sort_unstable();
        tiers.dedup();
        for tier in tiers.into_iter().rev() {
            self.stop_tier(tier, signals_before)?;
        }
        self.supervised.clear();
        self.report()
    }

    fn stop_tier(&mut self, tier: u8, signals_before: usize) -> Result<()> {
        let began = Instant::now();
        for one in self.supervised.iter().filter(|one| one.launch.tier == tier) {
            if let Some(child) = &one.child {
                self.console.step(&format!("stopping {}", one.launch.name));
                signal(pid_of(child), one.launch.stop);
            }
        }
        loop {
            let impatient = self.asked_to_stop.load(Ordering::Relaxed) > signals_before;
            let mut left = false;
            for one in self.supervised.iter_mut().filter(|one| one.launch.tier == tier) {
                let Some(child) = &mut one.child else { continue };
                let pid = pid_of(child);
                if child.try_wait()?.is_some() {
                    // Whatever it started in its group must not outlive it.
                    signal_group(pid, Signal::SIGKILL);
                    one.child = None;
                } else {
                    left = true;
                    if impatient || began.elapsed() > one.launch.stop_within {
                        self.console.step(&format!("{} did not end in time: killed", one.launch.name));
                        signal_group(pid, Signal::SIGKILL);
                    }
                }
            }
            if !left {
                return Ok(());
            }
            sleep(LOOK_EVERY);
        }
    }

    /// One look: who died, who is due for a start, who has become ready.
    fn look(&mut self) -> Result<()> {
        for one in &mut self.supervised {
            one.look(self.console)?;
        }
        self.report()
    }

    fn fail_on_repeated_death(&self) -> Result<()> {
        let dead = self.supervised.iter().find(|one| one.deaths_in_a_row >= FAILED_START_AFTER);
        match dead {
            Some(one) => bail!(
                "{} does not stay up; the end of {}:\n{}",
                one.launch.name,
                one.launch.log.display(),
                tail(&one.launch.log, LOG_LINES_SHOWN)
            ),
            None => Ok(()),
        }
    }

    fn logs_of_unready(&self) -> String {
        let unready = self.supervised.iter().filter(|one| one.state != ProcessState::Running);
        let logs = unready.map(|one| {
            format!("  the end of {}:\n{}", one.launch.log.display(), tail(&one.launch.log, LOG_LINES_SHOWN))
        });
        logs.collect::<Vec<_>>().concat()
    }

    /// Writes the state file when something in it changed.
    fn report(&mut self) -> Result<()> {
        if self.supervised.is_empty() && self.written.is_none() {
            // Nothing of ours runs: the file may be another supervisor's.
            return Ok(());
        }
        let services = self.supervised.iter().map(Supervised::report).collect();
        let supervisor = i32::try_from(std::process::id())?;
        let state = State { supervisor, phase: self.phase, services };
        if self.written.as_ref() != Some(&state) {
            state.write(&self.state_file)?;
            self.written = Some(state);
        }
        Ok(())
    }
}

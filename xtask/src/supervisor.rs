//! Keeps a stack's processes alive, and ends them in order.
//!
//! One thread, one loop: everything that takes time is a condition that [`Supervisor::wait_until`] asks for again and
//! again, between looks at the children and at the signals that ask this process to end.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use crate::console::Console;
use crate::process::{Launch, rotate_log, signal, signal_group, started_at, tail};
use crate::stack::Stack;
use crate::state::{Phase, ProcessReport, ProcessState, State};

const LOOK_EVERY: Duration = Duration::from_millis(50);
const PROBE_EVERY: Duration = Duration::from_millis(200);
const FIRST_BACK_OFF: Duration = Duration::from_millis(500);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(30);
/// A process that lived this long starts its next back-off from the beginning.
const SETTLED_AFTER: Duration = Duration::from_secs(20);
/// So many deaths in a row, none of them after a settled life, are called a failure.
const FAILED_AFTER: u32 = 5;
/// While the stack comes up, a process that dies so often fails the start.
const FAILED_START_AFTER: u32 = 3;
const LOG_LINES_SHOWN: usize = 20;

struct Supervised {
    launch: Launch,
    child: Option<Child>,
    state: ProcessState,
    restarts: u32,
    deaths_in_a_row: u32,
    since: Instant,
    probed: Instant,
    start_at: Instant,
}

/// The processes of one stack.
pub(crate) struct Supervisor {
    console: Console,
    state_file: PathBuf,
    phase: Phase,
    supervised: Vec<Supervised>,
    written: Option<State>,
    asked_to_stop: Arc<AtomicUsize>,
}

/// How long to wait before the start that follows the `deaths`th death in a row.
fn back_off(deaths: u32) -> Duration {
    let doubled = FIRST_BACK_OFF.saturating_mul(2_u32.saturating_pow(deaths.saturating_sub(1).min(16)));
    doubled.min(LONGEST_BACK_OFF)
}

impl Supervisor {
    /// A supervisor without processes. SIGINT, SIGTERM and SIGHUP ask it to stop, from now on.
    pub(crate) fn new(stack: &Stack, console: Console) -> Result<Self> {
        let asked_to_stop = Arc::new(AtomicUsize::new(0));
        for number in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            let asked = Arc::clone(&asked_to_stop);
            crate::signals::on(number, asked)?;
        }
        end_leftovers(&stack.state(), &console);
        let supervisor = Self {
            console,
            state_file: stack.state(),
            phase: Phase::Starting,
            supervised: Vec::new(),
            written: None,
            asked_to_stop,
        };
        Ok(supervisor)
    }

    /// Starts a process and keeps it alive from now on.
    pub(crate) fn start(&mut self, launch: Launch) -> Result<()> {
        rotate_log(&launch.log)?;
        let child = launch.spawn()?;
        let now = Instant::now();
        self.supervised.push(Supervised {
            launch,
            child: Some(child),
            state: ProcessState::Starting,
            restarts: 0,
            deaths_in_a_row: 0,
            since: now,
            probed: now,
            start_at: now,
        });
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
        let mut child = command.stdin(Stdio::null()).spawn().with_context(|| format!("starting {what}"))?;
        let mut ended = None;
        let outcome = self.wait_until(what, Duration::from_secs(24 * 3600), |_| {
            ended = child.try_wait()?;
            Ok(ended.is_some())
        });
        if let Some(status) = ended {
            return Ok(status);
        }
        let pid = pid_of(&child);
        signal(pid, Signal::SIGTERM);
        let deadline = Instant::now() + Duration::from_secs(5);
        while child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                child.kill()?;
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
        for index in 0..self.supervised.len() {
            self.look_at(index)?;
        }
        self.report()
    }

    fn look_at(&mut self, index: usize) -> Result<()> {
        let console = self.console;
        let one = &mut self.supervised[index];
        let now = Instant::now();
        if let Some(child) = &mut one.child {
            if let Some(status) = child.try_wait()? {
                signal_group(pid_of(child), Signal::SIGKILL);
                one.child = None;
                one.died(status, now, console);
            } else if one.state != ProcessState::Running && now >= one.probed + PROBE_EVERY {
                one.probed = now;
                if one.launch.probe.is_ready() {
                    one.state = ProcessState::Running;
                    console.step(&format!("{} is ready", one.launch.name));
                }
            }
        } else if now >= one.start_at {
            one.since = now;
            one.restarts += 1;
            match one.launch.spawn() {
                Ok(child) => one.child = Some(child),
                Err(error) => {
                    one.start_at = now + LONGEST_BACK_OFF;
                    console.step(&format!("{error:#}"));
                }
            }
        }
        Ok(())
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
        unready
            .map(|one| {
                format!(
                    "  the end of {}:\n{}",
                    one.launch.log.display(),
                    tail(&one.launch.log, LOG_LINES_SHOWN)
                )
            })
            .collect()
    }

    /// Writes the state file when something in it changed.
    fn report(&mut self) -> Result<()> {
        let services = self.supervised.iter().map(Supervised::report).collect();
        let state = State { phase: self.phase, services };
        if self.written.as_ref() != Some(&state) {
            state.write(&self.state_file)?;
            self.written = Some(state);
        }
        Ok(())
    }
}

impl Supervised {
    fn died(&mut self, status: ExitStatus, now: Instant, console: Console) {
        self.deaths_in_a_row = if now > self.since + SETTLED_AFTER { 1 } else { self.deaths_in_a_row + 1 };
        let pause = back_off(self.deaths_in_a_row);
        self.start_at = now + pause;
        self.state = if self.deaths_in_a_row >= FAILED_AFTER {
            ProcessState::Failed
        } else {
            ProcessState::Restarting
        };
        let name = self.launch.name;
        console.step(&format!(
            "{name} died ({status}), starting it again in {:.1} s; its log: {}",
            pause.as_secs_f64(),
            self.launch.log.display()
        ));
    }

    fn report(&self) -> ProcessReport {
        let pid = self.child.as_ref().map(pid_of);
        ProcessReport {
            name: self.launch.name.to_owned(),
            pid,
            started: pid.and_then(started_at),
            state: self.state,
            restarts: self.restarts,
        }
    }
}

fn pid_of(child: &Child) -> i32 {
    // A pid is at most 2^22 on Linux.
    i32::try_from(child.id()).unwrap_or(i32::MAX)
}

/// Ends what a supervisor that was killed may have left: processes with the pid and the start time that it wrote down.
pub(crate) fn end_leftovers(state_file: &Path, console: &Console) {
    let Some(state) = State::read(state_file) else { return };
    for service in state.services.iter().rev() {
        let Some(pid) = service.pid else { continue };
        let is_it = || service.started.is_some() && started_at(pid) == service.started;
        if !is_it() {
            continue;
        }
        console.step(&format!("ending {} (pid {pid}), left over from an earlier run", service.name));
        signal(pid, Signal::SIGTERM);
        let deadline = Instant::now() + Duration::from_secs(10);
        while is_it() && Instant::now() < deadline {
            sleep(LOOK_EVERY);
        }
        if is_it() {
            signal_group(pid, Signal::SIGKILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_doubles_up_to_half_a_minute() {
        let pauses: Vec<u128> = (1..=8).map(|deaths| back_off(deaths).as_millis()).collect();
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!(back_off(u32::MAX), LONGEST_BACK_OFF);
    }
}

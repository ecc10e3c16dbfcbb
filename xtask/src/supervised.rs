//! One supervised process: whether it lives, whether it is ready, when it is started again.

use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::sys::signal::Signal;

use crate::console::Console;
use crate::process::{Launch, pid_of, signal_group, started_at};
use crate::state::{ProcessReport, ProcessState};

const PROBE_EVERY: Duration = Duration::from_millis(200);
const FIRST_BACK_OFF: Duration = Duration::from_millis(500);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(30);
/// A process that lived this long starts its next back-off from the beginning.
const SETTLED_AFTER: Duration = Duration::from_secs(20);
/// So many deaths in a row, none of them after a settled life, are called a failure.
const FAILED_AFTER: u32 = 5;

/// A process that is kept alive.
pub(crate) struct Supervised {
    /// How it is started.
    pub(crate) launch: Launch,
    /// The process, unless it died and waits for its next start.
    pub(crate) child: Option<Child>,
    /// What it is doing.
    pub(crate) state: ProcessState,
    /// Deaths since it last lived for [`SETTLED_AFTER`].
    pub(crate) deaths_in_a_row: u32,
    restarts: u32,
    since: Instant,
    probed: Instant,
    start_at: Instant,
}

/// How long to wait before the start that follows the `deaths`th death in a row.
fn back_off(deaths: u32) -> Duration {
    let doubled = FIRST_BACK_OFF.saturating_mul(2_u32.saturating_pow(deaths.saturating_sub(1).min(16)));
    doubled.min(LONGEST_BACK_OFF)
}

impl Supervised {
    /// A process that was just started for the first time.
    pub(crate) fn new(launch: Launch, child: Child) -> Self {
        let now = Instant::now();
        Self {
            launch,
            child: Some(child),
            state: ProcessState::Starting,
            deaths_in_a_row: 0,
            restarts: 0,
            since: now,
            probed: now,
            start_at: now,
        }
    }

    /// One look: has it died, is it due for a start, has it become ready.
    pub(crate) fn look(&mut self, console: Console) -> Result<()> {
        let now = Instant::now();
        let Some(child) = &mut self.child else {
            if now >= self.start_at {
                self.start_again(now, console);
            }
            return Ok(());
        };
        if let Some(status) = child.try_wait()? {
            // Whatever it started in its group must not stand in the way of its successor.
            signal_group(pid_of(child), Signal::SIGKILL);
            self.child = None;
            self.died(status, now, console);
        } else if self.state != ProcessState::Running && now >= self.probed + PROBE_EVERY {
            self.probed = now;
            if self.launch.probe.is_ready() {
                self.state = ProcessState::Running;
                console.step(&format!("{} is ready", self.launch.name));
            }
        }
        Ok(())
    }

    fn start_again(&mut self, now: Instant, console: Console) {
        self.since = now;
        self.restarts += 1;
        match self.launch.spawn() {
            Ok(child) => self.child = Some(child),
            Err(error) => {
                self.start_at = now + LONGEST_BACK_OFF;
                console.step(&format!("{error:#}"));
            }
        }
    }

    fn died(&mut self, status: ExitStatus, now: Instant, console: Console) {
        self.deaths_in_a_row = if now > self.since + SETTLED_AFTER { 1 } else { self.deaths_in_a_row + 1 };
        let pause = back_off(self.deaths_in_a_row);
        self.start_at = now + pause;
        let failed = self.deaths_in_a_row >= FAILED_AFTER;
        self.state = if failed { ProcessState::Failed } else { ProcessState::Restarting };
        console.step(&format!(
            "{} died ({status}), starting it again in {:.1} s; its log: {}",
            self.launch.name,
            pause.as_secs_f64(),
            self.launch.log.display()
        ));
    }

    /// What `status` shows.
    pub(crate) fn report(&self) -> ProcessReport {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Probe;

    #[test]
    fn back_off_doubles_up_to_half_a_minute() {
        let pauses: Vec<u128> = (1..=8).map(|deaths| back_off(deaths).as_millis()).collect();
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!(back_off(u32::MAX), LONGEST_BACK_OFF);
    }

    fn launch(script: &str) -> Launch {
        let dir = std::env::temp_dir();
        let log = dir.join(format!("xtask-supervised-{}-{}.log", std::process::id(), script.len()));
        Launch {
            name: "script",
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            env: Vec::new(),
            dir,
            log,
            account: None,
            stop: Signal::SIGTERM,
            stop_within: Duration::from_secs(1),
            // Nobody listens there, so it is never ready.
            probe: Probe::Http { port: 1, path: "/" },
            tier: 0,
        }
    }

    fn look_until(one: &mut Supervised, holds: impl Fn(&Supervised) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !holds(one) {
            assert!(Instant::now() < deadline, "in vain: {:?}", one.report());
            one.look(Console::start()).unwrap();
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn a_process_that_dies_is_started_again_after_its_back_off() {
        let launch = launch("exit 7");
        let log = launch.log.clone();
        let child = launch.spawn().unwrap();
        let mut one = Supervised::new(launch, child);
        assert_eq!(one.report().state, ProcessState::Starting);
        look_until(&mut one, |one| one.deaths_in_a_row == 1);
        let report = one.report();
        assert_eq!((report.pid, report.state, report.restarts), (None, ProcessState::Restarting, 0));
        let died = Instant::now();
        look_until(&mut one, |one| one.restarts == 1);
        assert!(died.elapsed() > Duration::from_millis(400));
        look_until(&mut one, |one| one.deaths_in_a_row == 2);
        std::fs::remove_file(log).unwrap();
    }

    #[test]
    fn a_process_that_lives_has_a_pid_and_a_start() {
        let launch = launch("sleep 30; true");
        let log = launch.log.clone();
        let child = launch.spawn().unwrap();
        let mut one = Supervised::new(launch, child);
        one.look(Console::start()).unwrap();
        let report = one.report();
        assert!(report.pid.is_some() && report.started.is_some());
        let pid = report.pid.unwrap();
        assert!(signal_group(pid, Signal::SIGKILL));
        look_until(&mut one, |one| one.child.is_none());
        std::fs::remove_file(log).unwrap();
    }
}

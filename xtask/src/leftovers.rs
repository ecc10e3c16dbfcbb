//! What a supervisor that was killed may leave behind, in spite of the kernel's parent-death signal: processes that
//! ignore it.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::console::Console;
use crate::process::{signal, signal_group, started_at};
use crate::state::{ProcessReport, State};

/// They were asked to end when their supervisor died; this is their second chance.
const PATIENCE: Duration = Duration::from_secs(3);

/// Ends the processes that `state_file` names, when they are still the same ones: pid and start time agree.
pub(crate) fn end(state_file: &Path, console: &Console) {
    let Some(state) = State::read(state_file) else { return };
    for service in state.services.iter().rev() {
        if let Some(pid) = service.pid.filter(|pid| is_still(service, *pid)) {
            console.step(&format!("ending {} (pid {pid}), left over from an earlier run", service.name));
            end_one(service, pid);
        }
    }
}

fn is_still(service: &ProcessReport, pid: i32) -> bool {
    service.started.is_some() && started_at(pid) == service.started
}

fn end_one(service: &ProcessReport, pid: i32) {
    signal(pid, Signal::SIGTERM);
    let deadline = Instant::now() + PATIENCE;
    while is_still(service, pid) && Instant::now() < deadline {
        sleep(Duration::from_millis(50));
    }
    if is_still(service, pid) {
        signal_group(pid, Signal::SIGKILL);
    }
    // The dead free their ports and files before their successors start.
    let deadline = Instant::now() + PATIENCE;
    while is_still(service, pid) && Instant::now() < deadline {
        sleep(Duration::from_millis(10));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Phase, ProcessState};
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    #[test]
    fn only_the_very_process_is_ended() {
        let mut child = Command::new("sleep").arg("30").process_group(0).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let started = started_at(pid).unwrap();
        let path = std::env::temp_dir().join(format!("xtask-leftovers-{}.json", std::process::id()));
        let report = |started| ProcessReport {
            name: "sleep".to_owned(),
            pid: Some(pid),
            started: Some(started),
            state: ProcessState::Running,
            restarts: 0,
        };
        let end_reported = |started| {
            let services = vec![report(started)];
            State { supervisor: 1, phase: Phase::Ready, services }.write(&path).unwrap();
            end(&path, &Console::start());
        };
        end_reported(started + 1);
        assert!(child.try_wait().unwrap().is_none(), "another process that has the pid by now stays");
        end_reported(started);
        assert!(!child.wait().unwrap().success());
        std::fs::remove_file(path).unwrap();
    }
}

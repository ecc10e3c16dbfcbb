//! The processes of this machine, as `/proc` shows them.

use std::path::Path;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// A process that belongs to a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its pid.
    pub pid: i32,
    /// Its command line.
    pub command: String,
}

/// Every live process that was started for the stack `name` in `dir`: by its variables, its folder or its arguments.
///
/// PostgreSQL's backends change their command line, and servers that changed their account hide their variables from
/// others: so all three are asked.
pub fn of_stack(name: &str, dir: &Path) -> Vec<Process> {
    let variable = format!("XTASK_STACK={name}");
    let dir = dir.to_string_lossy().into_owned();
    let entries = std::fs::read_dir("/proc").expect("/proc can be listed");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| look(pid, &variable, &dir)).collect()
}

fn look(pid: i32, variable: &str, dir: &str) -> Option<Process> {
    let proc = Path::new("/proc").join(pid.to_string());
    if is_zombie(&proc) {
        return None;
    }
    let read = |file: &str| std::fs::read(proc.join(file)).unwrap_or_default();
    let command = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
    let has_variable = read("environ").split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes());
    let inside = std::fs::read_link(proc.join("cwd")).is_ok_and(|cwd| cwd.starts_with(dir));
    (has_variable || inside || command.contains(&format!("{dir}/"))).then_some(Process { pid, command })
}

fn is_zombie(proc: &Path) -> bool {
    let stat = std::fs::read_to_string(proc.join("stat")).unwrap_or_default();
    stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
}

/// Sends a signal; whether the process was there.
pub fn send(pid: i32, signal: Signal) -> bool {
    kill(Pid::from_raw(pid), signal).is_ok()
}

/// Resident memory in bytes; `None` when the process is gone.
pub fn resident_bytes(pid: i32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_process_is_found_by_its_variable_and_by_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().canonicalize().unwrap();
        let name = "e2e-processes-test";
        assert_eq!(of_stack(name, &dir), []);
        let sleep = || {
            let mut command = std::process::Command::new("sleep");
            command.arg("60");
            command
        };
        let mut named = sleep().env("XTASK_STACK", name).spawn().unwrap();
        let mut inside = sleep().current_dir(&dir).spawn().unwrap();
        let found = || {
            let found = of_stack(name, &dir);
            found.iter().map(|process| process.pid.cast_unsigned()).collect::<BTreeSet<_>>()
        };
        let expected = BTreeSet::from([named.id(), inside.id()]);
        // The kernel lets the parent go on before it has put the child's variables where /proc shows them.
        let begun = Instant::now();
        while found() != expected && begun.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(found(), expected);
        for child in [&mut named, &mut inside] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!(of_stack(name, &dir), []);
    }
}

//! Servers of a test's own that are spoken to by TLS alone; each ends with its value.

mod kafka;
mod postgres;
mod web;

use std::{
    fs::File,
    os::unix::fs::chown,
    path::Path,
    process::{Child, Command, Stdio},
};

pub use kafka::SecuredKafka;
pub use postgres::SecuredPostgres;
pub use web::SecuredWeb;

use crate::postgres::account;

/// A command that runs as that account, and dies with us.
fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=KILL");
    if let Some(user) = account() {
        let (uid, gid) = (format!("--reuid={}", user.uid), format!("--regid={}", user.gid));
        command.args([uid.as_str(), gid.as_str(), "--clear-groups"]);
    }
    command.arg("--").arg(program.as_ref()).stdin(Stdio::null());
    command
}

/// Gives a file or a folder to that account.
fn give(path: &Path) {
    if let Some(user) = account() {
        chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("root gives files away");
    }
}

/// Runs it to its end; panics with what it said when it fails.
fn run(command: &mut Command) {
    let output = command.output().expect("the program can be started");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&said));
}

/// Starts it with a log.
fn spawn(command: &mut Command, log: &Path) -> Child {
    let log = File::create(log).expect("the log is made");
    let errors = log.try_clone().expect("one log for both");
    command.stdout(log).stderr(errors).spawn().expect("the program can be started")
}

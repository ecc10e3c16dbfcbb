//! A PostgreSQL that takes connections by TLS alone.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Child, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use super::{command, give, run, spawn};
use crate::{
    authority::{Authority, Issued},
    postgres::{programs, quiet_port},
    wait_until,
};

/// A server with data and a port of its own. Its operator role must show a certificate of the same authority.
#[derive(Debug)]
pub struct SecuredPostgres {
    programs: PathBuf,
    folder: TempDir,
    shown: Issued,
    /// Its port on 127.0.0.1.
    pub port: u16,
    server: Child,
}

impl SecuredPostgres {
    /// The superuser's password; the superuser is `postgres`.
    pub const PASSWORD: &str = "superuser-of-a-test";

    /// Starts one that shows this certificate, and waits until it answers.
    pub async fn start(authority: &Authority, shown: &Issued) -> Self {
        let programs = programs();
        let folder = tempfile::tempdir().expect("a folder for the server");
        give(folder.path());
        let data = folder.path().join("data");
        let password = folder.path().join("password");
        fs::write(&password, Self::PASSWORD).expect("the password is written");
        give(&password);
        let mut initdb = command(programs.join("initdb"));
        initdb.args([
            "--username=postgres",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]);
        run(initdb.arg(format!("--pwfile={}", password.display())).arg(&data).current_dir(folder.path()));
        fs::write(
            data.join("pg_hba.conf"),
            "hostssl all audit_operator 127.0.0.1/32 scram-sha-256 clientcert=verify-ca\nhostssl all all 127.0.0.1/32 scram-sha-256\n",
        )
        .expect("the access rules are written");
        let place = |name: &str| folder.path().join(name);
        let own = Issued { certificate: place("server.crt"), key: place("server.key") };
        install(shown, &own);
        fs::copy(authority.file(), place("ca.crt")).expect("the authority is copied");
        give(&place("ca.crt"));
        let port = quiet_port();
        let mut postgres = command(programs.join("postgres"));
        postgres.arg("-D").arg(&data).current_dir(folder.path());
        for setting in [
            format!("port={port}"),
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            "shared_buffers=16MB".to_owned(),
            "fsync=off".to_owned(),
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", own.certificate.display()),
            format!("ssl_key_file={}", own.key.display()),
            format!("ssl_ca_file={}", place("ca.crt").display()),
        ] {
            postgres.args(["-c", &setting]);
        }
        let server = spawn(&mut postgres, &place("log"));
        let started = Self { programs, folder, shown: own, port, server };
        wait_until("PostgreSQL answers", Duration::from_mins(1), || async {
            started.answers().then_some(())
        })
        .await;
        started
    }

    fn answers(&self) -> bool {
        let mut ready = std::process::Command::new(self.programs.join("pg_isready"));
        ready.args(["--host=127.0.0.1", &format!("--port={}", self.port)]).stdout(Stdio::null());
        ready.status().expect("pg_isready can be started").success()
    }

    /// Shows another certificate from now on.
    pub fn show(&self, other: &Issued) {
        install(other, &self.shown);
        let data = self.folder.path().join("data");
        run(command(self.programs.join("pg_ctl")).args(["reload", "-D"]).arg(data));
    }

    /// A URL that is checked as these parameters say; `host` is what the certificate must be for.
    pub fn url(&self, user: &str, password: &str, host: &str, parameters: &str) -> String {
        format!("postgres://{user}:{password}@{host}:{}/audit?{parameters}", self.port)
    }
}

impl Drop for SecuredPostgres {
    fn drop(&mut self) {
        // SIGKILL is no harm: nobody reads this data again. Its children see that it is gone, and end.
        let _ = self.server.kill();
        let _ = self.server.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            eprintln!("--- PostgreSQL's log:\n{log}");
        }
    }
}

/// PostgreSQL wants a key that nobody else can read.
fn install(from: &Issued, to: &Issued) {
    from.replace(to);
    fs::set_permissions(&to.key, fs::Permissions::from_mode(0o600)).expect("the key's permissions are set");
    give(&to.certificate);
    give(&to.key);
}

//! A PostgreSQL of a test's own: a primary to be stopped, and streaming standbys that can be held back.

use std::{
    fs::File,
    net::TcpListener,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, User, geteuid},
};
use rand::RngExt as _;
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

use crate::{log_end::log_end, wait_until};

/// The account that `cargo xtask test` runs its servers as when it is root: PostgreSQL refuses to be root.
const ACCOUNT: &str = "audit-stack";
const READY: Duration = Duration::from_mins(1);
/// Fast to start and to stop, and safe enough for data that nobody wants tomorrow.
const SETTINGS: [&str; 6] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "shared_buffers=32MB",
    "max_connections=60",
    "fsync=off",
    "timezone=UTC",
];

/// A server with data and a port of its own; killed with this value.
#[derive(Debug)]
pub struct PostgresNode {
    folder: TempDir,
    port: u16,
    settings: Vec<String>,
    child: Child,
    /// Where its write-ahead log goes.
    archive: Option<TempDir>,
}

impl PostgresNode {
    /// Starts a primary with these settings beside its own (`name=value`), and waits until it takes connections.
    pub async fn start(settings: &[&str]) -> Self {
        let folder = folder();
        run(
            "initdb",
            &["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"],
            |c| {
                c.arg(data(&folder));
            },
        );
        Self::launch(folder, settings).await
    }

    /// A standby that streams from this primary, from a base backup taken now.
    pub async fn standby(&self, settings: &[&str]) -> Self {
        let folder = folder();
        self.base_backup(&data(&folder), &["--write-recovery-conf"]);
        Self::launch(folder, settings).await
    }

    /// `pg_basebackup` into a folder that is not there yet.
    fn base_backup(&self, target: &Path, options: &[&str]) {
        let connection = format!("host=127.0.0.1 port={} user=postgres", self.port);
        run(
            "pg_basebackup",
            &["--checkpoint=fast", "--wal-method=stream", "--no-sync", "--dbname", &connection],
            |c| {
                c.args(options).arg("--pgdata").arg(target);
            },
        );
    }

    /// Starts a primary that archives its write-ahead log, for [`PostgresNode::restore`].
    pub async fn start_archiving() -> Self {
        let archive = folder();
        let command = format!("archive_command=cp %p {}/%f", archive.path().display());
        let mut node = Self::start(&["archive_mode=on", &command]).await;
        node.archive = Some(archive);
        node
    }

    /// A base backup, taken now.
    pub fn back_up(&self) -> TempDir {
        let folder = folder();
        self.base_backup(&data(&folder), &[]);
        folder
    }

    /// Names this moment; the file of the write-ahead log that holds it.
    pub async fn name_moment(&self, name: &str) -> String {
        let client = self.connect("postgres").await;
        let statement = format!("select pg_walfile_name(pg_create_restore_point('{name}'))");
        client.query_one(&statement, &[]).await.expect("the moment is named").get(0)
    }

    /// Ends the file of the write-ahead log that is written now, and waits until this one is in the archive.
    pub async fn archives(&self, file: &str) {
        let client = self.connect("postgres").await;
        client.batch_execute("select pg_switch_wal()").await.expect("the file is closed");
        let archive = self.archive.as_ref().expect("it was started with an archive");
        wait_until("the archive reaches the moment", READY, || async {
            archive.path().join(file).exists().then_some(())
        })
        .await;
    }

    /// Kills it and removes its data, as a disk that breaks does. What is left is its archive.
    pub fn lose(mut self) -> TempDir {
        self.archive.take().expect("it was started with an archive")
    }

    /// A server on this backup and archive, as it all was at this moment, that takes writes.
    pub async fn restore(backup: TempDir, archive: &TempDir, moment: &str) -> Self {
        let signal = data(&backup).join("recovery.signal");
        std::fs::write(&signal, "").expect("the signal is written");
        let command = format!("restore_command=cp {}/%f %p", archive.path().display());
        let target = format!("recovery_target_name={moment}");
        let node = Self::launch(backup, &[&command, &target, "recovery_target_action=promote"]).await;
        let client = node.connect("postgres").await;
        wait_until("the copy is restored", READY, || async {
            let row = client.query_one("select pg_is_in_recovery()", &[]).await.ok()?;
            (!row.get::<_, bool>(0)).then_some(())
        })
        .await;
        node
    }

    async fn launch(folder: TempDir, settings: &[&str]) -> Self {
        let port = quiet_port();
        let settings: Vec<String> =
            SETTINGS.iter().chain(settings).map(|&setting| setting.to_owned()).collect();
        let child = postgres(&folder, port, &settings);
        let node = Self { folder, port, settings, child, archive: None };
        node.ready().await;
        node
    }

    /// The superuser's URL.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Where it listens, `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The same URL, at this server instead.
    pub fn in_place_of(&self, url: &str) -> String {
        let mut url = reqwest::Url::parse(url).expect("a URL");
        url.set_port(Some(self.port)).expect("a URL with a host takes a port");
        url.into()
    }

    /// A superuser's connection to this database.
    pub async fn connect(&self, database: &str) -> Client {
        let mut url = reqwest::Url::parse(&self.url()).expect("a URL");
        url.set_path(database);
        let (client, connection) =
            tokio_postgres::connect(url.as_str(), NoTls).await.expect("the node takes connections");
        tokio::spawn(connection);
        client
    }

    /// A standby stops applying what it receives, at once and until [`PostgresNode::go_on`].
    pub async fn hold(&self) {
        let client = self.connect("postgres").await;
        client.batch_execute("select pg_wal_replay_pause()").await.expect("a standby can be paused");
        wait_until("replay is paused", READY, || async {
            let row = client.query_one("select pg_get_wal_replay_pause_state()", &[]).await.ok()?;
            (row.get::<_, &str>(0) == "paused").then_some(())
        })
        .await;
    }

    /// Applies again.
    pub async fn go_on(&self) {
        let client = self.connect("postgres").await;
        client.batch_execute("select pg_wal_replay_resume()").await.expect("a standby can go on");
    }

    /// Ends it as an operator would (SIGINT: sessions are ended), and waits.
    pub fn stop(&mut self) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        kill(pid, Signal::SIGINT).expect("the server runs");
        self.child.wait().expect("a stopped server ends");
    }

    /// Starts it again on its data and port.
    pub async fn restart(&mut self) {
        self.child = postgres(&self.folder, self.port, &self.settings);
        self.ready().await;
    }

    async fn ready(&self) {
        let url = self.url();
        wait_until("PostgreSQL takes connections", READY, || async {
            tokio_postgres::connect(&url, NoTls).await.ok().map(drop)
        })
        .await;
    }
}

impl Drop for PostgresNode {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the end of PostgreSQL's log:\n{}", log_end(self.folder.path()));
        }
    }
}

fn data(folder: &TempDir) -> PathBuf {
    folder.path().join("data")
}

/// A folder that the server's account owns.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder for the server");
    if let Some(account) = account() {
        chown(folder.path(), Some(account.uid.as_raw()), Some(account.gid.as_raw()))
            .expect("root gives it away");
    }
    folder
}

/// Who a server runs as; `None` = whoever runs the test.
pub(crate) fn account() -> Option<User> {
    geteuid().is_root().then(|| {
        User::from_name(ACCOUNT)
            .expect("accounts can be looked up")
            .expect("`cargo xtask test` adds the account audit-stack, which servers run as")
    })
}

/// The newest installed version's programs, as `cargo xtask` chooses them.
pub(crate) fn programs() -> PathBuf {
    let versions =
        std::fs::read_dir("/usr/lib/postgresql").expect("Debian's package postgresql is installed");
    let newest = versions
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .max()
        .expect("a version of PostgreSQL");
    PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin"))
}

/// A program of PostgreSQL as the servers' account, which ends when we do.
fn program(name: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=KILL");
    if let Some(account) = account() {
        command.args([
            format!("--reuid={}", account.uid),
            format!("--regid={}", account.gid),
            "--clear-groups".to_owned(),
        ]);
    }
    command.arg("--").arg(programs().join(name)).current_dir("/").stdin(Stdio::null());
    command
}

fn run(name: &str, arguments: &[&str], more: impl FnOnce(&mut Command)) {
    let mut command = program(name);
    command.args(arguments);
    more(&mut command);
    let output = command.output().expect("PostgreSQL's programs can be started");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
}

fn postgres(folder: &TempDir, port: u16, settings: &[String]) -> Child {
    let log =
        File::options().create(true).append(true).open(folder.path().join("log")).expect("the log is made");
    let mut command = program("postgres");
    command.arg("-D").arg(data(folder)).args(["-c", &format!("port={port}")]);
    for setting in settings {
        command.args(["-c", setting]);
    }
    command.stdout(log.try_clone().expect("one log for both")).stderr(log);
    command.spawn().expect("PostgreSQL starts")
}

/// A free port below those that the kernel gives to outgoing connections: the server takes it a moment from now.
pub(crate) fn quiet_port() -> u16 {
    let mut ports = std::iter::repeat_with(|| rand::rng().random_range(15_000..32_000));
    let free = ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.expect("an endless iterator finds one")
}

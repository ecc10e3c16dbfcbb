//! The tools that a fresh machine lacks, installed from its own packages, said before it is done.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use nix::unistd::geteuid;

use crate::console::Console;
use crate::dist::Java;
use crate::{postgres, rabbitmq};

/// The oldest Java that the servers run on.
const OLDEST_JAVA: u32 = 17;

const POLICY: &str = "/usr/sbin/policy-rc.d";
const CREATE_CLUSTER: &str = "/etc/postgresql-common/createcluster.conf";

/// Installs what is missing and gives back the Java to use.
pub(crate) fn provision(console: &Console) -> Result<Java> {
    let missing = missing_packages();
    if !missing.is_empty() {
        install(&missing, console)?;
    }
    let still = missing_packages();
    if !still.is_empty() {
        bail!("still missing after the installation: {}", still.join(" "));
    }
    find_java().context("no Java 17 or newer found after the installation")
}

/// Brings the system's lists of packages up to date, for these.
pub(crate) fn refresh_lists(packages: &[&str], console: &Console) -> Result<()> {
    console.step("refreshing the package lists");
    apt(as_root(packages)?, &["update"])
}

fn missing_packages() -> Vec<&'static str> {
    let mut missing = Vec::new();
    if postgres::installed().is_none() {
        missing.push("postgresql");
    }
    if !rabbitmq::is_installed() {
        missing.push("rabbitmq-server");
    }
    if find_java().is_none() {
        missing.push("default-jre-headless");
    }
    for (program, package) in [
        ("mvn", "maven"),
        ("cc", "build-essential"),
        ("make", "build-essential"),
        ("g++", "build-essential"),
        ("pkg-config", "pkg-config"),
        ("setpriv", "util-linux"),
    ] {
        if find_program(program).is_none() && !missing.contains(&package) {
            missing.push(package);
        }
    }
    for (header, package) in [("openssl/ssl.h", "libssl-dev"), ("zlib.h", "zlib1g-dev")] {
        if !Path::new("/usr/include").join(header).exists() {
            missing.push(package);
        }
    }
    missing
}

fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// From `JAVA_HOME`, `PATH` and where Debian puts them, the oldest that is new enough: the servers are tried with it.
fn find_java() -> Option<Java> {
    let from_home = std::env::var_os("JAVA_HOME").map(|home| PathBuf::from(home).join("bin/java"));
    let homes = fs::read_dir("/usr/lib/jvm").into_iter().flatten().filter_map(Result::ok);
    let installed = homes.map(|entry| entry.path().join("bin/java"));
    let candidates = from_home.into_iter().chain(find_program("java")).chain(installed);
    let versions = candidates.filter_map(|program| Some((java_version(&program)?, program)));
    let usable = versions.filter(|(version, _)| *version >= OLDEST_JAVA);
    usable.min_by_key(|(version, _)| *version).map(|(_, program)| Java { program })
}

fn java_version(program: &Path) -> Option<u32> {
    let output = Command::new(program).arg("-version").stdin(Stdio::null()).output().ok()?;
    java_major(&String::from_utf8_lossy(&output.stderr))
}

/// The major version in `openjdk version "17.0.15" 2025-04-15` (or `"1.8.0"`, which is 8 and old either way).
fn java_major(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("version \"")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn install(packages: &[&str], console: &Console) -> Result<()> {
    let as_root = as_root(packages)?;
    if find_program("apt-get").is_none() {
        bail!("missing: {}. This is no Debian or Ubuntu: install their equals by hand", packages.join(" "));
    }
    console.step(&format!("will install from the system's packages: {}", packages.join(" ")));
    let guard = ServiceGuard::put_up(as_root, packages.contains(&"postgresql"), console)?;
    refresh_lists(packages, console)?;
    if packages.contains(&"postgresql") {
        console.step(
            "installing postgresql-common first, so that PostgreSQL's package makes no cluster of its own",
        );
        apt(as_root, &["install", "--yes", "--no-install-recommends", "postgresql-common"])?;
        guard.forbid_cluster()?;
    }
    console.step(&format!("installing {}", packages.join(" ")));
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(packages);
    let units = units_of(packages);
    apt(as_root, &arguments)?;
    keep_from_starting(as_root, &units)
}

/// The units that these packages bring along and would start when the machine does; not those that are there already.
fn units_of(packages: &[&str]) -> Vec<&'static str> {
    if !packages.contains(&"rabbitmq-server") {
        return Vec::new();
    }
    let mapper =
        if find_program("epmd").is_some() { [].as_slice() } else { &["epmd.service", "epmd.socket"] };
    ["rabbitmq-server.service"].iter().chain(mapper).copied().collect()
}

/// A service that came with a package for this stack's sake is not one of the machine's: it stays off, at boot too.
fn keep_from_starting(as_root: AsRoot, units: &[&str]) -> Result<()> {
    if units.is_empty() || find_program("systemctl").is_none() {
        return Ok(());
    }
    let arguments: Vec<&str> = ["disable", "--quiet"].iter().chain(units).copied().collect();
    run_as_root(as_root, "systemctl", &arguments)
}

/// How a command becomes root here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AsRoot {
    Already,
    BySudo,
}

fn as_root(packages: &[&str]) -> Result<AsRoot> {
    if geteuid().is_root() {
        Ok(AsRoot::Already)
    } else if find_program("sudo").is_some() {
        Ok(AsRoot::BySudo)
    } else {
        bail!(
            "missing: {0}. Neither root nor sudo is here; as root run: apt-get install {0}",
            packages.join(" ")
        )
    }
}

fn root_command(as_root: AsRoot, program: &str) -> Command {
    if as_root == AsRoot::Already {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.args(["--preserve-env=DEBIAN_FRONTEND", program]);
    command
}

/// Runs apt-get quietly: what it says matters only when it fails.
fn apt(as_root: AsRoot, arguments: &[&str]) -> Result<()> {
    let mut command = root_command(as_root, "apt-get");
    let output = command
        .args(["-o", "Dpkg::Use-Pty=0", "-o", "Acquire::Retries=5", "-o", "DPkg::Lock::Timeout=300"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .output()
        .context("running apt-get")?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!(
            "apt-get {} failed ({}):\n{}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&said)
        );
    }
    Ok(())
}

/// Keeps package scripts from starting or changing a service of the machine; what was there before comes back on drop.
struct ServiceGuard {
    as_root: AsRoot,
    policy_before: Option<Vec<u8>>,
    console: Console,
    cluster: bool,
}

impl ServiceGuard {
    fn put_up(as_root: AsRoot, cluster: bool, console: &Console) -> Result<Self> {
        console.step("no service of this machine will be started or changed (policy-rc.d)");
        let guard = Self { as_root, policy_before: fs::read(POLICY).ok(), console: *console, cluster };
        write_as_root(as_root, POLICY, b"#!/bin/sh\nexit 101\n")?;
        run_as_root(as_root, "chmod", &["0755", POLICY])?;
        Ok(guard)
    }

    /// `create_main_cluster = false` while the packages are set up; the file's own text comes back after.
    fn forbid_cluster(&self) -> Result<()> {
        run_as_root(self.as_root, "cp", &["--preserve", CREATE_CLUSTER, &format!("{CREATE_CLUSTER}.xtask")])?;
        let text = fs::read_to_string(CREATE_CLUSTER).with_context(|| format!("reading {CREATE_CLUSTER}"))?;
        write_as_root(self.as_root, CREATE_CLUSTER, without_main_cluster(&text).as_bytes())
    }

    fn take_down(&self) -> Result<()> {
        if let Some(before) = &self.policy_before {
            write_as_root(self.as_root, POLICY, before)?;
        } else {
            run_as_root(self.as_root, "rm", &["--force", POLICY])?;
        }
        let saved = format!("{CREATE_CLUSTER}.xtask");
        if self.cluster && Path::new(&saved).exists() {
            run_as_root(self.as_root, "mv", &["--force", &saved, CREATE_CLUSTER])?;
        }
        Ok(())
    }
}

impl Drop for ServiceGuard {
    fn drop(&mut self) {
        if let Err(error) = self.take_down() {
            self.console.step(&format!("could not restore {POLICY} or {CREATE_CLUSTER}: {error:#}"));
        }
    }
}

fn without_main_cluster(text: &str) -> String {
    let is_setting = |line: &&str| line.trim_start_matches(['#', ' ']).starts_with("create_main_cluster");
    let kept: Vec<&str> = text.lines().filter(|line| !is_setting(line)).collect();
    format!("{}\ncreate_main_cluster = false\n", kept.join("\n"))
}

fn run_as_root(as_root: AsRoot, program: &str, arguments: &[&str]) -> Result<()> {
    let status = root_command(as_root, program)
        .args(arguments)
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("running {program}"))?;
    if !status.success() {
        bail!("{program} {} failed ({status})", arguments.join(" "));
    }
    Ok(())
}

fn write_as_root(as_root: AsRoot, path: &str, content: &[u8]) -> Result<()> {
    use std::io::Write;
    let mut child = root_command(as_root, "tee")
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("running tee")?;
    child.stdin.take().context("tee has a standard input")?.write_all(content)?;
    let status = child.wait()?;
    if !status.success() {
        bail!("writing {path} failed ({status})");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_versions_are_read_in_all_their_forms() {
        assert_eq!(java_major("openjdk version \"17.0.15\" 2025-04-15"), Some(17));
        assert_eq!(java_major("openjdk version \"25\" 2025-09-16"), Some(25));
        assert_eq!(java_major("java version \"1.8.0_402\""), Some(1));
        assert_eq!(java_major("command not found"), None);
    }

    #[test]
    fn the_main_cluster_is_forbidden_whatever_the_file_said() {
        for text in ["create_main_cluster = true\nx = 1\n", "#create_main_cluster = true\nx = 1\n", "x = 1\n"]
        {
            assert_eq!(without_main_cluster(text), "x = 1\ncreate_main_cluster = false\n");
        }
    }
}

//! Debian's Prometheus: the server for the test that sees the alerts fire, and `promtool` for the package checks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::console::Console;
use crate::provision;

/// Where its programs are, below the folder of downloads.
pub(crate) fn folder(dist: &Path) -> PathBuf {
    dist.join("prometheus")
}

/// Makes sure of both programs, and gives the variable by which the tests find the server; one that cannot be had is said, and
/// fails its test alone. Unpacked, not installed: the package brings a service that nobody wants here.
pub(crate) fn provision(dist: &Path, console: &Console) -> Vec<(String, String)> {
    let folder = folder(dist);
    let server = folder.join("prometheus");
    if !server.is_file()
        && let Err(error) = fetch(&folder, console)
    {
        console.step(&format!("Prometheus and promtool cannot be had: {error:#}"));
        return Vec::new();
    }
    vec![("AUDIT_TEST_PROMETHEUS".to_owned(), server.display().to_string())]
}

fn fetch(folder: &Path, console: &Console) -> Result<()> {
    console.step("unpacking Prometheus from the system's packages");
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    if unpack(folder).is_err() {
        provision::refresh_lists(&["prometheus"], console)?;
        unpack(folder)?;
    }
    Ok(())
}

/// The server comes last, so that what is there is whole.
fn unpack(folder: &Path) -> Result<()> {
    let script = "set -e; rm -rf unpacked prometheus_*.deb; apt-get download prometheus; \
                  dpkg -x prometheus_*.deb unpacked; mv unpacked/usr/bin/promtool .; \
                  mv unpacked/usr/bin/prometheus .; rm -r unpacked prometheus_*.deb";
    let mut shell = Command::new("sh");
    let output = shell.args(["-c", script]).current_dir(folder).stdin(Stdio::null()).output()?;
    if !output.status.success() {
        bail!("unpacking the package prometheus failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

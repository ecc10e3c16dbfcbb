//! The peer's jars: brought by Maven from Maven Central once, held against the hashes in `bench/peer`, used offline from
//! then on.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// The versions that `bench/peer/pom.xml` pins, as circumstances name them.
pub(super) const VERSIONS: &str = "Kafka Connect 4.1.1, Debezium's JDBC sink 3.5.0.Final, pgjdbc 42.7.13, \
                                   Apicurio's Avro converter 2.6.13.Final";

const FOLDER: &str = "peer-connect-4.1.1-debezium-3.5.0";
const POM: &str = include_str!("../../peer/pom.xml");
const HASHES: &str = include_str!("../../peer/jars.sha256");
const COPY_JARS: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
const ATTEMPTS: usize = 3;

/// What came of looking for the jars.
#[derive(Debug)]
pub(super) enum Jars {
    /// All of them are in this folder.
    Here(PathBuf),
    /// They cannot be had here, and why.
    OutOfReach(String),
}

/// Finds the jars below `dist`, or brings them there. An error is what must not be passed over: jars that are not the
/// expected ones.
pub(super) fn find(dist: &Path) -> Result<Jars> {
    let place = dist.join(FOLDER);
    if place.is_dir() {
        return Ok(Jars::Here(place));
    }
    // Filled beside its place and moved there whole: a download that was cut short is never taken for the peer.
    let draft = dist.join(format!("{FOLDER}.{}", std::process::id()));
    fs::create_dir_all(&draft).with_context(|| format!("making {}", draft.display()))?;
    let filled = fill(&draft);
    if matches!(filled, Ok(None)) {
        fs::rename(&draft, &place).with_context(|| format!("moving the jars to {}", place.display()))?;
        return Ok(Jars::Here(place));
    }
    fs::remove_dir_all(&draft).with_context(|| format!("removing {}", draft.display()))?;
    let reason = filled?.unwrap_or_default();
    Ok(Jars::OutOfReach(reason))
}

/// Downloads and checks; gives back why there was nothing to check.
fn fill(draft: &Path) -> Result<Option<String>> {
    let pom = draft.join("pom.xml");
    fs::write(&pom, POM)?;
    if let Some(reason) = download(&pom) {
        return Ok(Some(reason));
    }
    fs::remove_file(&pom)?;
    check(draft, HASHES)?;
    Ok(None)
}

fn download(pom: &Path) -> Option<String> {
    let mut reason = String::new();
    for _ in 0..ATTEMPTS {
        eprintln!("downloading Kafka Connect and Debezium's JDBC sink (68 MB) from Maven Central");
        // Strict: what Maven Central's own checksum does not fit is not taken.
        let mut maven = Command::new("mvn");
        maven.args(["--batch-mode", "--quiet", "--strict-checksums", COPY_JARS]);
        maven.args(["-Dstyle.color=never", "-DincludeScope=runtime", "-DoutputDirectory=.", "--file"]);
        match maven.arg(pom).stdin(Stdio::null()).output() {
            Err(error) => return Some(format!("mvn cannot be run: {error}")),
            Ok(output) if output.status.success() => return None,
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stdout);
                let first =
                    text.lines().find(|line| line.contains("[ERROR]")).unwrap_or("it does not say why");
                reason = format!("mvn failed: {}", first.trim_start_matches("[ERROR]").trim());
            }
        }
    }
    Some(reason)
}

/// Every file of the list must be there as it was listed, and no other.
fn check(folder: &Path, hashes: &str) -> Result<()> {
    let mut sums = Command::new("sha256sum")
        .args(["--check", "--strict", "--quiet", "-"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("running sha256sum")?;
    sums.stdin.take().context("sha256sum reads its list")?.write_all(hashes.as_bytes())?;
    let output = sums.wait_with_output()?;
    if !output.status.success() {
        let (said, failed) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("what was downloaded is not the peer that this project compares with:\n{said}{failed}");
    }
    let (files, listed) = (fs::read_dir(folder)?.count(), hashes.lines().count());
    ensure!(files == listed, "the download has {files} files where {listed} are expected");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jar_that_changed_or_is_not_listed_is_refused() {
        let folder = std::env::temp_dir().join(format!("audit-bench-jars-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a.jar\n";
        fs::write(folder.join("a.jar"), "").unwrap();
        let good = check(&folder, empty);
        fs::write(folder.join("b.jar"), "").unwrap();
        let more = check(&folder, empty);
        fs::remove_file(folder.join("b.jar")).unwrap();
        fs::write(folder.join("a.jar"), "x").unwrap();
        let changed = check(&folder, empty);
        fs::remove_dir_all(&folder).unwrap();
        good.unwrap();
        assert!(more.unwrap_err().to_string().contains("2 files where 1"));
        assert!(changed.unwrap_err().to_string().contains("a.jar: FAILED"));
    }

    #[test]
    fn the_list_names_the_versions_that_are_reported() {
        for jar in ["connect-runtime-4.1.1", "debezium-connector-jdbc-3.5.0.Final", "postgresql-42.7.13"] {
            assert!(HASHES.contains(&format!("  {jar}.jar\n")), "{jar}");
        }
        assert!(HASHES.contains("  apicurio-registry-utils-converter-2.6.13.Final.jar\n"));
        assert!(!HASHES.contains("mysql"));
    }
}

//! The servers that come from Maven Central: fetched once by Maven, checked against the hashes in `xtask/dist`, used
//! offline from then on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::console::Console;

const KAFKA: &str = "kafka-4.1.1";
const KAFKA_POM: &str = include_str!("../dist/kafka-pom.xml");
const KAFKA_HASHES: &str = include_str!("../dist/kafka.sha256");
const REGISTRY: &str = "apicurio-registry-3.0.9";
const REGISTRY_ARTIFACT: &str = "io.apicurio:apicurio-registry-app:3.0.9:tar.gz:all";
const REGISTRY_HASHES: &str = include_str!("../dist/registry.sha256");
const ATTEMPTS: u32 = 3;

/// A Java that is new enough.
pub(crate) struct Java {
    /// The program.
    pub(crate) program: PathBuf,
}

/// The folder of Kafka's jars.
pub(crate) fn kafka_dir(dist: &Path) -> PathBuf {
    dist.join(KAFKA)
}

/// The registry's program.
pub(crate) fn registry_jar(dist: &Path) -> PathBuf {
    dist.join(REGISTRY).join("apicurio-registry-app-3.0.9-runner.jar")
}

/// Fetches what is missing below `dist`.
pub(crate) fn fetch(dist: &Path, console: &Console) -> Result<()> {
    install(dist, KAFKA, console, |draft| {
        // dependency-plugin 3 resolves a tree of dependencies from a pom.
        fs::write(draft.join("pom.xml"), KAFKA_POM)?;
        let mut maven = maven("3.8.1:copy-dependencies");
        maven.args(["-DincludeScope=runtime", "-DoutputDirectory=."]).current_dir(draft);
        download(&mut maven, "Apache Kafka 4.1.1 (54 MB)", console)?;
        check(draft, KAFKA_HASHES)?;
        fs::remove_file(draft.join("pom.xml")).context("removing the pom")
    })?;
    install(dist, REGISTRY, console, |draft| {
        // The artifact's parent pom was never published. Version 2 of the plugin does not ask for it.
        let mut maven = maven("2.10:copy");
        maven.arg(format!("-Dartifact={REGISTRY_ARTIFACT}")).arg("-DoutputDirectory=.").current_dir(draft);
        download(&mut maven, "Apicurio Registry 3.0.9 (109 MB)", console)?;
        check(draft, REGISTRY_HASHES)?;
        let archive = "apicurio-registry-app-3.0.9-all.tar.gz";
        let status = Command::new("tar")
            .args(["--extract", "--no-same-owner", "--file", archive])
            .current_dir(draft)
            .status()?;
        if !status.success() {
            bail!("unpacking {archive} failed ({status})");
        }
        fs::remove_file(draft.join(archive)).context("removing the archive")
    })
}

/// Fills a draft folder and moves it into place whole, so that an interrupted download is never taken for a server.
fn install(dist: &Path, name: &str, console: &Console, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let place = dist.join(name);
    if place.exists() {
        return Ok(());
    }
    let draft = dist.join(format!("{name}.{}", std::process::id()));
    fs::create_dir_all(&draft).with_context(|| format!("making {}", draft.display()))?;
    let filled = fill(&draft);
    if let Err(error) = filled {
        fs::remove_dir_all(&draft)?;
        return Err(error);
    }
    if fs::rename(&draft, &place).is_err() && place.exists() {
        // Another start was faster; both checked the same hashes.
        fs::remove_dir_all(&draft)?;
    }
    console.step(&format!("{name} is in {}", place.display()));
    Ok(())
}

fn maven(goal: &str) -> Command {
    let mut command = Command::new("mvn");
    command.args(["--batch-mode", "--quiet", "-Dmaven.wagon.http.retryHandler.count=5"]);
    command.arg(format!("org.apache.maven.plugins:maven-dependency-plugin:{goal}"));
    command.stdin(Stdio::null());
    command
}

fn download(maven: &mut Command, what: &str, console: &Console) -> Result<()> {
    for attempt in 1..=ATTEMPTS {
        console.step(&format!(
            "downloading {what} from Maven Central{}",
            if attempt > 1 { " (again)" } else { "" }
        ));
        let output = maven.output().context("running mvn")?;
        if output.status.success() {
            return Ok(());
        }
        console.step(&format!("Maven failed:\n{}", String::from_utf8_lossy(&output.stdout)));
        sleep(Duration::from_secs(2) * attempt);
    }
    bail!("{what} could not be downloaded in {ATTEMPTS} attempts: is Maven Central reachable from here?")
}

/// Checks every file of the list: a file that is missing, changed or more than listed is an error.
fn check(dir: &Path, hashes: &str) -> Result<()> {
    let list = dir.join("expected.sha256");
    fs::write(&list, hashes)?;
    let output = Command::new("sha256sum")
        .args(["--check", "--strict", "--quiet", "expected.sha256"])
        .current_dir(dir)
        .output()
        .context("running sha256sum")?;
    fs::remove_file(&list)?;
    if !output.status.success() {
        bail!(
            "the download is not what this project expects:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let listed = hashes.lines().count();
    let jars =
        fs::read_dir(dir)?.filter_map(Result::ok).filter(|entry| entry.file_name() != "pom.xml").count();
    if jars != listed {
        bail!("the download has {jars} files where {listed} are expected");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_or_additional_file_is_refused() {
        let dir = std::env::temp_dir().join(format!("xtask-dist-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("a.jar"), "").unwrap();
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a.jar\n";
        check(&dir, empty).unwrap();
        fs::write(dir.join("b.jar"), "").unwrap();
        assert!(check(&dir, empty).is_err());
        fs::remove_file(dir.join("b.jar")).unwrap();
        fs::write(dir.join("a.jar"), "changed").unwrap();
        assert!(check(&dir, empty).is_err());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn the_hash_lists_are_complete() {
        assert_eq!(KAFKA_HASHES.lines().count(), 93);
        assert_eq!(REGISTRY_HASHES.lines().count(), 1);
        assert!(KAFKA_HASHES.contains("log4j-slf4j-impl-2.24.3.jar"));
    }
}

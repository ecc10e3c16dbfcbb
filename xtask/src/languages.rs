//! Kafka clients of other languages and generators of API clients, for the tests that run what docs/producing.md and
//! docs/clients.md show.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::console::Console;

const PYTHON_REQUIREMENTS: &str = include_str!("../dist/python-requirements.txt");
const NODE_PACKAGE: &str = include_str!("../dist/node-package.json");
const NODE_LOCK: &str = include_str!("../dist/node-package-lock.json");

/// Written last, with what it holds: a folder without it was not finished.
const FINISHED: &str = "finished.txt";

/// Fetches what is missing below `dist`, and gives the variables by which the tests find it. A language that is not on
/// this machine is left out, and said.
pub(crate) fn provision(dist: &Path, console: &Console) -> Result<Vec<(String, String)>> {
    let mut variables = Vec::new();
    let mut found = |name: &str, path: PathBuf| variables.push((name.to_owned(), path.display().to_string()));
    if runs("python3", &["-c", "import ensurepip, venv"]) {
        found("AUDIT_TEST_PYTHON", python(&dist.join("python-clients"), console)?);
    } else {
        console.step(
            "no python3 with venv is here: docs/producing.md and docs/clients.md are tested without Python",
        );
    }
    if runs("node", &["--version"]) && runs("npm", &["--version"]) {
        found("AUDIT_TEST_NODE_MODULES", node(&dist.join("node-clients"), console)?);
    } else {
        console
            .step("no node with npm is here: docs/producing.md and docs/clients.md are tested without Node");
    }
    Ok(variables)
}

/// The interpreter of a virtual environment that has the clients.
fn python(folder: &Path, console: &Console) -> Result<PathBuf> {
    let interpreter = folder.join("bin/python");
    install(folder, PYTHON_REQUIREMENTS, || {
        console.step("installing Python's Kafka client and client generator (pip)");
        run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        let list = folder.join("requirements.txt");
        fs::write(&list, PYTHON_REQUIREMENTS)?;
        let mut pip = Command::new(&interpreter);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"]);
        run(pip.arg(&list))
    })?;
    Ok(interpreter)
}

/// The folder of the modules.
fn node(folder: &Path, console: &Console) -> Result<PathBuf> {
    install(folder, NODE_LOCK, || {
        console.step("installing Node's Kafka client and client generator (npm)");
        fs::write(folder.join("package.json"), NODE_PACKAGE)?;
        fs::write(folder.join("package-lock.json"), NODE_LOCK)?;
        run(Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
            .current_dir(folder))
    })?;
    Ok(folder.join("node_modules"))
}

/// Fills a folder unless this very content is there already. It is filled in place: a virtual environment cannot move.
fn install(folder: &Path, content: &str, fill: impl FnOnce() -> Result<()>) -> Result<()> {
    let mark = folder.join(FINISHED);
    if fs::read_to_string(&mark).is_ok_and(|found| found == content) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    fill()?;
    fs::write(&mark, content).with_context(|| format!("writing {}", mark.display()))
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("running {program}"))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("{program} failed ({}):\n{}", output.status, String::from_utf8_lossy(&said));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_filled_once_and_again_only_when_its_content_changes() {
        let folder = std::env::temp_dir().join(format!("xtask-languages-{}", std::process::id()));
        let mut filled = 0;
        for content in ["one", "one", "two"] {
            install(&folder, content, || {
                filled += 1;
                Ok(())
            })
            .unwrap();
        }
        assert_eq!(filled, 2);
        assert!(install(&folder, "three", || bail!("no network")).is_err());
        install(&folder, "three", || {
            filled += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(filled, 3, "what was not finished is begun again");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_lock_pins_what_the_package_asks_for() {
        let package: serde_json::Value = serde_json::from_str(NODE_PACKAGE).unwrap();
        let lock: serde_json::Value = serde_json::from_str(NODE_LOCK).unwrap();
        assert_eq!(package["dependencies"], lock["packages"][""]["dependencies"]);
        assert!(PYTHON_REQUIREMENTS.lines().all(|line| line.contains("==")));
    }
}

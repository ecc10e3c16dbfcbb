//! Where the tools are, and how the missing ones come.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result};

use crate::console::Console;
use crate::prometheus;

/// `module@version`, a line each.
const GO_TOOLS: &str = include_str!("../../dist/go-tools.txt");

/// The project, and the tools of this machine.
pub(crate) struct Toolbox {
    /// The project's root, where every tool runs.
    pub(crate) project: PathBuf,
}

impl Toolbox {
    /// The tools for this project.
    pub(crate) fn new(project: &Path) -> Self {
        Self { project: project.to_owned() }
    }

    /// A tool from `.stack/tools` or `.stack/dist`, else from `PATH`, ready to run in the project's root.
    pub(crate) fn find(&self, name: &str) -> Option<Command> {
        let folder = folder(&self.project);
        let own = [folder.join("bin"), folder.join("venv/bin"), prometheus::folder(&dist(&self.project))];
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program = own
            .into_iter()
            .chain(std::env::split_paths(&path))
            .map(|dir| dir.join(name))
            .find(|p| p.is_file())?;
        let mut command = Command::new(program);
        command.current_dir(&self.project).stdin(Stdio::null());
        // Here it may name a file that is not there, and every command would warn.
        command.env_remove("TF_CLI_CONFIG_FILE");
        Some(command)
    }

    /// The folder of Terraform providers that this machine brings, if any: nothing is downloaded for a test.
    pub(crate) fn terraform_plugins() -> Option<OsString> {
        let named = std::env::var_os("AUDIT_TF_PLUGIN_DIR").filter(|folder| !folder.is_empty());
        let usual = ["/opt/tf-plugins", "/usr/share/terraform/plugins"];
        named.or_else(|| usual.into_iter().find(|folder| Path::new(folder).is_dir()).map(OsString::from))
    }
}

/// What a command said, both ways.
pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn folder(project: &Path) -> PathBuf {
    project.join(".stack/tools")
}

fn dist(project: &Path) -> PathBuf {
    project.join(".stack/dist")
}

/// Fetches what is missing, each by the way that this machine has; what cannot be had is said and left out.
pub(crate) fn install(project: &Path, console: &Console) -> Result<()> {
    let folder = folder(project);
    fs::create_dir_all(folder.join("bin")).with_context(|| format!("making {}", folder.display()))?;
    let toolbox = Toolbox::new(project);
    for line in GO_TOOLS.lines().filter(|line| !line.starts_with('#')) {
        let (name, module) = line.split_once(' ').context("go-tools.txt: a name and a module a line")?;
        if toolbox.find(name).is_none() {
            let mut go = Command::new("go");
            go.args(["install", module]).env("GOBIN", folder.join("bin"));
            attempt(console, name, &mut go);
        }
    }
    if toolbox.find("zizmor").is_none() || toolbox.find("checkov").is_none() {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(folder.join("venv"));
        attempt(console, "python3 -m venv", &mut venv);
        let mut pip = Command::new(folder.join("venv/bin/pip"));
        pip.args(["install", "--quiet", "--requirement"]).arg(project.join("xtask/dist/requirements.txt"));
        attempt(console, "the tools of xtask/dist/requirements.txt", &mut pip);
    }
    if toolbox.find("promtool").is_none() {
        prometheus::provision(&dist(project), console);
    }
    Ok(())
}

fn attempt(console: &Console, what: &str, command: &mut Command) {
    console.step(&format!("fetching {what}"));
    match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => console.step(&format!("{what} cannot be had:\n{}", said(&output).trim_end())),
        Err(error) => console.step(&format!("{what} cannot be had: {error}")),
    }
}

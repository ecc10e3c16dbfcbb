//! The project's own programs: built by cargo, run from the stack.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use crate::process::command_as;
use crate::supervisor::Supervisor;

/// Set to `dev` to build and run debug binaries in `up`: quicker to build, slower to run.
const PROFILE_VARIABLE: &str = "XTASK_PROFILE";

/// Set to a folder with the programs in it: `up` runs those and builds nothing. The end-to-end tests run what the other
/// tests run.
const FOLDER_VARIABLE: &str = "XTASK_PROGRAMS";

/// Where the programs are, when the caller has built them.
pub(crate) fn built_already() -> Option<PathBuf> {
    std::env::var_os(FOLDER_VARIABLE).map(PathBuf::from)
}

/// How the programs are built.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Profile {
    /// As the tests are.
    Dev,
    /// Quick, and quickly built.
    Release,
    /// As they are shipped.
    Dist,
}

impl Profile {
    /// What the person asked for; release unless said otherwise.
    pub(crate) fn chosen() -> Result<Self> {
        match std::env::var(PROFILE_VARIABLE).as_deref() {
            Err(_) | Ok("" | "release") => Ok(Self::Release),
            Ok("dev" | "debug") => Ok(Self::Dev),
            Ok(other) => bail!("{PROFILE_VARIABLE}={other}: it is dev or release"),
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
            Self::Dist => "dist",
        }
    }

    /// Its name for cargo.
    fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Release | Self::Dist => self.folder(),
        }
    }
}

/// cargo without the variables that `cargo run` set for this program: they would reach build scripts and make cargo
/// build again what is built already.
pub(crate) fn cargo(project: &Path) -> Command {
    let mut command = command_as(None, Some(Signal::SIGTERM), Path::new("cargo"));
    command.current_dir(project);
    for (name, _) in std::env::vars_os() {
        if is_set_by_cargo_run(&name) {
            command.env_remove(name);
        }
    }
    command
}

fn is_set_by_cargo_run(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    name == "CARGO"
        || name.starts_with("CARGO_PKG_")
        || name.starts_with("CARGO_MANIFEST_")
        || name.starts_with("CARGO_BIN_")
}

/// Builds `programs` (packages of the same name).
pub(crate) fn build(
    project: &Path,
    profile: Profile,
    programs: &[&str],
    supervisor: &mut Supervisor,
) -> Result<()> {
    let mut cargo = cargo(project);
    cargo.args(["build", "--locked", "--profile", profile.name()]);
    for program in programs {
        cargo.args(["--package", program]);
    }
    // cargo's progress belongs to standard error, and so does whatever a build script prints.
    cargo.stdout(std::io::stderr());
    let status = supervisor.run("cargo build", &mut cargo)?;
    if !status.success() {
        bail!("cargo build failed ({status}); what it says is above");
    }
    Ok(())
}

/// Where cargo puts the programs of a profile: beside this one, which it built as well.
pub(crate) fn folder(profile: Profile) -> Result<PathBuf> {
    let own = std::env::current_exe().context("finding this program's own file")?;
    let target =
        own.parent().and_then(Path::parent).context("this program is not in cargo's target folder")?;
    Ok(target.join(profile.folder()))
}

/// Copies a program into the stack: a build while it runs must not change it, and the servers' account must reach it.
pub(crate) fn install(from: &Path, into: &Path) -> Result<PathBuf> {
    let name = from.file_name().context("a program has a file name")?;
    fs::create_dir_all(into).with_context(|| format!("making {}", into.display()))?;
    let place = into.join(name);
    let draft = place.with_extension("new");
    fs::copy(from, &draft).with_context(|| format!("copying {}", from.display()))?;
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o755))?;
    fs::rename(&draft, &place).with_context(|| format!("installing {}", place.display()))?;
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_person_set_for_cargo_stays() {
        for name in ["CARGO_TARGET_DIR", "CARGO_HOME", "CARGO_TERM_COLOR", "PATH"] {
            assert!(!is_set_by_cargo_run(OsStr::new(name)), "{name}");
        }
        for name in ["CARGO", "CARGO_PKG_VERSION", "CARGO_MANIFEST_DIR"] {
            assert!(is_set_by_cargo_run(OsStr::new(name)), "{name}");
        }
    }
}

//! Who the servers run as: the caller, or, when the caller is root, an account of their own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use nix::unistd::{User, geteuid};

use crate::console::Console;
use crate::secrets::hex;

const NAME: &str = "audit-stack";

/// Where root's stacks go when the checkout is below a folder that only root may enter.
const ELSEWHERE: &str = "/var/lib/audit-stack";

/// An unprivileged account.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// Its name, for messages.
    pub(crate) name: String,
    /// User id.
    pub(crate) uid: u32,
    /// Group id.
    pub(crate) gid: u32,
}

/// The account for servers: `None` when the caller is unprivileged already; made on the first use by root.
pub(crate) fn for_servers(console: &Console) -> Result<Option<Account>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    if let Some(account) = look_up()? {
        return Ok(Some(account));
    }
    console
        .step(&format!("adding the system account {NAME} (no home, no login): servers must not run as root"));
    let status = Command::new("useradd")
        .args([
            "--system",
            "--user-group",
            "--no-create-home",
            "--home-dir",
            "/nonexistent",
            "--shell",
            "/usr/sbin/nologin",
            NAME,
        ])
        .stdin(Stdio::null())
        .status()
        .context("running useradd")?;
    // Another start may have added it at the same moment: what counts is that it is there.
    match look_up()? {
        Some(account) => Ok(Some(account)),
        None => bail!(
            "useradd could not add {NAME} ({status}); add it by hand: useradd --system --user-group {NAME}"
        ),
    }
}

fn look_up() -> Result<Option<Account>> {
    let user = User::from_name(NAME).with_context(|| format!("looking up {NAME}"))?;
    Ok(user.map(|user| Account { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw() }))
}

/// Makes `.stack` a folder that `account` can reach. Below a folder such as `/root` it becomes a link to one under
/// `/var/lib`, because opening up the caller's home for the sake of a test server would be wrong.
pub(crate) fn make_reachable(project: &Path, account: Option<&Account>, console: &Console) -> Result<()> {
    let stack = project.join(".stack");
    if fs::symlink_metadata(&stack).is_ok_and(|meta| meta.is_symlink()) && !stack.exists() {
        fs::remove_file(&stack).context("removing the link .stack, which leads nowhere")?;
    }
    let Some(account) = account else { return Ok(()) };
    if stack.exists() {
        // Where the link leads, not the way through the folders above it.
        let real = fs::canonicalize(&stack).with_context(|| format!("resolving {}", stack.display()))?;
        if can_enter(account, &real)? {
            return Ok(());
        }
        bail!(
            "{} cannot reach {}: move the checkout, or delete .stack and start again",
            account.name,
            stack.display()
        );
    }
    if can_enter(account, project)? {
        return Ok(());
    }
    let elsewhere = elsewhere(project);
    console.step(&format!(
        "{} cannot enter {}: .stack becomes a link to {}",
        account.name,
        project.display(),
        elsewhere.display()
    ));
    // The link is gone, so the person wanted a clean start: what an earlier checkout left there is not it.
    let leftovers = fs::read_dir(&elsewhere).into_iter().flatten().filter_map(Result::ok);
    for leftover in leftovers.filter(|entry| entry.file_name() != "dist").map(|entry| entry.path()) {
        fs::remove_dir_all(&leftover).with_context(|| format!("removing {}", leftover.display()))?;
    }
    fs::create_dir_all(&elsewhere).with_context(|| format!("making {}", elsewhere.display()))?;
    symlink(&elsewhere, &stack).with_context(|| format!("linking {}", stack.display()))
}

/// One folder a checkout: its path in hexadecimal, shortened, would collide; FNV-1a of 64 bits does not in practice.
fn elsewhere(project: &Path) -> PathBuf {
    let hash = project.as_os_str().as_encoded_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Path::new(ELSEWHERE).join(hex(&hash.to_be_bytes()))
}

fn can_enter(account: &Account, dir: &Path) -> Result<bool> {
    let status = Command::new("setpriv")
        .args(drop_privileges(account))
        .args(["--", "test", "-x"])
        .arg(dir)
        .stdin(Stdio::null())
        .status()
        .context("running setpriv (package util-linux)")?;
    Ok(status.success())
}

/// `setpriv`'s arguments that turn root into `account` for good.
pub(crate) fn drop_privileges(account: &Account) -> Vec<String> {
    vec![
        format!("--reuid={}", account.uid),
        format!("--regid={}", account.gid),
        "--clear-groups".to_owned(),
        "--no-new-privs".to_owned(),
        "--inh-caps=-all".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_checkout_has_its_own_place() {
        let one = elsewhere(Path::new("/root/one"));
        assert!(one.starts_with(ELSEWHERE));
        assert_eq!(one, elsewhere(Path::new("/root/one")));
        assert_ne!(one, elsewhere(Path::new("/root/two")));
    }
}

//! Where everything of the local stack lives: `.stack/dist` (downloads, shared), `.stack/up`, `.stack/test`, `.stack/bench`.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::account::Account;

/// Names the stack that `up`, `status` and `down` are about, for tests that kill what runs: `e2e` is `.stack/e2e`.
const NAME_VARIABLE: &str = "XTASK_STACK";

/// Which of the stacks: each has its own ports, data and lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// The one a person uses: `cargo xtask up`.
    Up,
    /// The servers that the tests run against.
    Test,
    /// The servers that are measured; their data stays, since the workloads' topics are made once.
    Bench,
}

/// The folders of one stack, and the account that its servers run as.
#[derive(Clone)]
pub(crate) struct Stack {
    /// The project's root: the folder of the workspace's `Cargo.toml`.
    pub(crate) project: PathBuf,
    /// The downloaded servers, shared by all stacks.
    pub(crate) dist: PathBuf,
    /// This stack's own folder.
    pub(crate) dir: PathBuf,
    /// Which stack.
    pub(crate) kind: Kind,
    /// The unprivileged account to run servers as; `None` when the caller is unprivileged already.
    pub(crate) account: Option<Account>,
}

/// The project's root, known from where this program was built.
pub(crate) fn project_root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

impl Stack {
    /// The stack's paths, without touching the disk.
    pub(crate) fn locate(kind: Kind) -> Self {
        let project = project_root();
        let stack = project.join(".stack");
        let stack = fs::canonicalize(&stack).unwrap_or(stack);
        let name = match kind {
            Kind::Up => "up",
            Kind::Test => "test",
            Kind::Bench => "bench",
        };
        Self { dist: stack.join("dist"), dir: stack.join(name), project, kind, account: None }
    }

    /// The stack of `up`, `status` and `down`: `.stack/up` unless `XTASK_STACK` names another.
    pub(crate) fn chosen() -> Result<Self> {
        let stack = Self::locate(Kind::Up);
        let Ok(name) = std::env::var(NAME_VARIABLE) else { return Ok(stack) };
        let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || !name.chars().all(is_word) || ["bench", "dist", "test"].contains(&name.as_str())
        {
            bail!("{NAME_VARIABLE}={name}: a name has a-z, 0-9 and -, and is not bench, dist or test");
        }
        Ok(Self { dir: stack.dir.with_file_name(name), ..stack })
    }

    /// Whether this is the stack that a person gets without asking for another.
    pub(crate) fn is_the_usual_one(&self) -> bool {
        self.dir.file_name().is_some_and(|name| name == "up")
    }

    /// Makes the folders; to be called when `.stack` has its final place, which may be behind a link by now.
    pub(crate) fn settle(&mut self) -> Result<()> {
        let own = self.dir.file_name().context("a stack's folder has a name")?.to_owned();
        let stack = Self::locate(self.kind);
        self.dir = stack.dir.with_file_name(own);
        self.dist = stack.dist;
        for dir in [self.dist.clone(), self.dir.clone(), self.logs()] {
            fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
        }
        Ok(())
    }

    /// Deletes everything of this stack but its lock, its logs and the downloads.
    pub(crate) fn wipe(&self) -> Result<()> {
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if path == self.lock() || path == self.logs() {
                continue;
            }
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.with_context(|| format!("removing {}", path.display()))?;
        }
        Ok(())
    }

    /// Where the logs of this stack's processes go.
    pub(crate) fn logs(&self) -> PathBuf {
        self.dir.join("logs")
    }

    /// The log file of one process.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.logs().join(format!("{name}.log"))
    }

    /// The file that says who supervises this stack.
    pub(crate) fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }

    /// What runs, kept up to date by the supervisor.
    pub(crate) fn state(&self) -> PathBuf {
        self.dir.join("state.json")
    }

    /// A private folder of a server, made when absent and owned by the account that it runs as.
    pub(crate) fn server_dir(&self, name: &str) -> Result<PathBuf> {
        let dir = self.dir.join(name);
        if !dir.exists() {
            fs::DirBuilder::new()
                .mode(0o700)
                .create(&dir)
                .with_context(|| format!("making {}", dir.display()))?;
        }
        self.give(&dir)?;
        Ok(dir)
    }

    /// Makes the servers' account the owner of `path`.
    pub(crate) fn give(&self, path: &Path) -> Result<()> {
        if let Some(account) = &self.account {
            chown(path, Some(account.uid), Some(account.gid))
                .with_context(|| format!("giving {} to {}", path.display(), account.name))?;
        }
        Ok(())
    }
}

/// Writes a file that only its owner may read: it holds a secret.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<()> {
    let draft = path.with_extension("new");
    fs::write(&draft, "").with_context(|| format!("writing {}", draft.display()))?;
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o600))?;
    fs::write(&draft, text)?;
    fs::rename(&draft, path).with_context(|| format!("writing {}", path.display()))
}

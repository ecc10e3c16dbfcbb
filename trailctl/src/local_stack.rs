//! The stack that `cargo xtask up` runs beside us: found by its files, so that a first `trailctl events` just works.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Where the stack of a checkout keeps what it says about itself.
const FOLDER: &str = ".stack/up";

/// A local stack's word about itself: `status.json`, the same as `cargo xtask status --json` prints.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LocalStack {
    /// The API's URL.
    pub api: Option<String>,
    /// Ready-made tokens; none while nothing runs.
    pub tokens: Option<Tokens>,
    /// The configuration that its services use.
    #[serde(skip)]
    pub config: Option<PathBuf>,
}

/// Tokens for local use.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Tokens {
    /// Sees everything.
    pub global_admin: Option<String>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens(…)")
    }
}

/// The stack of the checkout that holds `folder`, if one was started there.
pub fn find(folder: &Path) -> Option<LocalStack> {
    folder.ancestors().find_map(|ancestor| read(&ancestor.join(FOLDER)))
}

fn read(folder: &Path) -> Option<LocalStack> {
    let status = std::fs::read(folder.join("status.json")).ok();
    let config = Some(folder.join("audit.toml")).filter(|path| path.is_file());
    if status.is_none() && config.is_none() {
        return None;
    }
    let mut stack: LocalStack =
        status.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    stack.config = config;
    Some(stack)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_found_from_below() {
        let root = tempfile::tempdir().expect("a folder");
        let up = root.path().join(FOLDER);
        let below = root.path().join("a/b");
        std::fs::create_dir_all(&up).expect("made");
        std::fs::create_dir_all(&below).expect("made");
        assert!(find(&below).is_none());
        std::fs::write(
            up.join("status.json"),
            r#"{"api":"http://127.0.0.1:1","tokens":{"globalAdmin":"t","user":"u"},"services":[],"redis":null}"#,
        )
        .expect("written");
        std::fs::write(up.join("audit.toml"), "").expect("written");
        let stack = find(&below).expect("found");
        assert_eq!(stack.api.as_deref(), Some("http://127.0.0.1:1"));
        assert_eq!(stack.tokens.as_ref().and_then(|tokens| tokens.global_admin.as_deref()), Some("t"));
        assert_eq!(stack.config, Some(up.join("audit.toml")));
        assert!(!format!("{stack:?}").contains("\"t\""), "a token is never printed");
    }
}

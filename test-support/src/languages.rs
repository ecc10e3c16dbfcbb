//! What the documentation shows in other languages, for tests that run it as it stands there.

use std::path::{Path, PathBuf};

/// The first code block of a language in a document below the workspace's root.
pub fn block(document: &str, language: &str) -> String {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's folder");
    let text = std::fs::read_to_string(workspace.join(document)).expect("the document");
    let (_, rest) = text.split_once(&format!("\n```{language}\n")).expect("a block of this language");
    let (block, _) = rest.split_once("\n```").expect("it ends");
    block.to_owned()
}

/// A path that xtask provisioned; `None` with a visible word when the language is not on this machine.
pub fn provisioned(variable: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    if path.is_none() {
        eprintln!(
            "skipped: {variable} is not set (`cargo xtask test` sets it where the language is installed)"
        );
    }
    path
}

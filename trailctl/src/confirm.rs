//! Questions before what cannot be taken back.

use std::io::{BufRead as _, Write as _};

use crate::{outcome, session::Session};

/// Asks for a yes on a terminal; without one, `--yes` is needed.
pub fn confirm(session: &Session, yes: bool, question: &str) -> anyhow::Result<bool> {
    if yes {
        return Ok(true);
    }
    if !session.terminal.stdin || !session.terminal.stderr {
        return Err(outcome::usage("there is no terminal to ask on: add --yes to do it"));
    }
    eprint!("{question} [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

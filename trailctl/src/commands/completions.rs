//! `trailctl completions`: a completion script.

use clap::CommandFactory as _;

use crate::{
    cli::Cli,
    outcome::{Outcome, StandardOutputClosed},
};

/// Arguments of `trailctl completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trailctl completions bash > ~/.local/share/bash-completion/completions/trailctl
  trailctl completions zsh > ~/.zfunc/_trailctl")]
pub struct Arguments {
    /// The shell
    shell: clap_complete::Shell,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "trailctl", &mut script);
    std::io::Write::write_all(&mut std::io::stdout(), &script).map_err(StandardOutputClosed)?;
    Ok(Outcome::Done)
}

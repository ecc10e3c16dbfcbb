//! `restore-drill`: what `cargo xtask restore-drill` runs, with the test servers' variables set. One line a step.

use std::process::ExitCode;

use clap::Parser;
use end_to_end::{Seed, drill::Drill};

#[derive(Parser)]
struct Options {
    /// Events of the drill, at least.
    #[arg(long, default_value_t = 3_000)]
    events: u32,
    /// Alter a row of the copy before the proof.
    #[arg(long)]
    alter: bool,
}

/// Records sent a second.
const RATE: usize = 500;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let drill = Drill { stage: i64::from(options.events.div_ceil(3)), rate: RATE, tell: &say };
    let restored = drill.lose_and_restore(Seed::chosen("restore-drill")).await;
    if options.alter {
        restored.alter_a_row().await;
        say("one row of the copy is altered, as was asked");
    }
    if let Err(differences) = restored.prove(&say).await {
        for difference in differences {
            say(&format!("NOT EQUAL: {difference}"));
        }
        return ExitCode::FAILURE;
    }
    say("PROVED EQUAL: every row agrees with its account, and the account is the primary's at the moment");
    let events = restored.go_on().await;
    say(&format!("an ingestor went on from the copy: {events} events, nothing lost, nothing doubled"));
    ExitCode::SUCCESS
}

#[expect(clippy::print_stdout, reason = "the command's result")]
fn say(line: &str) {
    println!("{line}");
}

//! audit-generator: synthetic audit events.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use audit_generator::{
    Plan, World,
    cli::{Cli, Target},
    send::{KafkaSender, Pace, RabbitSender, Sender},
};
use clap::Parser as _;
use service::config::AuditConfig;
use shared::clock::{Clock as _, SystemClock};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let prepared = cli.plan(SystemClock.now()).and_then(|plan| Ok((plan, config(&cli)?)));
    let (plan, config) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            eprintln!("audit-generator: {error:#}");
            return ExitCode::from(2);
        }
    };
    match run(&cli, plan, config.as_ref()).await {
        Ok(events) => {
            eprintln!("{events} events generated");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("audit-generator: {error:#}");
            ExitCode::from(3)
        }
    }
}

/// The configuration, when the events go to a server.
fn config(cli: &Cli) -> anyhow::Result<Option<AuditConfig>> {
    if cli.to == Target::Stdout {
        return Ok(None);
    }
    let here = || Some(PathBuf::from("audit.toml")).filter(|path| path.is_file());
    let path = cli.config.clone().or_else(here).or_else(local_stack);
    let config = service::config::load(path)?.config;
    if cli.to == Target::Rabbitmq {
        config.rabbitmq.url()?;
    } else {
        config.kafka.bootstrap_servers()?;
        config.registry.url()?;
    }
    Ok(Some(config))
}

/// The configuration of the stack that `cargo xtask up` started in this checkout.
fn local_stack() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    here.ancestors().map(|folder| folder.join(".stack/up/audit.toml")).find(|path| path.is_file())
}

async fn run(cli: &Cli, plan: Plan, config: Option<&AuditConfig>) -> anyhow::Result<u64> {
    let mut sender = match config {
        Some(config) if cli.to == Target::Rabbitmq => {
            Sender::Rabbit(Box::new(RabbitSender::connect(&config.rabbitmq).await?))
        }
        Some(config) => Sender::Kafka(Box::new(KafkaSender::connect(config, &cli.topic).await?)),
        None => Sender::Stdout,
    };
    let pace = (!cli.at_once).then(|| Pace::new(plan.rate));
    let mut sent = 0;
    let sending = async {
        for envelope in World::new(plan) {
            if let Some(pace) = &pace {
                pace.wait(sent).await;
            }
            sender.send(envelope).await?;
            sent += 1;
        }
        anyhow::Ok(())
    };
    tokio::select! {
        outcome = sending => outcome?,
        interrupted = tokio::signal::ctrl_c() => interrupted.context("waiting for Ctrl-C")?,
    }
    sender.finish().await?;
    Ok(sent)
}

//! RabbitMQ's way in: delivered, mapped, produced, acked.

use std::{process::ExitCode, sync::Arc};

use service::Service;
use shared::clock::SystemClock;

fn main() -> ExitCode {
    service::run(Service::RABBITMQ_BRIDGE, |context| async move {
        rabbitmq_bridge::run(&context.config, &context.health, Arc::new(SystemClock), context.shutdown).await
    })
}

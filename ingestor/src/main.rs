//! A record's way in: consumed, decoded, validated, batched, appended.

use std::{process::ExitCode, sync::Arc};

use service::Service;
use shared::clock::SystemClock;

fn main() -> ExitCode {
    service::run(Service::INGESTOR, |context| async move {
        ingestor::run(&context.config, &context.health, Arc::new(SystemClock), context.shutdown).await
    })
}

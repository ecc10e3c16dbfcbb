//! A record's way in: consumed, decoded, validated, batched, appended.

use std::{process::ExitCode, sync::Arc};

use service::Service;
use shared::clock::SystemClock;

/// Gives memory back after a burst; glibc's allocator keeps one arena per thread and most of what a burst took.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    service::run(Service::INGESTOR, |context| async move {
        ingestor::run(&context.config, &context.health, Arc::new(SystemClock), context.shutdown).await
    })
}

//! Folds the events in recorded order into the projections.

use std::process::ExitCode;

use service::Service;

/// Gives memory back after a burst; see the ingestor.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    service::run(Service::PROJECTOR, |context| async move {
        let settings = projector::Settings::from_config(&context.config)?;
        projector::run(settings, &context.health, context.shutdown).await
    })
}

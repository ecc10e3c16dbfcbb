//! `audit-api`: answers queries and replays over HTTP.

use std::process::ExitCode;

use service::Service;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    service::run(Service::AUDIT_API, audit_api::run)
}

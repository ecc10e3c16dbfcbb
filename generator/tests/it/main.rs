//! The generator: repeatable, consistent, refused when its options do not go together, and stored without a finding.

#![expect(clippy::expect_used, reason = "tests: the helpers too")]

mod cli;
mod older;
mod stored;
mod world;

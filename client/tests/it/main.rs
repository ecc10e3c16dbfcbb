//! The client against the real servers, and against servers that are not there.

#![expect(clippy::expect_used, reason = "tests: the helpers too")]

mod languages;
mod middleware;
mod producer;
mod records;
mod shop;

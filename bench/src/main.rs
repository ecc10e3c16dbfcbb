//! `audit-bench`: what `cargo xtask bench` runs on servers of its own. Workload → rounds → figures → bars.

mod figures;

fn main() {}

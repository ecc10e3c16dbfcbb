//! cargo xtask: the local stack, the tests, the benchmarks.

fn main() {}

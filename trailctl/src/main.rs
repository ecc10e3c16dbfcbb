//! trailctl, the operators' command line.

fn main() {}

//! A request's way out: request, filter, query, stream.

fn main() {}

//! The only crate that speaks SQL: migrations, the append transaction, queries, streams.

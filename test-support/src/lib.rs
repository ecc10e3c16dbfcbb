//! For tests only: fresh databases, topics, servers and builders.

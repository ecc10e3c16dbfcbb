//! How canonical events get from files to Kafka: read, checked, framed, sent; bounded at every step.

pub mod check;
pub mod feed;
pub mod lines;
pub mod send;

//! The whole product on a private stack: what a stranger does with it, and what is done to it.

mod alerts;
mod bridge;
mod chaos;
mod demo;
mod lifecycle;
mod million;
mod restore;
mod slow_commits;
mod tour;

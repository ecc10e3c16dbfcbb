//! The projections: the appends are followed by number, their events folded, and what that changes is written in the
//! transaction that moves the projection's position (semantics.md 6).
//!
//! [`plan`] says what is next, [`fold`] is the pure part, [`follow`] the loop around both.

pub mod fold;
pub mod follow;
pub mod metrics;
pub mod plan;
pub mod settings;

pub use follow::run;
pub use settings::Settings;

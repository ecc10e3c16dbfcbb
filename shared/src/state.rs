//! What an aggregate looked like, folded from its events: state, blame and diff (semantics.md 10).
//!
//! A state starts as `{}`. Each event, in history order, contributes a change document, which is applied as a merge patch
//! (RFC 7396). Values keep the text that their producer gave them; two values are compared by what they say.

mod change;
mod diff;
mod fold;
mod tree;
mod versions;
mod write;

pub use diff::Diff;
pub use fold::{Fold, FoldError, FoldedEvent, MAX_EVENTS, MAX_STATE_BYTES};
pub use versions::VersionFaults;
pub use write::AggregateName;

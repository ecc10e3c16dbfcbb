//! From raw parameters to checked values: every refusal names the parameter and the remedy.

pub mod accept;
pub mod cursor;
pub mod filter;
pub mod guard;
pub mod parameters;
pub mod path;
pub mod resume;

pub use accept::{Media, negotiate};
pub use parameters::Parameters;

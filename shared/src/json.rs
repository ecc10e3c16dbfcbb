//! JSON as stored bytes: the scan of payload text and the writing of strings and numbers, without values in between.

mod fault;
mod keys;
mod marks;
mod normal;
mod opened;
mod scan;
mod tokens;
mod write;

pub(crate) use keys::{Keys, ObjectKeys};
pub(crate) use normal::equal;
pub(crate) use opened::{Opened, open, string, texts};
pub(crate) use write::{push_integer, push_noting_nul, push_string};

use crate::refusal::{Reason, Refusal};

/// The deepest nesting of a payload; the payload object itself is 1 (semantics.md 1).
pub const MAX_DEPTH: usize = 64;
/// The most digits of a number's mantissa (semantics.md 1).
pub const MAX_DIGITS: usize = 1000;
/// The largest absolute value of a number's exponent (semantics.md 1).
pub const MAX_EXPONENT: u32 = 1000;
/// The key that marks a protected value (semantics.md 9).
pub const PROTECTED_KEY: &str = "$protected";

/// Whether a payload may hold the key `$protected` (semantics.md 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ProtectedMarker {
    /// It is refused: only this system makes protected values.
    #[default]
    Refused,
    /// It is kept: the record is a replay of what this system stored.
    Allowed,
}

/// Checks a payload and takes its insignificant whitespace away; nothing else changes (semantics.md 1).
///
/// Refused with [`Reason::PayloadInvalid`]: anything that is not one JSON object (pointer `""`); keys that are equal
/// once their escapes are read; U+0000; unpaired surrogates; nesting over [`MAX_DEPTH`]; a number over [`MAX_DIGITS`]
/// or beyond [`MAX_EXPONENT`]; the key `$protected`, unless it is allowed. One pass over the bytes, no parse into
/// values; the text is returned untouched when it holds no whitespace to drop.
pub fn compact<T: AsRef<str> + From<String>>(text: T, protected: ProtectedMarker) -> Result<T, Refusal> {
    match scan::scan(text.as_ref(), protected) {
        Ok(None) => Ok(text),
        Ok(Some(compacted)) => Ok(compacted.into()),
        Err(fault) => {
            let (pointer, detail) = fault.place();
            Err(Refusal::new(Reason::PayloadInvalid, pointer, detail))
        }
    }
}

/// Appends one reference token of a JSON Pointer (RFC 6901).
pub(crate) fn push_reference(pointer: &mut String, token: &str) {
    pointer.push('/');
    for character in token.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

//! RFC 8785 (JCS) of an object whose values are all strings, written directly.
//!
//! The caller names the members in the order of their UTF-16 code units; all names here are ASCII.

use crate::json::{push_integer, push_string};
use crate::timestamp::Timestamp;

/// A member's name in its quotes, with the colon behind it.
#[derive(Clone, Copy)]
pub(crate) struct Name {
    quoted: &'static str,
}

impl Name {
    /// Of the text `"name":`, as [`name!`] makes it.
    pub(crate) const fn of(quoted: &'static str) -> Self {
        Self { quoted }
    }
}

/// The [`Name`] of a literal that needs no escapes.
macro_rules! name {
    ($name:literal) => {
        $crate::jcs::Name::of(concat!('"', $name, "\":"))
    };
}
pub(crate) use name;

/// An object under construction.
pub(crate) struct Object {
    out: Vec<u8>,
    #[cfg(debug_assertions)]
    last: &'static str,
}

impl Object {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self::after(Vec::with_capacity(capacity))
    }

    /// An object that is written behind what `out` holds.
    pub(crate) fn after(mut out: Vec<u8>) -> Self {
        out.push(b'{');
        Self {
            out,
            #[cfg(debug_assertions)]
            last: "",
        }
    }

    fn name(&mut self, name: Name) {
        #[cfg(debug_assertions)]
        {
            debug_assert!(self.last < name.quoted, "members in order: {} before {}", self.last, name.quoted);
            self.last = name.quoted;
        }
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
        self.out.extend_from_slice(name.quoted.as_bytes());
    }

    /// A member with any text.
    pub(crate) fn text(&mut self, name: Name, value: &str) {
        self.name(name);
        push_string(&mut self.out, value);
    }

    /// A member with text that needs no escapes.
    pub(crate) fn plain(&mut self, name: Name, value: &str) {
        self.quoted(name, |out| out.extend_from_slice(value.as_bytes()));
    }

    /// A number, as a string.
    pub(crate) fn number(&mut self, name: Name, value: impl Into<i128>) {
        self.quoted(name, |out| push_integer(out, value));
    }

    /// A time, with six decimals.
    pub(crate) fn time(&mut self, name: Name, value: Timestamp) {
        self.quoted(name, |out| value.write_to(out));
    }

    /// Hexadecimal, in lower case.
    pub(crate) fn hex(&mut self, name: Name, value: &[u8; 32]) {
        let digit = |half: u8| half + if half < 10 { b'0' } else { b'a' - 10 };
        let mut digits = [0; 64];
        // By arithmetic and not by a table: the compiler makes vectors of it.
        for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(value) {
            *pair = [digit(byte >> 4), digit(byte & 15)];
        }
        self.quoted(name, |out| out.extend_from_slice(&digits));
    }

    /// A UUID, hyphenated, in lower case.
    pub(crate) fn uuid(&mut self, name: Name, value: uuid::Uuid) {
        self.plain(name, value.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()));
    }

    fn quoted(&mut self, name: Name, write: impl FnOnce(&mut Vec<u8>)) {
        self.name(name);
        self.out.push(b'"');
        write(&mut self.out);
        self.out.push(b'"');
    }

    /// The whole text, behind what stood before it.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.out.push(b'}');
        self.out
    }

    /// The same, of an object that nothing stands before.
    pub(crate) fn finish_text(self) -> String {
        String::from_utf8(self.finish()).expect("made of strings and ASCII")
    }
}

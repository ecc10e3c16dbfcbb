//! What is wrong with a payload, and where.

use super::push_reference;

/// A pointer longer than this names the nearest ancestor that fits: keys come from the record and may be huge.
const MAX_POINTER: usize = 4096;

/// What is wrong with a payload, and where.
#[derive(Debug)]
pub(super) struct Fault {
    detail: &'static str,
    /// Whether the place is told; a plain syntax error names the whole payload.
    pub(super) placed: bool,
    /// The reference tokens, innermost first.
    pub(super) tokens: Vec<String>,
}

impl Fault {
    /// The JSON Pointer and the sentence.
    pub(super) fn place(self) -> (String, &'static str) {
        let mut pointer = String::new();
        for token in self.tokens.iter().rev() {
            let length = pointer.len();
            push_reference(&mut pointer, token);
            if pointer.len() > MAX_POINTER {
                pointer.truncate(length);
                break;
            }
        }
        (pointer, self.detail)
    }
}

/// Boxed: the good path then returns one word.
pub(super) type Scanned<T> = Result<T, Box<Fault>>;

/// A fault of the whole payload.
pub(super) fn syntax<T>(detail: &'static str) -> Scanned<T> {
    Err(Box::new(Fault { detail, placed: false, tokens: Vec::new() }))
}

/// A fault at the place where it is met; the containers around add their tokens.
pub(super) fn placed<T>(detail: &'static str) -> Scanned<T> {
    Err(Box::new(Fault { detail, placed: true, tokens: Vec::new() }))
}

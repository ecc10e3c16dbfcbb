//! Whole lines out of a body that arrives in chunks; a body that breaks off is told from one that ends.

use futures::StreamExt as _;

/// The longest line that is taken, in bytes; an event has at most 1 MiB before JSON escapes.
pub const LONGEST: usize = 16 * 1024 * 1024;

/// Why the lines stopped early.
#[derive(Debug, thiserror::Error)]
pub enum CutOff {
    /// The connection broke, or the server reset it because it could not go on.
    #[error("the stream was cut off")]
    Connection(#[source] reqwest::Error),
    /// The body ended in the middle of a line.
    #[error("the stream ended in the middle of a line")]
    HalfLine,
    /// A line longer than [`LONGEST`].
    #[error("a line of the stream is longer than {} MiB", LONGEST / 1024 / 1024)]
    TooLong,
}

/// Hands every block of whole lines (each with its newline) to `each`, in constant memory, until the clean end.
///
/// What follows the last newline when the stream is cut is dropped: it is half an event.
pub async fn for_each_block<E: From<CutOff>>(
    response: reqwest::Response,
    mut each: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut stream = response.bytes_stream();
    let mut rest: Vec<u8> = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(CutOff::Connection)?;
        let Some(end) = chunk.iter().rposition(|&byte| byte == b'\n') else {
            if rest.len() + chunk.len() > LONGEST {
                return Err(CutOff::TooLong.into());
            }
            rest.extend_from_slice(&chunk);
            continue;
        };
        let (whole, tail) = chunk.split_at(end + 1);
        if rest.is_empty() {
            each(whole)?;
        } else {
            rest.extend_from_slice(whole);
            each(&rest)?;
            rest.clear();
        }
        rest.extend_from_slice(tail);
    }
    if rest.is_empty() { Ok(()) } else { Err(CutOff::HalfLine.into()) }
}

/// The last line of a block of whole lines, without its newline.
pub fn last_line(block: &[u8]) -> &[u8] {
    let block = block.strip_suffix(b"\n").unwrap_or(block);
    let start = block.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    &block[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_a_block() {
        assert_eq!(last_line(b"a\nbc\n"), b"bc");
        assert_eq!(last_line(b"a\n"), b"a");
    }
}

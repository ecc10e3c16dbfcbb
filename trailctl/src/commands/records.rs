//! CSV as the API streams it, up to so many records.

use std::io::{BufWriter, Write as _};

use crate::{
    api::{ApiClient, CSV, Request, lines, problem::ApiError},
    outcome::{Outcome, StandardOutputClosed},
    output::escape,
};

/// Prints the header and at most `most` records; on a terminal without what it would obey.
pub(super) async fn print(
    api: &ApiClient,
    path: &[&str],
    query: &[(&'static str, String)],
    most: u64,
    escaping: bool,
) -> anyhow::Result<Outcome> {
    let request = Request { path, query, accept: CSV, last_event_id: None, timeout: None };
    let response = api.get(request).await.map_err(ApiError::into_anyhow)?;
    let mut out = BufWriter::with_capacity(64 * 1024, std::io::stdout());
    let mut records = Records { left: most.saturating_add(1), quoted: false };
    let printed = lines::for_each_block(response, |block| -> Result<(), Stopped> {
        let kept = &block[..records.take(block)];
        if escaping {
            for line in std::str::from_utf8(kept)?.lines() {
                writeln!(out, "{}", escape::for_terminal(line)).map_err(StandardOutputClosed)?;
            }
        } else {
            out.write_all(kept).map_err(StandardOutputClosed)?;
        }
        if records.left == 0 { Err(Stopped::Enough) } else { Ok(()) }
    })
    .await;
    out.flush().map_err(StandardOutputClosed)?;
    match printed {
        Ok(()) | Err(Stopped::Enough) => Ok(Outcome::Done),
        Err(stopped) => Err(stopped.into()),
    }
}

/// Why the records end before the stream.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error("as many records as were asked for")]
    Enough,
    #[error(transparent)]
    Cut(#[from] lines::CutOff),
    #[error(transparent)]
    Output(#[from] StandardOutputClosed),
    #[error(transparent)]
    NotText(#[from] std::str::Utf8Error),
}

/// Counts records: a newline ends one unless it stands in quotes.
struct Records {
    left: u64,
    quoted: bool,
}

impl Records {
    /// How many bytes of the block belong to records that are still wanted.
    fn take(&mut self, block: &[u8]) -> usize {
        for (index, byte) in block.iter().enumerate() {
            match byte {
                b'"' => self.quoted = !self.quoted,
                b'\n' if !self.quoted => {
                    self.left -= 1;
                    if self.left == 0 {
                        return index + 1;
                    }
                }
                _ => {}
            }
        }
        block.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newline_in_quotes_ends_no_record() {
        let text = b"h\r\n\"a\n\"\"b\"\r\nc\r\nd\r\n";
        for (most, kept) in
            [(1, "h\r\n"), (2, "h\r\n\"a\n\"\"b\"\r\n"), (4, "h\r\n\"a\n\"\"b\"\r\nc\r\nd\r\n")]
        {
            let mut records = Records { left: most, quoted: false };
            assert_eq!(&text[..records.take(text)], kept.as_bytes());
        }
        // In two blocks, cut within the quotes.
        let mut records = Records { left: 2, quoted: false };
        let first = records.take(&text[..6]);
        assert_eq!((first, records.take(&text[6..])), (6, 6));
    }
}

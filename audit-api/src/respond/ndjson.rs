//! JSON lines and CSV: one event a line, the answer whole or reset.

use store::EventRow;

use super::{Out, Stop, Writer};
use crate::walk::{Chunk, Walk, next};

/// Appends one event and its newline.
pub fn line(out: &mut Vec<u8>, row: &EventRow) {
    row.view().write_json(out);
    out.push(b'\n');
}

/// A walk as lines, from its first chunk, which was read before the answer began so that it could still be refused.
pub struct Lines<W> {
    /// The first chunk.
    pub first: Chunk,
    /// What follows it.
    pub walk: W,
}

impl<W: Walk + 'static> Writer for Lines<W> {
    async fn write(mut self, out: &mut Out) -> Result<(), Stop> {
        out.head().await?;
        let mut chunk = self.first;
        while !chunk.complete {
            let (written, read) =
                tokio::join!(out.rows(&chunk.rows, &|_| String::new()), next(&mut self.walk));
            written?;
            chunk = read?;
        }
        Ok(out.rows(&chunk.rows, &|_| String::new()).await?)
    }
}

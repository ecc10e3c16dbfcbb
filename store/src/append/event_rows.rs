//! The stored events' rows, from where they were encoded: what stands together is sent together, without a copy.

use std::iter;

use bytes::Bytes;

use super::prepare::Prepared;
use super::settle::Verdict;
use crate::batch::{RowPlace, Slot, Span};
use crate::copy::CopyBuffer;

/// How many rows [`event_rows`] gives.
pub(super) fn stored(verdicts: &[Vec<Verdict>]) -> u64 {
    verdicts.iter().flatten().filter(|verdict| **verdict == Verdict::Stored).count() as u64
}

/// COPY's data, a piece at a time, in (log, offset) order; the rows must be stamped.
pub(super) fn event_rows<'a>(
    prepared: &'a Prepared<'_>,
    verdicts: &'a [Vec<Verdict>],
) -> impl Iterator<Item = Bytes> + 'a {
    let spans = prepared.spans.iter().zip(verdicts);
    let pieces = spans.flat_map(|(span, verdicts)| pieces(span, verdicts).map(|place| span.rows(place)));
    iter::once(CopyBuffer::header()).chain(pieces).chain(iter::once_with(CopyBuffer::trailer))
}

/// Where a span's stored rows are, those that stand together as one.
fn pieces<'a>(span: &'a Span, verdicts: &'a [Verdict]) -> impl Iterator<Item = RowPlace> + 'a {
    let mut rows = span.slots.iter().zip(verdicts).filter_map(|(slot, verdict)| match (slot, verdict) {
        (Slot::Accepted(accepted), Verdict::Stored) => Some(accepted.row),
        _ => None,
    });
    let mut next = rows.next();
    iter::from_fn(move || {
        let mut piece = next.take()?;
        for row in rows.by_ref() {
            if let Some(both) = piece.joined(row) {
                piece = both;
            } else {
                next = Some(row);
                break;
            }
        }
        Some(piece)
    })
}

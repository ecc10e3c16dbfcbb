//! Batched: what waits in a lane becomes one transaction's worth, a span per log.

use std::{borrow::Cow, collections::HashMap, sync::Arc, time::Instant};

use shared::{clock::Clock, record::record_digest};
use store::{Batch, Entry, LastRecord, RawRecord, Rejected, Span, SpanBuilder, SpareChunks};

use crate::{
    consume::{
        budget::Permit,
        claim::{Assignment, Claim, Hold},
        command::RewindReason,
        parcel::{Item, Parcel, Segment},
    },
    decode::{Decoded, Decoder},
    trace::TraceLinks,
    validate::Validator,
};

/// Records decoded without letting other tasks of the runtime run.
const SLICE: usize = 256;

/// A batch on its way to the database.
#[derive(Debug)]
pub struct Prepared {
    /// What to append.
    pub batch: Batch,
    /// Whose each span is, in the batch's order.
    pub assignments: Vec<Arc<Assignment>>,
    /// Claims that go no further than their span here, and why.
    pub failed: Vec<(Arc<Claim>, RewindReason)>,
    /// The traces that the records belong to.
    pub links: TraceLinks,
    /// Bytes of the records.
    pub bytes: usize,
    /// When the first of its records came.
    pub begun: Instant,
    /// Gives the lane's budget back.
    pub permits: Vec<Permit>,
    /// Keeps what follows in the same lane.
    pub holds: Vec<Hold>,
}

/// Makes batches for one lane.
pub struct Batcher {
    decoder: Decoder,
    validator: Validator,
    clock: Arc<dyn Clock>,
    since_yield: usize,
    spare: SpareChunks,
}

impl Batcher {
    /// A batcher.
    pub fn new(decoder: Decoder, validator: Validator, clock: Arc<dyn Clock>) -> Self {
        Self { decoder, validator, clock, since_yield: 0, spare: SpareChunks::default() }
    }

    /// A batch for what comes now.
    pub fn begin(&self) -> Draft {
        Draft::begin(self.spare.clone())
    }

    /// Decodes and validates what the parcel holds, into the batch.
    pub async fn add(&mut self, draft: &mut Draft, parcel: Parcel) {
        self.validator.now = self.clock.now();
        draft.count += parcel.count;
        draft.bytes += parcel.bytes;
        draft.permits.push(parcel.permit);
        for segment in parcel.segments {
            self.add_segment(draft, segment).await;
        }
        crate::metrics::key_mismatches(self.validator.take_key_mismatches());
    }

    async fn add_segment(&mut self, draft: &mut Draft, segment: Segment) {
        let Segment { assignment, items } = segment;
        let span = draft.span(&assignment);
        draft.spans[span].entries.reserve(items.len());
        let mut items = items.into_iter();
        while assignment.claim.accepts_more() {
            let Some(item) = items.next() else { break };
            match item {
                Item::Skipped(run) => {
                    let entry = Entry::<&str>::Skipped { from: run.from, next: run.next, kind: run.kind };
                    draft.spans[span].entries.push(entry);
                }
                Item::Record { offset, raw, size, digest } => {
                    match self.entry(&assignment, offset, &raw, size).await {
                        Ok(entry) => draft.record(span, offset, &raw, digest, entry),
                        Err(reason) => draft.fail(&assignment, reason),
                    }
                }
            }
        }
        draft.holds.push(assignment);
        // The partition waits. The schemas of what is behind are asked for now, so that their time runs, too.
        for item in items {
            if let Item::Record { raw, .. } = item {
                self.decoder.foresee(&raw);
            }
        }
    }

    async fn entry<'a>(
        &'a mut self,
        assignment: &Assignment,
        offset: i64,
        raw: &'a Arc<RawRecord>,
        size: usize,
    ) -> Result<Entry<Cow<'a, str>>, RewindReason> {
        self.since_yield += 1;
        if self.since_yield >= SLICE {
            self.since_yield = 0;
            tokio::task::yield_now().await;
        }
        let rejected =
            |stage, refusal| Entry::Rejected(Rejected { offset, refusal, stage, record: Arc::clone(raw) });
        match self.decoder.decode(raw, size).await {
            Decoded::Envelope(envelope) => match self.validator.validate(envelope, assignment, offset, raw) {
                Ok(candidate) => Ok(Entry::Candidate(candidate)),
                Err(refusal) => Ok(rejected(store::Stage::Validate, refusal)),
            },
            Decoded::Refused(stage, refusal) => Ok(rejected(stage, refusal)),
            Decoded::Wait(reason) => Err(reason),
        }
    }
}

/// A batch being made.
pub struct Draft {
    /// Items of the parcels in it.
    pub count: usize,
    /// Bytes of the parcels in it, overheads included.
    pub bytes: usize,
    spans: Vec<DraftSpan>,
    by_claim: HashMap<u64, usize>,
    failed: Vec<(Arc<Claim>, RewindReason)>,
    links: TraceLinks,
    begun: Instant,
    permits: Vec<Permit>,
    holds: Vec<Hold>,
    spare: SpareChunks,
}

struct DraftSpan {
    assignment: Arc<Assignment>,
    entries: SpanBuilder,
    last: Option<(i64, Arc<RawRecord>, Option<[u8; 32]>)>,
}

impl Draft {
    /// One for what comes now, in memory that batches before have left.
    pub fn begin(spare: SpareChunks) -> Self {
        Self {
            count: 0,
            bytes: 0,
            spans: Vec::new(),
            by_claim: HashMap::new(),
            failed: Vec::new(),
            links: TraceLinks::default(),
            begun: Instant::now(),
            permits: Vec::new(),
            holds: Vec::new(),
            spare,
        }
    }

    /// The place of the assignment's span, made when there is none.
    fn span(&mut self, assignment: &Arc<Assignment>) -> usize {
        *self.by_claim.entry(assignment.claim.number).or_insert_with(|| {
            let name = Arc::clone(&assignment.name);
            self.spans.push(DraftSpan {
                assignment: Arc::clone(assignment),
                entries: SpanBuilder::in_chunks(assignment.log_id, name, self.spare.clone()),
                last: None,
            });
            self.spans.len() - 1
        })
    }

    fn record(
        &mut self,
        span: usize,
        offset: i64,
        raw: &Arc<RawRecord>,
        digest: Option<[u8; 32]>,
        entry: Entry<Cow<'_, str>>,
    ) {
        self.links.add(raw);
        let span = &mut self.spans[span];
        span.entries.push(entry);
        span.last = Some((offset, Arc::clone(raw), digest));
    }

    fn fail(&mut self, assignment: &Arc<Assignment>, reason: RewindReason) {
        if assignment.claim.fail() {
            self.failed.push((Arc::clone(&assignment.claim), reason));
        }
    }

    /// The batch, without the spans of claims that were given up meanwhile.
    pub fn finish(self) -> Prepared {
        let mut prepared = Prepared {
            batch: Batch::default(),
            assignments: Vec::new(),
            failed: self.failed,
            links: self.links,
            bytes: self.bytes,
            begun: self.begun,
            permits: self.permits,
            holds: self.holds,
        };
        for draft in self.spans {
            prepared.assignments.push(Arc::clone(&draft.assignment));
            prepared.batch.spans.push(draft.finish());
        }
        prepared.drop_revoked();
        prepared
    }
}

impl DraftSpan {
    fn finish(self) -> Span {
        self.entries.finish(self.last.map(|(offset, raw, digest)| {
            let compute = || record_digest(raw.key.as_deref(), raw.value.as_deref(), raw.timestamp_ms);
            LastRecord { offset, digest: digest.unwrap_or_else(compute) }
        }))
    }
}

impl Prepared {
    /// Leaves out the spans of claims that were given up meanwhile.
    pub fn drop_revoked(&mut self) {
        let kept: Vec<bool> =
            self.assignments.iter().map(|assignment| assignment.claim.may_append()).collect();
        let (mut of_spans, mut of_assignments) = (kept.iter(), kept.iter());
        self.batch.spans.retain(|_| of_spans.next() == Some(&true));
        self.assignments.retain(|_| of_assignments.next() == Some(&true));
    }
}

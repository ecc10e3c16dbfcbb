//! Batched: what waits in a lane's logs becomes one transaction's worth, a span per log.

use std::{borrow::Cow, sync::Arc, time::Instant};

use shared::{avro::SchemaReference, clock::Clock};
use store::{AsRecord as _, Batch, Entry, LastRecord, RecordRef, Rejected, Span, SpanBuilder, SpareChunks};

use crate::{
    consume::{
        claim::{Assignment, Claim, Hold},
        command::{Command, Commands, RewindReason},
        door::{Door, Weight},
        log::{Next, ReadLog, Source},
        reading::Run,
        record::Taken,
    },
    decode::{Decoded, Decoder},
    metrics,
    trace::TraceLinks,
    validate::Validator,
};

/// What an item costs besides its bytes; so a bound of bytes bounds the number of items, too.
const ITEM_OVERHEAD: usize = 256;
/// How many records behind one whose schema is waited for are looked at.
const FORESEEN: usize = 256;

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
    /// Bounds what the lane holds.
    pub weight: Weight,
    /// Keeps what follows in the same lane.
    pub holds: Vec<Hold>,
}

/// Makes batches for one lane.
pub struct Batcher {
    /// Finds the schemas.
    pub decoder: Decoder,
    /// Checks the events.
    pub validator: Validator,
    /// The current time.
    pub clock: Arc<dyn Clock>,
    /// The poll thread, which hears of logs that cannot be read on.
    pub commands: Commands,
    /// A larger value is kept as its digest only.
    pub max_kept: usize,
    /// Memory that batches before have left.
    pub spare: SpareChunks,
}

/// How much may be taken.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Items.
    pub count: usize,
    /// Bytes, overheads included; the item that reaches the bound is taken whole.
    pub bytes: usize,
}

/// Why no more is taken from a log for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// There is no more room; something may wait.
    Full,
    /// Nothing waits.
    Dry,
    /// The claim does not hold any more, or has failed.
    Over,
}

/// Why a record is not in the batch.
enum Stop {
    Unmet(SchemaReference),
    Wait(RewindReason),
}

impl Batcher {
    /// Decodes and validates what waits in the log, into the batch.
    pub async fn read(&mut self, draft: &mut Draft, log: &ReadLog, room: Room) -> Pause {
        self.validator.now = self.clock.now();
        let until = Room { count: draft.count + room.count, bytes: draft.bytes + room.bytes };
        let (received, bytes) = (draft.records, draft.bytes);
        let pause = loop {
            match self.take(draft, log, until) {
                Ok(pause) => break pause,
                Err(unmet) => self.decoder.meet(unmet).await,
            }
        };
        if draft.bytes > bytes {
            draft.weight.add(draft.bytes - bytes);
            metrics::received(draft.records - received);
            metrics::key_mismatches(self.validator.take_key_mismatches());
        }
        pause
    }

    /// Nothing here waits: the log is locked. An error names a schema to be met before it goes on.
    fn take(&mut self, draft: &mut Draft, log: &ReadLog, until: Room) -> Result<Pause, SchemaReference> {
        let assignment = &log.assignment;
        let mut opened = log.open();
        let Some(source) = opened.as_mut() else { return Ok(Pause::Over) };
        while draft.count < until.count && draft.bytes < until.bytes {
            if !assignment.claim.accepts_more() {
                return Ok(Pause::Over);
            }
            let (added, aside) = match source.next(assignment) {
                Next::Record(message, hole) => {
                    if let Some(run) = hole {
                        draft.skip(assignment, run);
                    }
                    let taken = Taken::of(&message, self.max_kept);
                    let added = self.add(draft, assignment, &taken);
                    let aside = added.is_err().then(|| taken.put_aside());
                    (added, aside)
                }
                Next::Aside(aside) => (self.add(draft, assignment, &Taken::again(&aside)), Some(*aside)),
                Next::Skipped(run) => {
                    draft.skip(assignment, run);
                    continue;
                }
                Next::Passed => continue,
                Next::Nothing => return Ok(Pause::Dry),
                Next::Diverged(offset) => {
                    let assignment = Arc::clone(assignment);
                    return Ok(self.give_up(log, Command::Diverged { assignment, offset }));
                }
                Next::Failed(error) => {
                    let claim = Arc::clone(&assignment.claim);
                    return Ok(self.give_up(log, Command::Failed { claim, error }));
                }
            };
            match added {
                Ok(()) => {}
                Err(Stop::Unmet(reference)) => {
                    source.put_aside(aside);
                    return Err(reference);
                }
                Err(Stop::Wait(reason)) => {
                    draft.fail(assignment, reason);
                    self.foresee(source);
                    return Ok(Pause::Over);
                }
            }
        }
        Ok(Pause::Full)
    }

    fn add(
        &mut self,
        draft: &mut Draft,
        assignment: &Arc<Assignment>,
        taken: &Taken<'_>,
    ) -> Result<(), Stop> {
        let Taken { offset, size, .. } = *taken;
        let record = taken.as_record();
        let rejected = |stage, refusal| Entry::Rejected(Rejected { offset, refusal, stage, record });
        let entry = match self.decoder.decode(record, size) {
            Decoded::Envelope(envelope) => {
                match self.validator.validate(envelope, assignment, offset, record) {
                    Ok(candidate) => Entry::Candidate(candidate),
                    Err(refusal) => rejected(store::Stage::Validate, refusal),
                }
            }
            Decoded::Refused(stage, refusal) => rejected(stage, refusal),
            Decoded::Unmet(reference) => return Err(Stop::Unmet(reference)),
            Decoded::Wait(reason) => return Err(Stop::Wait(reason)),
        };
        draft.record(assignment, taken, entry);
        Ok(())
    }

    /// The lane takes no more of this log; the poll thread decides what becomes of it.
    fn give_up(&self, log: &ReadLog, command: Command) -> Pause {
        log.assignment.claim.fail();
        self.commands.send(command);
        Pause::Over
    }

    /// The partition waits. The schemas of what is behind are asked for now, so that their time runs, too.
    fn foresee(&self, source: &Source) {
        for _ in 0..FORESEEN {
            let Some(message) = source.peek() else { return };
            self.decoder.foresee(Taken::of(&message, self.max_kept).as_record());
        }
    }
}

/// A batch being made.
pub struct Draft {
    count: usize,
    records: usize,
    bytes: usize,
    spans: Vec<DraftSpan>,
    /// The span that was added to last.
    current: usize,
    failed: Vec<(Arc<Claim>, RewindReason)>,
    links: TraceLinks,
    begun: Instant,
    weight: Weight,
    spare: SpareChunks,
}

struct DraftSpan {
    assignment: Hold,
    entries: SpanBuilder,
    /// A record of which not enough is kept to make its digest.
    cut: Option<LastRecord>,
}

impl Draft {
    /// One for what comes now, in the lane of this door, in memory that batches before have left.
    pub fn begin(door: &Arc<Door>, spare: SpareChunks) -> Self {
        Self {
            count: 0,
            records: 0,
            bytes: 0,
            spans: Vec::new(),
            current: 0,
            failed: Vec::new(),
            links: TraceLinks::default(),
            begun: Instant::now(),
            weight: Weight::new(Arc::clone(door)),
            spare,
        }
    }

    /// Whether there is nothing in it for the appending half.
    pub fn is_blank(&self) -> bool {
        self.count == 0 && self.failed.is_empty()
    }

    /// How many items are in it.
    pub fn count(&self) -> usize {
        self.count
    }

    /// What is left of these bounds.
    pub fn room_within(&self, bounds: Room) -> Room {
        Room {
            count: bounds.count.saturating_sub(self.count),
            bytes: bounds.bytes.saturating_sub(self.bytes),
        }
    }

    /// The assignment's span, made when there is none.
    fn span(&mut self, assignment: &Arc<Assignment>) -> &mut DraftSpan {
        let is_its = |span: &DraftSpan| span.assignment.claim.number == assignment.claim.number;
        if !self.spans.get(self.current).is_some_and(is_its) {
            self.current = self.spans.iter().position(is_its).unwrap_or(self.spans.len());
        }
        if self.current == self.spans.len() {
            let name = Arc::clone(&assignment.name);
            self.spans.push(DraftSpan {
                assignment: Hold::new(assignment),
                entries: SpanBuilder::in_chunks(assignment.log_id, name, self.spare.clone()),
                cut: None,
            });
        }
        &mut self.spans[self.current]
    }

    /// Another item.
    fn count_in(&mut self, size: usize) {
        if self.count == 0 {
            self.begun = Instant::now();
            self.weight.begin();
        }
        self.count += 1;
        self.bytes += ITEM_OVERHEAD + size;
    }

    fn skip(&mut self, assignment: &Arc<Assignment>, run: Run) {
        self.count_in(0);
        let entry = Entry::<&str, RecordRef<'_>>::Skipped { from: run.from, next: run.next, kind: run.kind };
        self.span(assignment).entries.push(entry);
    }

    fn record<'a>(
        &mut self,
        assignment: &Arc<Assignment>,
        taken: &Taken<'_>,
        entry: Entry<Cow<'a, str>, RecordRef<'a>>,
    ) {
        self.count_in(taken.size);
        self.records += 1;
        self.links.add(&taken.headers);
        let span = self.span(assignment);
        span.entries.push(entry);
        if let Some(digest) = taken.digest {
            span.cut = Some(LastRecord { offset: taken.offset, digest });
        }
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
            weight: self.weight,
            holds: Vec::new(),
        };
        for DraftSpan { assignment, entries, cut } in self.spans {
            prepared.assignments.push(Arc::clone(&assignment));
            prepared.batch.spans.push(finished(entries, cut));
            prepared.holds.push(assignment);
        }
        prepared.drop_revoked();
        prepared
    }
}

fn finished(entries: SpanBuilder, cut: Option<LastRecord>) -> Span {
    let last = entries.last_record();
    let is_cut = |cut: &LastRecord| last.is_some_and(|last| last.offset == cut.offset);
    entries.finish(cut.filter(is_cut).or(last))
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

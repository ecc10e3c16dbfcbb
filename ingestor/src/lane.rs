//! A lane: what waits in its logs is prepared at once, into a batch that grows until the one before it is stored.

use std::{collections::VecDeque, sync::Arc};

use tokio::sync::mpsc::Sender;

use crate::{
    batch::{Batcher, Draft, Pause, Prepared, Room},
    consume::{
        door::{Door, Doors, LANE_BYTES, emptiest},
        log::ReadLog,
    },
    metrics,
};

/// Taken from one log before the next one's turn, and before other tasks of the runtime run.
const TURN: usize = 256;

/// The preparing half of a lane; the appending half is [`crate::append::Appender`].
pub struct Lane {
    /// Fills the batches.
    pub batcher: Batcher,
    /// What one may hold.
    pub limits: Room,
    /// Which of the doors is this lane's.
    pub number: usize,
    /// Of all lanes.
    pub doors: Doors,
    /// To the appending half.
    pub prepared: Sender<Prepared>,
    /// What it reads, in the order in which they are looked at: who was looked at goes to the end.
    pub logs: VecDeque<Arc<ReadLog>>,
}

impl Lane {
    /// Runs until its door is closed and everything in it is handed on.
    pub async fn run(mut self) {
        let door = Arc::clone(&self.doors[self.number]);
        let mut draft = self.begin(&door);
        loop {
            self.logs.extend(door.take_logs());
            let has_read = self.read(&door, &mut draft).await;
            if door.is_batch_wanted() && !draft.is_blank() {
                door.batch_is_sent();
                let batch = std::mem::replace(&mut draft, self.begin(&door)).finish();
                // It ends only with the whole process.
                let _ = self.prepared.send(batch).await;
            } else if door.is_closed() && draft.is_blank() {
                return;
            } else if !has_read {
                if draft.is_blank() {
                    self.ask_for_logs(&door);
                }
                door.heard().await;
            }
        }
    }

    fn begin(&self, door: &Arc<Door>) -> Draft {
        Draft::begin(door, self.batcher.spare.clone())
    }

    /// Each log's turn, or until there is enough for a batch that is wanted; whether anything was taken.
    async fn read(&mut self, door: &Door, draft: &mut Draft) -> bool {
        let before = draft.count();
        let mut is_full = false;
        for _ in 0..self.logs.len() {
            let Some(log) = self.logs.pop_front() else { break };
            if self.moves(door, &log) {
                continue;
            }
            let (room, count) = (self.room(door, draft), draft.count());
            let pause = match room {
                Some(room) => self.batcher.read(draft, &log, room).await,
                None => Pause::Full,
            };
            if pause != Pause::Over {
                self.logs.push_back(log);
            }
            is_full |= room.is_none();
            if draft.count() > count {
                tokio::task::yield_now().await;
            }
            if door.is_batch_wanted() && draft.count() >= before + TURN {
                break;
            }
        }
        if is_full {
            metrics::lane_full();
        }
        draft.count() > before
    }

    /// What may be taken in one turn; none when the lane, or the batch, is full.
    fn room(&self, door: &Door, draft: &Draft) -> Option<Room> {
        let of_draft = draft.room_within(self.limits);
        let of_lane = LANE_BYTES.saturating_sub(door.held());
        let room = Room { count: of_draft.count.min(TURN), bytes: of_draft.bytes.min(of_lane) };
        (room.count > 0 && room.bytes > 0).then_some(room)
    }

    /// A log of which nothing is on its way leaves a lane that has much more than another: with lanes that logs keep, one
    /// runs dry while another has too much. Otherwise it stays, since each log in a batch costs rows of its own, and
    /// batches of half the logs cost half of them.
    fn moves(&self, door: &Door, log: &Arc<ReadLog>) -> bool {
        let other = emptiest(&self.doors);
        let moves = log.assignment.is_idle() && door.has_much_more_than(&self.doors[other]);
        if moves {
            log.assignment.move_to(other);
            self.doors[other].give(Arc::clone(log));
        }
        moves
    }

    /// A lane that has much more may be asleep because it is full.
    fn ask_for_logs(&self, door: &Door) {
        let others = self.doors.iter().filter(|other| other.has_much_more_than(door));
        others.for_each(|other| other.ring());
    }
}

//! How far a change of the indexes is.

/// Whether an index comes or goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// It is built, partition by partition.
    Building,
    /// It is dropped, everywhere at once.
    Dropping,
}

/// How far the change of one index is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The index.
    pub index: &'static str,
    /// What happens to it.
    pub doing: Doing,
    /// The partition at hand, when it is built.
    pub partition: Option<String>,
    /// Partitions that have it, and all of them.
    pub partitions: (u64, u64),
    /// Bytes of rows in partitions that have it, and of all.
    pub bytes: (u64, u64),
    /// How often a lock was waited for in vain; 0 = it is not waiting for one.
    pub lock_attempts: usize,
}

/// Tells somebody how far it is.
pub(super) struct Reporter<'a> {
    progress: Progress,
    tell: &'a mut (dyn FnMut(&Progress) + Send),
}

impl<'a> Reporter<'a> {
    pub(super) fn new(
        index: &'static str,
        doing: Doing,
        tell: &'a mut (dyn FnMut(&Progress) + Send),
    ) -> Self {
        let progress =
            Progress { index, doing, partition: None, partitions: (0, 0), bytes: (0, 0), lock_attempts: 0 };
        Self { progress, tell }
    }

    /// Everything is counted again from the start: so many partitions, so many bytes.
    pub(super) fn restart(&mut self, partitions: u64, bytes: u64) {
        self.progress.partitions = (0, partitions);
        self.progress.bytes = (0, bytes);
        (self.tell)(&self.progress);
    }

    pub(super) fn starting(&mut self, partition: &str) {
        self.progress.partition = Some(partition.to_owned());
        (self.tell)(&self.progress);
    }

    /// One more partition has it.
    pub(super) fn done(&mut self, bytes: u64) {
        self.progress.partitions.0 += 1;
        self.progress.bytes.0 += bytes;
        (self.tell)(&self.progress);
    }

    pub(super) fn waiting(&mut self, attempts: usize) {
        if self.progress.lock_attempts != attempts {
            self.progress.lock_attempts = attempts;
            (self.tell)(&self.progress);
        }
    }
}

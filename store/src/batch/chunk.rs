//! The memory that rows are kept in: pieces of one size, which go from batch to batch.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};

/// A piece's size: some sixty rows of 1 kB, and small against a core's own cache.
pub(super) const CHUNK: usize = 64 * 1024;
/// The most that is kept for later: 6 MB.
const MOST_SPARE: usize = 96;

/// Pieces that stored batches have left. The next ones find them warm: memory that is given back to the system after
/// every batch is cleared by the kernel before it comes again.
#[derive(Debug, Clone, Default)]
pub struct SpareChunks(Arc<Mutex<Vec<BytesMut>>>);

impl SpareChunks {
    pub(super) fn take(&self, at_least: usize) -> BytesMut {
        let spare = if at_least <= CHUNK { self.lock().pop() } else { None };
        spare.unwrap_or_else(|| BytesMut::with_capacity(CHUNK.max(at_least)))
    }

    pub(super) fn put(&self, mut chunk: BytesMut) {
        chunk.clear();
        let mut kept = self.lock();
        if chunk.capacity() == CHUNK && kept.len() < MOST_SPARE {
            kept.push(chunk);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<BytesMut>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place or a length in a batch.
pub(super) fn index(at: usize) -> u32 {
    u32::try_from(at).expect("a batch is bounded far below four gigabytes")
}

/// A piece: being written, or shared with what is on its way to the database.
#[derive(Debug, Clone)]
pub(super) enum Chunk {
    Open(BytesMut),
    Shared(Bytes),
}

impl Chunk {
    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Open(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }

    /// For writing; what is still shared elsewhere stays as it was there.
    pub(super) fn open(&mut self) -> &mut BytesMut {
        if let Self::Shared(bytes) = self {
            let own = mem::take(bytes).try_into_mut();
            *self = Self::Open(own.unwrap_or_else(|shared| BytesMut::from(&shared[..])));
        }
        match self {
            Self::Open(bytes) => bytes,
            Self::Shared(_) => unreachable!("opened just now"),
        }
    }

    /// The whole of it, without a copy.
    pub(super) fn share(&mut self) -> Bytes {
        if let Self::Open(bytes) = self {
            *self = Self::Shared(mem::take(bytes).freeze());
        }
        match self {
            Self::Shared(bytes) => bytes.clone(),
            Self::Open(_) => unreachable!("shared just now"),
        }
    }

    /// Leaves the memory to later batches, unless somebody still reads it.
    pub(super) fn leave_to(self, spare: &SpareChunks) {
        let own = match self {
            Self::Open(bytes) => Some(bytes),
            Self::Shared(bytes) => bytes.try_into_mut().ok(),
        };
        if let Some(bytes) = own {
            spare.put(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_comes_back_with_its_memory_once_nobody_reads_it() {
        let spare = SpareChunks::default();
        let mut chunk = Chunk::Open(spare.take(1));
        chunk.open().extend_from_slice(b"rows");
        let place = chunk.as_slice().as_ptr();
        let on_its_way = chunk.share().slice(1..);
        chunk.clone().leave_to(&spare);
        assert!(spare.lock().is_empty(), "somebody reads it");
        assert_eq!(on_its_way, &b"ows"[..]);
        drop(on_its_way);
        chunk.leave_to(&spare);
        let again = spare.take(1);
        assert_eq!((again.as_ptr(), again.len(), again.capacity()), (place, 0, CHUNK));
    }

    #[test]
    fn what_is_shared_is_not_changed_under_its_readers() {
        let mut chunk = Chunk::Open(BytesMut::from(&b"one"[..]));
        let read = chunk.share();
        chunk.open()[0] = b'x';
        assert_eq!((&read[..], chunk.as_slice()), (&b"one"[..], &b"xne"[..]));
    }

    #[test]
    fn a_piece_of_another_size_is_not_kept() {
        let spare = SpareChunks::default();
        Chunk::Open(spare.take(CHUNK + 1)).leave_to(&spare);
        assert!(spare.lock().is_empty());
    }
}

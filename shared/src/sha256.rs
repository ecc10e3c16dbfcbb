//! SHA-256 of several messages, two at a time.
//!
//! A processor's SHA instructions wait for each other's results: one message leaves half of their time unused, and a
//! second one beside it fills that. The `sha2` crate does one after the other; it is what is used where the instructions
//! are missing, for what has nothing beside it, and what the tests compare with.

#[cfg(target_arch = "x86_64")]
mod x86;

use sha2::{Digest, Sha256, block_api::compress256};

type Block = [u8; 64];
type State = [u32; 8];

/// The state that a message starts with (FIPS 180-4, section 5.3.3).
const START: State =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The hashes of both rows of messages; each row is hashed beside the other one.
pub(crate) fn beside<const N: usize, const M: usize>(
    first: [&[u8]; N],
    second: [&[u8]; M],
) -> ([[u8; 32]; N], [[u8; 32]; M]) {
    match Pair::of_this_processor() {
        Some(pair) => hash(pair, first, second),
        None => (
            first.map(|message| Sha256::digest(message).into()),
            second.map(|message| Sha256::digest(message).into()),
        ),
    }
}

/// Takes as many blocks into one state as into the other.
#[derive(Clone, Copy)]
struct Pair(fn(&mut State, &[Block], &mut State, &[Block]));

impl Pair {
    /// `None` = it has no such instructions.
    fn of_this_processor() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        return x86::compress_pair().map(Self);
        #[cfg(not(target_arch = "x86_64"))]
        None
    }
}

fn hash<const N: usize, const M: usize>(
    pair: Pair,
    first: [&[u8]; N],
    second: [&[u8]; M],
) -> ([[u8; 32]; N], [[u8; 32]; M]) {
    let (firsts, seconds) = (first.map(Tail::of), second.map(Tail::of));
    let (mut first, mut second) = (Row::new(&first, &firsts), Row::new(&second, &seconds));
    loop {
        let (left, right) = (first.blocks(), second.blocks());
        let count = left.len().min(right.len());
        if count > 0 {
            (pair.0)(&mut first.state, &left[..count], &mut second.state, &right[..count]);
        } else if left.is_empty() && right.is_empty() {
            return (first.hashes, second.hashes);
        } else {
            compress256(&mut first.state, left);
            compress256(&mut second.state, right);
        }
        let alone = count == 0;
        first.advance(if alone { left.len() } else { count });
        second.advance(if alone { right.len() } else { count });
    }
}

/// The end of a message: what is left behind its whole blocks, the padding, and its length (FIPS 180-4, section 5.1.1).
struct Tail {
    blocks: [Block; 2],
    count: usize,
}

impl Tail {
    fn of(message: &[u8]) -> Self {
        let (_, rest) = message.as_chunks::<64>();
        let count = if rest.len() < 56 { 1 } else { 2 };
        let mut blocks = [[0; 64]; 2];
        let bytes = blocks.as_flattened_mut();
        bytes[..rest.len()].copy_from_slice(rest);
        bytes[rest.len()] = 0x80;
        let bits = (message.len() as u64) << 3;
        bytes[count * 64 - 8..count * 64].copy_from_slice(&bits.to_be_bytes());
        Self { blocks, count }
    }
}

/// Messages, one after the other.
struct Row<'a, const N: usize> {
    messages: &'a [&'a [u8]; N],
    tails: &'a [Tail; N],
    /// Which message, and how many of its blocks are taken.
    at: usize,
    taken: usize,
    state: State,
    hashes: [[u8; 32]; N],
}

impl<'a, const N: usize> Row<'a, N> {
    fn new(messages: &'a [&'a [u8]; N], tails: &'a [Tail; N]) -> Self {
        Self { messages, tails, at: 0, taken: 0, state: START, hashes: [[0; 32]; N] }
    }

    /// Blocks that follow on each other in memory; none when all messages are hashed.
    fn blocks(&self) -> &'a [Block] {
        let Some(message) = self.messages.get(self.at) else { return &[] };
        let (whole, _) = message.as_chunks::<64>();
        let tail = &self.tails[self.at];
        match whole.get(self.taken..) {
            Some(rest) if !rest.is_empty() => rest,
            _ => &tail.blocks[self.taken - whole.len()..tail.count],
        }
    }

    fn advance(&mut self, blocks: usize) {
        let Some(message) = self.messages.get(self.at) else { return };
        self.taken += blocks;
        if self.taken == message.len() / 64 + self.tails[self.at].count {
            let words = self.state.map(u32::to_be_bytes);
            self.hashes[self.at].copy_from_slice(words.as_flattened());
            (self.at, self.taken, self.state) = (self.at + 1, 0, START);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digests<const N: usize>(messages: [&[u8]; N]) -> [[u8; 32]; N] {
        messages.map(|message| Sha256::digest(message).into())
    }

    /// What a processor without the instructions would do in [`hash`], so that it is tested there, too.
    fn one_after_the_other(first: &mut State, left: &[Block], second: &mut State, right: &[Block]) {
        compress256(first, left);
        compress256(second, right);
    }

    #[test]
    fn every_length_around_the_ends_of_blocks_has_the_hash_that_it_has_alone() {
        let text: Vec<u8> = (0..=255).cycle().take(300).collect();
        for length in 0..text.len() {
            let (first, second) = ([&text[..length], &text[length..]], [&text[..300 - length]]);
            assert_eq!(beside(first, second), (digests(first), digests(second)), "{length}");
            let slowly = hash(Pair(one_after_the_other), first, second);
            assert_eq!(slowly, (digests(first), digests(second)), "{length}");
        }
    }

    #[test]
    fn a_row_without_messages_has_no_hashes() {
        assert_eq!(beside([b"abc"], []), (digests([b"abc"]), []));
        assert_eq!(beside([], []), ([], []));
    }

    proptest! {
        #[test]
        fn messages_beside_each_other_have_the_hashes_that_they_have_alone(
            a: Vec<u8>, b: Vec<u8>, c in prop::collection::vec(any::<u8>(), 0..2_000),
        ) {
            let (first, second) = ([&a[..], &b[..]], [&c[..]]);
            prop_assert_eq!(beside(first, second), (digests(first), digests(second)));
        }
    }
}

//! The root of a Merkle tree, leaf by leaf.

use sha2::{Digest, Sha256};

/// Computes the RFC 6962 root of leaf hashes pushed in order; holds one hash a level, not the leaves.
#[derive(Debug, Clone, Default)]
pub struct RootBuilder {
    /// The roots of the complete subtrees so far, the widest first: one for each bit set in `count`.
    subtrees: Vec<[u8; 32]>,
    count: u64,
}

impl RootBuilder {
    /// A tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next leaf's hash ([`super::leaf_hash`]).
    pub fn push(&mut self, leaf_hash: [u8; 32]) {
        let mut hash = leaf_hash;
        for _ in 0..self.count.trailing_ones() {
            let left = self.subtrees.pop().expect("one subtree for each bit of the count");
            hash = node_hash(&left, &hash);
        }
        self.subtrees.push(hash);
        self.count += 1;
    }

    /// How many leaves were pushed.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The root; of no leaves, SHA-256 of nothing.
    pub fn finish(self) -> [u8; 32] {
        self.subtrees
            .into_iter()
            .rev()
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or_else(|| Sha256::digest(b"").into())
    }
}

fn node_hash(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

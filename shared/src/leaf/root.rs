//! The root of a Merkle tree, leaf by leaf.

use sha2::{Digest, Sha256};

use crate::sha256;

/// So many leaves are hashed together, two nodes at a time. A power of two, so that they are a subtree.
const GROUP: usize = 8;

/// Computes the RFC 6962 root of leaf hashes pushed in order; holds one hash a level, not the leaves.
#[derive(Debug, Clone, Default)]
pub struct RootBuilder {
    /// The roots of the complete subtrees so far, the widest first: one for each bit set in the number of groups.
    subtrees: Vec<[u8; 32]>,
    groups: u64,
    /// The leaves behind them, less than a group.
    rest: Vec<[u8; 32]>,
}

impl RootBuilder {
    /// A tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next leaf's hash ([`super::leaf_hash`]).
    pub fn push(&mut self, leaf_hash: [u8; 32]) {
        self.rest.push(leaf_hash);
        if self.rest.len() < GROUP {
            return;
        }
        let mut hash = group_root(&self.rest);
        self.rest.clear();
        for _ in 0..self.groups.trailing_ones() {
            let left = self.subtrees.pop().expect("one subtree for each bit of the count");
            hash = node_hash(&left, &hash);
        }
        self.subtrees.push(hash);
        self.groups += 1;
    }

    /// How many leaves were pushed.
    pub fn count(&self) -> u64 {
        self.groups * GROUP as u64 + self.rest.len() as u64
    }

    /// The root; of no leaves, SHA-256 of nothing.
    pub fn finish(self) -> [u8; 32] {
        let rest = (!self.rest.is_empty()).then(|| subtree_root(&self.rest));
        let of_groups = self.subtrees.into_iter().rev();
        rest.into_iter()
            .chain(of_groups)
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or_else(|| Sha256::digest(b"").into())
    }
}

/// The root of these leaves by themselves (RFC 6962, section 2.1).
fn subtree_root(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [leaf] => *leaf,
        leaves => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&subtree_root(left), &subtree_root(right))
        }
    }
}

/// The same of a whole group.
fn group_root(leaves: &[[u8; 32]]) -> [u8; 32] {
    let mut level = [[0; 32]; GROUP];
    level.copy_from_slice(leaves);
    let mut width = GROUP;
    while width > 2 {
        for at in (0..width).step_by(4) {
            let nodes = [node(&level[at], &level[at + 1]), node(&level[at + 2], &level[at + 3])];
            let ([left], [right]) = sha256::beside([&nodes[0]], [&nodes[1]]);
            (level[at / 2], level[at / 2 + 1]) = (left, right);
        }
        width /= 2;
    }
    node_hash(&level[0], &level[1])
}

fn node_hash(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::digest(node(left, right)).into()
}

/// What is hashed for a node.
fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 65] {
    let mut node = [1; 65];
    node[1..33].copy_from_slice(left);
    node[33..].copy_from_slice(right);
    node
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_leaves_has_the_root_of_the_definition() {
        let leaves: Vec<[u8; 32]> = (0..100_u8).map(|number| [number; 32]).collect();
        let mut builder = RootBuilder::new();
        for (count, leaf) in leaves.iter().enumerate() {
            assert_eq!(builder.count(), count as u64);
            if count > 0 {
                assert_eq!(builder.clone().finish(), subtree_root(&leaves[..count]), "{count}");
            }
            builder.push(*leaf);
        }
    }
}

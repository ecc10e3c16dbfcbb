//! The keys of the objects that are open, to find a second one of the same name.

use std::{borrow::Cow, collections::HashSet};

use smallvec::SmallVec;

/// Up to so many keys are compared one by one; a larger object gets a hash set, so that a hostile one stays linear.
const COMPARED: usize = 16;

/// All open objects' keys on one stack, so that small objects allocate nothing of their own.
#[derive(Default)]
pub(crate) struct Keys<'a> {
    stack: SmallVec<[Cow<'a, str>; COMPARED]>,
}

/// The keys of one open object.
pub(crate) struct ObjectKeys<'a> {
    base: usize,
    set: Option<HashSet<Cow<'a, str>>>,
}

impl<'a> Keys<'a> {
    /// Begins an object.
    pub(crate) fn open(&self) -> ObjectKeys<'a> {
        ObjectKeys { base: self.stack.len(), set: None }
    }

    /// Ends an object.
    pub(crate) fn close(&mut self, object: &ObjectKeys<'a>) {
        self.stack.truncate(object.base);
    }

    /// Adds a key, its escapes read; false when the object has it already.
    pub(crate) fn add(&mut self, object: &mut ObjectKeys<'a>, key: Cow<'a, str>) -> bool {
        if let Some(set) = &mut object.set {
            return set.insert(key);
        }
        if self.stack[object.base..].contains(&key) {
            return false;
        }
        self.stack.push(key);
        if self.stack.len() - object.base > COMPARED {
            object.set = Some(self.stack.drain(object.base..).collect());
        }
        true
    }
}

//! Names and ids that no other test has.

use std::time::{Duration, UNIX_EPOCH};

use uuid::Uuid;

/// How old a leftover of an earlier run may become before a new run removes it.
pub(crate) const LIFETIME: Duration = Duration::from_hours(2);

/// `test-<seconds since 1970>-<random>-<hint>`; the time lets a later run see how old a leftover is.
pub fn unique(hint: &str) -> String {
    format!("test-{}-{:08x}-{hint}", seconds_now(), rand::random::<u32>())
}

/// A fresh UUIDv7.
#[expect(clippy::disallowed_methods, reason = "the one place where tests mint ids")]
pub fn unique_id() -> Uuid {
    Uuid::now_v7()
}

/// Whether a name of [`unique`] (or with underscores in place of hyphens) is so old that its test has long ended.
pub(crate) fn is_leftover(name: &str) -> bool {
    let mut parts = name.split(['-', '_']);
    let made = parts.find(|part| *part == "test").and_then(|_| parts.next()?.parse::<u64>().ok());
    made.is_some_and(|made| made + LIFETIME.as_secs() < seconds_now())
}

/// The machine's time in seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "tests name their leftovers by the machine's time")]
pub(crate) fn seconds_now() -> u64 {
    std::time::SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_age() {
        assert_ne!(unique("x"), unique("x"));
        assert!(!is_leftover(&unique("x")));
        assert!(is_leftover("test-1000-0000-x"));
        assert!(is_leftover("audit_test_1000_0000"));
        assert!(!is_leftover("audit.events"));
        assert!(!is_leftover("test-data"));
    }
}

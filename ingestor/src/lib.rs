//! A record's way in: consumed, decoded, validated, batched, appended.

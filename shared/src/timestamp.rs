//! Microseconds since 1970, read and written as RFC 3339 in UTC.

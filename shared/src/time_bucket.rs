//! Hours, days, weeks and months in UTC, by which events are counted. UTC knows no summer time: every day has 24 hours.

use crate::timestamp::{Timestamp, civil_from_days, days_from_civil};

const MICROS_PER_HOUR: i64 = 3_600_000_000;
const MICROS_PER_DAY: i64 = 24 * MICROS_PER_HOUR;
/// 1970-01-01 was a Thursday: so many days after a Monday.
const EPOCH_WEEKDAY: i64 = 3;

/// A length of time that the calendar is cut into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Interval {
    /// From a whole hour to the next.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From Monday to Monday (ISO 8601).
    Week,
    /// A calendar month.
    Month,
}

impl Interval {
    /// All of them, the shortest first.
    pub const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    /// Its word, which is PostgreSQL's too.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// Where the bucket that holds this moment starts.
    pub fn start(self, time: Timestamp) -> Timestamp {
        let micros = time.as_micros();
        let day = micros.div_euclid(MICROS_PER_DAY);
        Timestamp::from_micros(match self {
            Self::Hour => micros - micros.rem_euclid(MICROS_PER_HOUR),
            Self::Day => day * MICROS_PER_DAY,
            Self::Week => (day - (day + EPOCH_WEEKDAY).rem_euclid(7)) * MICROS_PER_DAY,
            Self::Month => {
                let (year, month, _) = civil_from_days(day);
                days_from_civil(year, month.cast_signed(), 1) * MICROS_PER_DAY
            }
        })
    }

    /// Where the bucket behind the one that holds this moment starts.
    pub fn next(self, time: Timestamp) -> Timestamp {
        let start = self.start(time).as_micros();
        let step = match self {
            Self::Hour => MICROS_PER_HOUR,
            Self::Day => MICROS_PER_DAY,
            Self::Week => 7 * MICROS_PER_DAY,
            // No month is longer than 31 days, and none is shorter than four.
            Self::Month => return self.start(Timestamp::from_micros(start + 31 * MICROS_PER_DAY)),
        };
        Timestamp::from_micros(start + step)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    #[test]
    fn buckets_start_where_the_calendar_says() {
        let cases = [
            (
                "2026-11-21T19:40:59.999999Z",
                "2026-11-21T19:00:00Z",
                "2026-11-21T00:00:00Z",
                "2026-11-16T00:00:00Z",
                "2026-11-01T00:00:00Z",
            ),
            // A Monday's first moment, and the one before.
            (
                "2026-11-16T00:00:00Z",
                "2026-11-16T00:00:00Z",
                "2026-11-16T00:00:00Z",
                "2026-11-16T00:00:00Z",
                "2026-11-01T00:00:00Z",
            ),
            (
                "2026-11-15T23:59:59.999999Z",
                "2026-11-15T23:00:00Z",
                "2026-11-15T00:00:00Z",
                "2026-11-09T00:00:00Z",
                "2026-11-01T00:00:00Z",
            ),
            // A leap day; a week over the year's end; before 1970.
            (
                "2024-02-29T12:00:00Z",
                "2024-02-29T12:00:00Z",
                "2024-02-29T00:00:00Z",
                "2024-02-26T00:00:00Z",
                "2024-02-01T00:00:00Z",
            ),
            (
                "2026-01-01T00:00:00Z",
                "2026-01-01T00:00:00Z",
                "2026-01-01T00:00:00Z",
                "2025-12-29T00:00:00Z",
                "2026-01-01T00:00:00Z",
            ),
            (
                "1948-02-29T23:30:00Z",
                "1948-02-29T23:00:00Z",
                "1948-02-29T00:00:00Z",
                "1948-02-23T00:00:00Z",
                "1948-02-01T00:00:00Z",
            ),
        ];
        for (time, hour, day, week, month) in cases {
            let starts = Interval::ALL.map(|interval| interval.start(at(time)));
            assert_eq!(starts, [hour, day, week, month].map(at), "{time}");
        }
    }

    #[test]
    fn the_hours_when_clocks_change_are_hours_like_others() {
        // In Amsterdam 02:30 came not at all on the first of these days, and twice on the second.
        let spring = [at("2025-03-30T01:30:00+01:00"), at("2025-03-30T03:30:00+02:00")];
        assert_eq!(
            spring.map(|time| Interval::Hour.start(time)),
            [at("2025-03-30T00:00:00Z"), at("2025-03-30T01:00:00Z")]
        );
        let autumn = [at("2025-10-26T02:30:00+02:00"), at("2025-10-26T02:30:00+01:00")];
        assert_eq!(
            autumn.map(|time| Interval::Hour.start(time)),
            [at("2025-10-26T00:00:00Z"), at("2025-10-26T01:00:00Z")]
        );
        // Half past midnight there is the day before in UTC.
        assert_eq!(Interval::Day.start(at("2025-10-26T00:30:00+02:00")), at("2025-10-25T00:00:00Z"));
    }

    #[test]
    fn months_follow_each_other() {
        let mut month = at("2023-12-31T23:59:59Z");
        for expected in ["2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01", "2024-05-01", "2024-06-01"] {
            month = Interval::Month.next(month);
            assert_eq!(month, at(&format!("{expected}T00:00:00Z")));
        }
    }

    proptest! {
        #[test]
        fn every_moment_is_in_one_bucket(micros in Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros()) {
            let time = Timestamp::from_micros(micros);
            for interval in Interval::ALL {
                let (start, next) = (interval.start(time), interval.next(time));
                prop_assert!(start <= time && time < next);
                prop_assert_eq!(interval.start(start), start);
                prop_assert_eq!(interval.start(next), next);
            }
        }
    }
}

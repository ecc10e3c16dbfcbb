//! Which months have partitions: made before the transaction, on the second connection (semantics.md 4, 11).

use std::collections::HashSet;

use shared::timestamp::Timestamp;
use tokio_postgres::Client;

use crate::error::StoreError;

const KNOWN: &str = include_str!("../../sql/known_months.sql");
const FLOOR: &str = include_str!("../../sql/floor_month.sql");
const ENSURE: &str = include_str!("../../sql/ensure_month.sql");

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A month of the proleptic Gregorian calendar in UTC: year × 12 + month − 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Month(i32);

impl Month {
    pub(super) fn of(time: Timestamp) -> Self {
        // Days to civil date: years start in March, so that the leap day is a year's last.
        let days = time.as_micros().div_euclid(MICROS_PER_DAY) + 719_468;
        let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let months = (era * 400 + year_of_era) * 12 + march_month + 2;
        Self(i32::try_from(months).expect("64 bits of microseconds are 292,000 years"))
    }

    fn year(self) -> i32 {
        self.0.div_euclid(12)
    }

    fn number(self) -> i32 {
        self.0.rem_euclid(12) + 1
    }
}

/// The months known to have partitions, and where months start.
pub(super) struct Months {
    known: HashSet<Month>,
    floor: Month,
}

impl Months {
    pub(super) async fn load(client: &Client) -> Result<Self, StoreError> {
        let floor = Month(client.query_one(FLOOR, &[]).await?.try_get(0)?);
        let rows = client.query(KNOWN, &[]).await?;
        let known = rows.iter().map(|row| Ok(Month(row.try_get(0)?))).collect::<Result<_, StoreError>>()?;
        Ok(Self { known, floor })
    }

    /// Makes the partitions of these months where they are not known to exist.
    pub(super) async fn ensure(&mut self, client: &Client, months: &[Month]) -> Result<(), StoreError> {
        for &month in months {
            if month >= self.floor && !self.known.contains(&month) {
                client.query_one(ENSURE, &[&month.year(), &month.number()]).await?;
                self.known.insert(month);
            }
        }
        Ok(())
    }

    /// Forgets everything: a row found no partition, so something was known that is not so.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(days: i64) -> (i32, i32) {
        let month = Month::of(Timestamp::from_micros(days * MICROS_PER_DAY));
        (month.year(), month.number())
    }

    #[test]
    fn months_follow_the_calendar() {
        assert_eq!(month(0), (1970, 1));
        assert_eq!(month(-1), (1969, 12));
        assert_eq!(month(30), (1970, 1));
        assert_eq!(month(31), (1970, 2));
        // 2000-02-29 is day 11,016; 1948-02-29 is day -7,977; 0001-01-01 is day -719,162.
        assert_eq!(month(11_016), (2000, 2));
        assert_eq!(month(11_017), (2000, 3));
        assert_eq!(month(-7_977), (1948, 2));
        assert_eq!(month(-7_976), (1948, 3));
        assert_eq!(month(-719_162), (1, 1));
        assert_eq!(month(-719_163), (0, 12));
    }

    #[test]
    fn the_last_microsecond_belongs_to_the_month() {
        let end = Timestamp::from_micros(31 * MICROS_PER_DAY - 1);
        assert_eq!(Month::of(end), Month::of(Timestamp::from_micros(0)));
        assert!(Month::of(Timestamp::from_micros(31 * MICROS_PER_DAY)) > Month::of(end));
    }
}

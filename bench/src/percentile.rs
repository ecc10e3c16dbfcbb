//! The middle and the tail of many durations.

use std::time::Duration;

/// In milliseconds; NaN of nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Percentiles {
    /// Half of the values are not above this.
    pub(crate) p50: f64,
    /// 99 of 100.
    pub(crate) p99: f64,
    /// 999 of 1,000.
    pub(crate) p999: f64,
}

/// The percentiles by nearest rank.
pub(crate) fn percentiles(mut values: Vec<Duration>) -> Percentiles {
    values.sort_unstable();
    let rank = |per_mille: usize| {
        let index = (values.len() * per_mille).div_ceil(1000).saturating_sub(1);
        values.get(index).map_or(f64::NAN, |value| value.as_secs_f64() * 1000.0)
    };
    Percentiles { p50: rank(500), p99: rank(990), p999: rank(999) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let found = percentiles((1..=1000).rev().map(Duration::from_millis).collect());
        assert_eq!(format!("{:.0} {:.0} {:.0}", found.p50, found.p99, found.p999), "500 990 999");
        let one = percentiles(vec![Duration::from_millis(7)]);
        assert_eq!(format!("{:.0} {:.0}", one.p50, one.p999), "7 7");
        assert!(percentiles(Vec::new()).p50.is_nan());
    }
}

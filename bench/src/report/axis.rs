//! One axis of a plot: its range, whether it is logarithmic, and where its ticks are.

/// Values that spread wider than this are shown on a logarithmic axis: on a linear one the small ones would lie on zero.
const LOGARITHMIC_FROM: f64 = 40.0;
/// About so many ticks on a linear axis.
const TICKS: f64 = 5.0;
/// Over more decades than this, only powers of ten have a tick.
const DECADES_WITH_ALL_TICKS: f64 = 2.5;

/// The range of an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    /// From tick to tick; `None` on a logarithmic axis.
    step: Option<f64>,
}

impl Axis {
    /// An axis that holds all the values: from zero, or logarithmic when they are positive and far apart.
    pub(super) fn over(values: impl Iterator<Item = f64> + Clone) -> Self {
        let least = values.clone().fold(f64::INFINITY, f64::min);
        let greatest = values.fold(f64::NEG_INFINITY, f64::max);
        if least > 0.0 && greatest / least >= LOGARITHMIC_FROM {
            let low = round_steps(least).filter(|step| *step <= least).fold(0.0, f64::max);
            let high = round_steps(greatest).filter(|step| *step >= greatest).fold(f64::INFINITY, f64::min);
            return Self { low, high, step: None };
        }
        let (least, greatest) = (least.min(0.0), greatest.max(0.0));
        // A plot of nothing but zeros still has an axis.
        let step = if greatest > least { step_of(greatest - least) } else { 1.0 };
        let greatest = greatest.max(least + step);
        Self { low: (least / step).floor() * step, high: (greatest / step).ceil() * step, step: Some(step) }
    }

    /// Where a value lies between the axis's ends: 0 to 1.
    pub(super) fn place(&self, value: f64) -> f64 {
        if self.is_logarithmic() {
            (value / self.low).log10() / (self.high / self.low).log10()
        } else {
            (value - self.low) / (self.high - self.low)
        }
    }

    /// The values that have a tick, rising.
    pub(super) fn ticks(&self) -> Vec<f64> {
        self.step.map_or_else(|| self.logarithmic_ticks(), |step| self.linear_ticks(step))
    }

    /// Whether the axis is logarithmic, for its label.
    pub(super) fn is_logarithmic(&self) -> bool {
        self.step.is_none()
    }

    fn linear_ticks(&self, step: f64) -> Vec<f64> {
        let first = (self.low / step).round();
        let numbers = std::iter::successors(Some(first), |number| Some(number + 1.0));
        // Half a step of grace: a sum of steps need not meet the end exactly.
        numbers.map(|number| number * step).take_while(|tick| *tick < self.high + step / 2.0).collect()
    }

    fn logarithmic_ticks(&self) -> Vec<f64> {
        let wide = (self.high / self.low).log10() > DECADES_WITH_ALL_TICKS;
        let (first, last) = (self.low.log10().floor(), self.high.log10().ceil());
        let powers = std::iter::successors(Some(first), |power| Some(power + 1.0)).take_while(|p| *p <= last);
        let steps: &[f64] = if wide { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let ticks = powers.flat_map(|power| steps.iter().map(move |step| step * 10_f64.powf(power)));
        let grace = 1.0 + 1e-9;
        ticks.filter(|tick| *tick * grace >= self.low && *tick <= self.high * grace).collect()
    }
}

/// 1, 2, 5 or 10 times a power of ten, so that the range has about [`TICKS`] of them.
fn step_of(range: f64) -> f64 {
    let rough = range / TICKS;
    round_steps(rough).find(|step| *step >= rough * (1.0 - 1e-9)).unwrap_or(rough)
}

/// The round numbers around a positive value, rising from below it to above it.
fn round_steps(value: f64) -> impl Iterator<Item = f64> {
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(move |step| step * power)
}

/// A tick's label: `250k`, `2M`, `0.05`.
pub(super) fn tick_text(value: f64) -> String {
    let (scaled, unit) = match value.abs() {
        size if size >= 1e9 => (value / 1e9, "G"),
        size if size >= 1e6 => (value / 1e6, "M"),
        size if size >= 1e3 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let text = format!("{scaled:.3}");
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(left: &[f64], right: &[f64]) -> bool {
        left.len() == right.len() && left.iter().zip(right).all(|(l, r)| (l - r).abs() <= r.abs() * 1e-9)
    }

    #[test]
    fn a_linear_axis_starts_at_zero_and_ends_on_a_tick() {
        let axis = Axis::over([61_000.0, 78_100.0].into_iter());
        assert!(!axis.is_logarithmic());
        assert!(close(&axis.ticks(), &[0.0, 20_000.0, 40_000.0, 60_000.0, 80_000.0]), "{:?}", axis.ticks());
        assert!((axis.place(40_000.0) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn values_far_apart_get_a_logarithmic_axis() {
        let axis = Axis::over([0.2e6, 2e6, 10e6].into_iter());
        assert!(axis.is_logarithmic());
        assert!(close(&axis.ticks(), &[2e5, 5e5, 1e6, 2e6, 5e6, 1e7]), "{:?}", axis.ticks());
        assert!(axis.place(2e5).abs() < 1e-9 && (axis.place(1e7) - 1.0).abs() < 1e-9);
        let wide = Axis::over([3.0, 4000.0].into_iter());
        assert!(close(&wide.ticks(), &[10.0, 100.0, 1000.0]), "{:?}", wide.ticks());
    }

    #[test]
    fn zero_and_negative_values_stay_linear() {
        assert!(!Axis::over([0.0, 1000.0].into_iter()).is_logarithmic());
        let axis = Axis::over([-3.0, 7.0].into_iter());
        assert!(close(&axis.ticks(), &[-4.0, -2.0, 0.0, 2.0, 4.0, 6.0, 8.0]), "{:?}", axis.ticks());
        assert!(!Axis::over([0.0, 0.0].into_iter()).ticks().is_empty());
    }

    #[test]
    fn labels_are_short() {
        let texts: Vec<_> = [0.0, 0.05, 1.0, 250.0, 2500.0, 1e4, 2e6, 1.5e9].map(tick_text).into();
        assert_eq!(texts, ["0", "0.05", "1", "250", "2.5k", "10k", "2M", "1.5G"]);
    }
}

//! What a run has measured: figures (each a median with its spread) and the bars that they are held against.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The measured values of one thing, one a round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// What was measured, such as `ingest rate, standard set, v7 ids`.
    pub(crate) what: String,
    /// Its unit, such as `events/s`, `µs/event`, `B/event`, `ms`, `ratio`.
    pub(crate) unit: String,
    /// One value a round, in the order of the rounds.
    pub(crate) values: Vec<f64>,
}

impl Figure {
    /// A figure without values yet.
    pub(crate) fn new(what: impl Into<String>, unit: impl Into<String>) -> Self {
        Self { what: what.into(), unit: unit.into(), values: Vec::new() }
    }

    /// The middle value; of an even number the mean of the two in the middle. NaN without values.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => f64::NAN,
            odd if odd % 2 == 1 => sorted[middle],
            _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
        }
    }

    /// The least and the greatest value.
    pub(crate) fn range(&self) -> (f64, f64) {
        let least = self.values.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (least, greatest)
    }
}

/// Which side of its bounds a bar's value has to be on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Bound {
    /// The value must not be less than `start`.
    AtLeast,
    /// The value must not be more than `start`.
    AtMost,
}

/// One bar of architecture.md, measured.
#[expect(clippy::struct_field_names, reason = "the field's name in the JSON is a requirement")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bar {
    /// Its number in architecture.md, such as `1`, `1b`, `3b`; several lines may share one.
    pub(crate) bar: String,
    /// What is compared, such as `ingest ÷ bare COPY, standard set`.
    pub(crate) what: String,
    /// The measured value (a median over rounds, unless `what` says else).
    pub(crate) value: f64,
    /// Where the bar starts: this holds or the run fails.
    pub(crate) start: f64,
    /// What is worth reaching.
    pub(crate) reach: f64,
    /// On which side.
    pub(crate) bound: Bound,
    /// Whether the value keeps `start`. A bar that is only published holds always.
    pub(crate) holds: bool,
}

impl Bar {
    /// A bar whose value must be at least `start`.
    pub(crate) fn at_least(bar: &str, what: &str, value: f64, start: f64, reach: f64) -> Self {
        Self {
            bar: bar.to_owned(),
            what: what.to_owned(),
            value,
            start,
            reach,
            bound: Bound::AtLeast,
            holds: value >= start,
        }
    }

    /// A bar whose value must be at most `start`.
    pub(crate) fn at_most(bar: &str, what: &str, value: f64, start: f64, reach: f64) -> Self {
        Self {
            bar: bar.to_owned(),
            what: what.to_owned(),
            value,
            start,
            reach,
            bound: Bound::AtMost,
            holds: value <= start,
        }
    }

    /// The same, published and never a failure (bar 6).
    pub(crate) fn published(self) -> Self {
        Self { holds: true, ..self }
    }
}

/// A curve for the report: one line of a plot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Curve {
    /// The plot that it belongs to, such as `ingest rate as the store grows`.
    pub(crate) plot: String,
    /// Its name in the legend.
    pub(crate) name: String,
    /// The horizontal axis, such as `events stored`.
    pub(crate) x_axis: String,
    /// The vertical axis, such as `events/s`.
    pub(crate) y_axis: String,
    /// The points.
    pub(crate) points: Vec<(f64, f64)>,
}

/// Everything that a run has to say; the JSON of `--json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Machine, commit, versions, settings, workload: name → value.
    pub(crate) circumstances: BTreeMap<String, String>,
    /// The bars.
    pub(crate) bars: Vec<Bar>,
    /// Everything measured.
    pub(crate) figures: Vec<Figure>,
    /// Lines to plot.
    pub(crate) curves: Vec<Curve>,
    /// What a reader must know, such as what was skipped and why.
    pub(crate) notes: Vec<String>,
}

impl Run {
    /// Keeps a round's value of a figure, made on its first value; gives it back.
    pub(crate) fn add(&mut self, what: &str, unit: &str, value: f64) -> f64 {
        let known = self.figures.iter().position(|figure| figure.what == what);
        let place = known.unwrap_or_else(|| {
            self.figures.push(Figure::new(what, unit));
            self.figures.len() - 1
        });
        self.figures[place].values.push(value);
        value
    }

    /// The median of a figure; NaN when it was not measured.
    pub(crate) fn median(&self, what: &str) -> f64 {
        self.figures.iter().find(|figure| figure.what == what).map_or(f64::NAN, Figure::median)
    }
}

/// A count as a number to reckon with.
#[expect(clippy::cast_precision_loss, reason = "no count here has more than 53 bits")]
pub(crate) fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_ranges() {
        let figure = |values: &[f64]| Figure { values: values.to_vec(), ..Figure::new("x", "ms") };
        assert!((figure(&[3.0, 1.0, 2.0]).median() - 2.0).abs() < f64::EPSILON);
        assert!((figure(&[4.0, 1.0, 2.0, 3.0]).median() - 2.5).abs() < f64::EPSILON);
        assert!(figure(&[]).median().is_nan());
        assert_eq!(figure(&[3.0, 1.0, 2.0]).range(), (1.0, 3.0));
    }

    #[test]
    fn a_bar_that_was_not_measured_does_not_hold() {
        assert!(!Bar::at_least("1", "x", f64::NAN, 0.25, 0.4).holds);
        assert!(!Bar::at_most("3", "x", f64::NAN, 2.1, 1.8).holds);
        assert!(Bar::at_least("1", "x", 0.25, 0.25, 0.4).holds);
        assert!(Bar::at_most("6", "x", 500.0, 100.0, 30.0).published().holds);
    }
}

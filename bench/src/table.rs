//! A run for people: the bars first, then every figure, then what one has to know.

use std::fmt::Write;

use crate::figures::{Bar, Bound, Run};

/// The whole table as text.
pub(crate) fn render(run: &Run) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{:<4} {:<52} {:>10} {:>9} {:>9}", "bar", "what", "value", "start", "reach");
    for bar in &run.bars {
        let _ = writeln!(text, "{}", line(bar));
    }
    let width = run.figures.iter().map(|figure| figure.what.chars().count()).max().unwrap_or(0);
    let _ = writeln!(text, "\n{:<width$}  {:>12} {:<9} least .. greatest", "figure", "median", "unit");
    for figure in &run.figures {
        let (least, greatest) = figure.range();
        let spread = match figure.values.len() {
            0 | 1 => String::new(),
            rounds => format!("{} .. {} ({rounds})", number(least), number(greatest)),
        };
        let median = number(figure.median());
        let _ = writeln!(text, "{:<width$}  {median:>12} {:<9} {spread}", figure.what, figure.unit);
    }
    let _ = writeln!(text);
    for (name, value) in &run.circumstances {
        let _ = writeln!(text, "{name}: {value}");
    }
    for note in &run.notes {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

fn line(bar: &Bar) -> String {
    let sign = match bar.bound {
        Bound::AtLeast => "≥",
        Bound::AtMost => "≤",
    };
    let verdict = if bar.holds { "" } else { "  FALLS SHORT" };
    let bound = |value: f64| format!("{sign} {}", number(value));
    let (start, reach) = (bound(bar.start), bound(bar.reach));
    format!("{:<4} {:<52} {:>10} {start:>9} {reach:>9}{verdict}", bar.bar, bar.what, number(bar.value))
}

/// Four digits that count, or all of a whole number.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        0.0 => 0,
        small if small < 10.0 => 3,
        middling if middling < 1000.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_that_falls_short_says_so() {
        let mut run = Run::default();
        run.bars.push(Bar::at_least("1", "ingest", 0.2, 0.25, 0.4));
        run.bars.push(Bar::at_most("3", "index bytes", 469.0, 470.0, 380.0));
        run.add("rate", "events/s", 50_000.0);
        run.add("rate", "events/s", 60_000.0);
        let text = render(&run);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].ends_with("0.200   ≥ 0.250   ≥ 0.400  FALLS SHORT"), "{}", lines[1]);
        assert!(lines[2].ends_with("469.0   ≤ 470.0   ≤ 380.0"), "{}", lines[2]);
        assert!(lines[5].contains("55000 events/s  50000 .. 60000 (2)"), "{}", lines[5]);
    }
}

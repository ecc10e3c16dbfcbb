//! The report's Markdown: bars, plots, figures, notes, circumstances.

use std::fmt::Write;

use super::plot::Plot;
use crate::figures::{Bar, Bound, Figure, Run};

/// The page of a run; its plots lie beside it.
pub(super) fn markdown(run: &Run, plots: &[Plot<'_>]) -> String {
    let mut page = String::from(
        "# Benchmark report\n\nWritten by `cargo xtask bench … --report`; every value of every round is in \
         [report.json](report.json). A figure is a median over interleaved rounds, with the least and the greatest \
         value beside it.\n",
    );
    bars(&mut page, &run.bars);
    pictures(&mut page, plots);
    figures(&mut page, &run.figures);
    if !run.notes.is_empty() {
        page += "\n## Notes\n\n";
        for note in &run.notes {
            line(&mut page, &format!("- {}", note.replace('\n', " ")));
        }
    }
    if !run.circumstances.is_empty() {
        page += "\n## Circumstances\n\n| what | |\n|---|---|\n";
        for (what, value) in &run.circumstances {
            row(&mut page, &[what, value]);
        }
    }
    page
}

fn bars(page: &mut String, bars: &[Bar]) {
    if bars.is_empty() {
        return;
    }
    *page += "\n## Bars\n\n| bar | what | measured | start | reach | |\n|---|---|---|---|---|---|\n";
    for bar in bars {
        let sign = match bar.bound {
            Bound::AtLeast => "≥",
            Bound::AtMost => "≤",
        };
        let start = format!("{sign} {}", number(bar.start));
        row(page, &[&bar.bar, &bar.what, &number(bar.value), &start, &number(bar.reach), verdict(bar)]);
    }
}

/// A bar that is only published holds always, whatever its value.
fn verdict(bar: &Bar) -> &'static str {
    let keeps = |limit: f64| match bar.bound {
        Bound::AtLeast => bar.value >= limit,
        Bound::AtMost => bar.value <= limit,
    };
    match (bar.holds, keeps(bar.start), keeps(bar.reach)) {
        (_, _, true) => "reached",
        (_, true, _) => "holds",
        (true, ..) => "published",
        (false, ..) => "**short**",
    }
}

fn pictures(page: &mut String, plots: &[Plot<'_>]) {
    if plots.is_empty() {
        return;
    }
    *page += "\n## Plots\n";
    for plot in plots {
        let text = format!("\n![{}]({})", plot.title.replace(['[', ']'], ""), plot.file_name());
        line(page, &text);
    }
}

fn figures(page: &mut String, figures: &[Figure]) {
    if figures.is_empty() {
        return;
    }
    *page += "\n## Figures\n\n| what | median | least to greatest | unit | rounds |\n|---|---|---|---|---|\n";
    for figure in figures {
        let (least, greatest) = figure.range();
        let spread = match figure.values.len() {
            0 | 1 => "–".to_owned(),
            _ => format!("{} to {}", number(least), number(greatest)),
        };
        let rounds = figure.values.len().to_string();
        row(page, &[&figure.what, &number(figure.median()), &spread, &figure.unit, &rounds]);
    }
}

fn row(page: &mut String, cells: &[&str]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
    line(page, &format!("| {} |", cells.join(" | ")));
}

fn line(page: &mut String, text: &str) {
    writeln!(page, "{text}").expect("a String takes everything");
}

/// Three digits that count, and thousands apart: `0.334`, `6.25`, `45.3`, `78,100`.
pub(super) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let size = value.abs();
    let text = match size {
        0.0 => return "0".to_owned(),
        ..1.0 => format!("{value:.3}"),
        1.0..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => return with_thousands(&format!("{value:.0}")),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn with_thousands(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let mut text = String::from(sign);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

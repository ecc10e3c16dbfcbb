//! A line plot as SVG, by hand: axes, grid, lines with their points, legend. White ground, so that it reads in any theme.

use std::fmt::{self, Write};

use super::axis::{Axis, tick_text};
use crate::figures::Curve;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 44.0;
/// Below the plot: tick labels, the axis's name.
const BOTTOM: f64 = 56.0;
/// One line of the legend, which stands between the axis's name and the lower edge.
const LEGEND_LINE: f64 = 18.0;

/// Colours that stay apart for colour-blind eyes (Okabe and Ito), black last.
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];

/// The curves that belong together.
#[derive(Debug)]
pub(super) struct Plot<'a> {
    /// What it shows.
    pub(super) title: &'a str,
    curves: Vec<&'a Curve>,
}

/// Curves by their plot, in the order in which the plots first appear; curves without a point are left out.
pub(super) fn plots(curves: &[Curve]) -> Vec<Plot<'_>> {
    let mut plots: Vec<Plot<'_>> = Vec::new();
    for curve in curves.iter().filter(|curve| points(curve).next().is_some()) {
        match plots.iter_mut().find(|plot| plot.title == curve.plot) {
            Some(plot) => plot.curves.push(curve),
            None => plots.push(Plot { title: &curve.plot, curves: vec![curve] }),
        }
    }
    plots
}

/// What can be drawn of a curve.
fn points(curve: &Curve) -> impl Iterator<Item = (f64, f64)> + Clone + '_ {
    curve.points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite())
}

impl Plot<'_> {
    /// The file's name: the title's letters and digits with hyphens between.
    pub(super) fn file_name(&self) -> String {
        let words = self.title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let name = words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-");
        format!("{name}.svg")
    }

    /// The picture.
    pub(super) fn svg(&self) -> String {
        let mut svg = String::new();
        self.draw(&mut svg).expect("a String takes everything");
        svg
    }

    fn draw(&self, svg: &mut String) -> fmt::Result {
        let all = self.curves.iter().flat_map(|curve| points(curve));
        let frame = Frame { x: Axis::over(all.clone().map(|(x, _)| x)), y: Axis::over(all.map(|(_, y)| y)) };
        let height = HEIGHT + LEGEND_LINE * f64::from(u16::try_from(self.curves.len()).unwrap_or(u16::MAX));
        writeln!(
            svg,
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">"#
        )?;
        writeln!(svg, r#"<rect width="{WIDTH}" height="{height}" fill="white"/>"#)?;
        let middle = WIDTH / 2.0;
        writeln!(
            svg,
            r#"<text x="{middle}" y="24" text-anchor="middle" font-size="16">{}</text>"#,
            escaped(self.title)
        )?;
        frame.draw(svg)?;
        if let Some(first) = self.curves.first() {
            frame.name_axes(svg, first)?;
        }
        let mut colours = COLOURS.iter().cycle();
        let mut line_at = HEIGHT + LEGEND_LINE / 2.0;
        for (curve, colour) in self.curves.iter().zip(&mut colours) {
            frame.draw_curve(svg, curve, colour)?;
            draw_legend(svg, &curve.name, colour, line_at)?;
            line_at += LEGEND_LINE;
        }
        writeln!(svg, "</svg>")
    }
}

/// The two axes and where they lie.
struct Frame {
    x: Axis,
    y: Axis,
}

impl Frame {
    fn across(&self, value: f64) -> f64 {
        LEFT + self.x.place(value) * (WIDTH - LEFT - RIGHT)
    }

    fn down(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.place(value) * (HEIGHT - BOTTOM - TOP)
    }

    fn draw(&self, svg: &mut String) -> fmt::Result {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for tick in self.x.ticks() {
            let (x, text) = (self.across(tick), tick_text(tick));
            let label = bottom + 18.0;
            writeln!(svg, r##"<path d="M{x:.1} {TOP}V{bottom}" stroke="#e0e0e0"/>"##)?;
            writeln!(svg, r#"<text x="{x:.1}" y="{label}" text-anchor="middle">{text}</text>"#)?;
        }
        for tick in self.y.ticks() {
            let (y, text) = (self.down(tick), tick_text(tick));
            let (label, baseline) = (LEFT - 8.0, y + 4.5);
            writeln!(svg, r##"<path d="M{LEFT} {y:.1}H{right}" stroke="#e0e0e0"/>"##)?;
            writeln!(svg, r#"<text x="{label}" y="{baseline:.1}" text-anchor="end">{text}</text>"#)?;
        }
        writeln!(svg, r##"<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="#404040"/>"##)
    }

    fn name_axes(&self, svg: &mut String, curve: &Curve) -> fmt::Result {
        let name = |text: &str, axis: &Axis| {
            format!("{}{}", escaped(text), if axis.is_logarithmic() { " (logarithmic)" } else { "" })
        };
        let (x, bottom) = (f64::midpoint(LEFT, WIDTH - RIGHT), HEIGHT - 16.0);
        let y = f64::midpoint(TOP, HEIGHT - BOTTOM);
        let (across, up) = (name(&curve.x_axis, &self.x), name(&curve.y_axis, &self.y));
        writeln!(svg, r#"<text x="{x}" y="{bottom}" text-anchor="middle">{across}</text>"#)?;
        writeln!(svg, r#"<text transform="translate(16 {y}) rotate(-90)" text-anchor="middle">{up}</text>"#)
    }

    fn draw_curve(&self, svg: &mut String, curve: &Curve, colour: &str) -> fmt::Result {
        let places = points(curve).map(|(x, y)| (self.across(x), self.down(y)));
        let line: Vec<String> = places.clone().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let line = line.join(" ");
        writeln!(svg, r#"<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>"#)?;
        for (x, y) in places {
            writeln!(svg, r#"<circle cx="{x:.1}" cy="{y:.1}" r="3.5" fill="{colour}"/>"#)?;
        }
        Ok(())
    }
}

fn draw_legend(svg: &mut String, name: &str, colour: &str, y: f64) -> fmt::Result {
    let (end, text, baseline) = (LEFT + 28.0, LEFT + 36.0, y + 4.5);
    writeln!(svg, r#"<path d="M{LEFT} {y}H{end}" stroke="{colour}" stroke-width="2"/>"#)?;
    writeln!(svg, r#"<text x="{text}" y="{baseline}">{}</text>"#, escaped(name))
}

/// Text as XML takes it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

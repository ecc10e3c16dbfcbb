//! Progress on standard error: bars on a terminal, silence in a pipe.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Terminal;

/// How often a bar is redrawn, a second.
const REDRAWS: u8 = 10;

/// A bar of `total` units, or a spinner when the total is not known; `template` is indicatif's.
pub fn bar(terminal: Terminal, quiet: bool, total: Option<u64>, template: &str) -> ProgressBar {
    if quiet || !terminal.stderr {
        return ProgressBar::hidden();
    }
    let target = ProgressDrawTarget::stderr_with_hz(REDRAWS);
    let bar = ProgressBar::with_draw_target(total, target);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━━─"));
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// A number with its thousands set apart, for people: `262,200`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Units a second, rounded down; 0 for no time.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate for people: it is never negative, and needs no more than a float's 53 bits"
)]
pub fn per_second(count: u64, elapsed: Duration) -> u64 {
    let seconds = elapsed.as_secs_f64();
    if seconds > 0.0 { (count as f64 / seconds) as u64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(262_200), "262,200");
        assert_eq!(thousands(1_000_000), "1,000,000");
    }

    #[test]
    fn rates() {
        assert_eq!(per_second(10, Duration::ZERO), 0);
        assert_eq!(per_second(1000, Duration::from_millis(500)), 2000);
    }
}

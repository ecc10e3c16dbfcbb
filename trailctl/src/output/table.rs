//! Aligned columns: the widths come from the first rows, then rows stream.

use std::io::{self, Write};

use super::escape;

/// How many rows are looked at before the widths are fixed.
const SAMPLE: usize = 200;
/// A cell wider than this does not widen its column.
const WIDEST: usize = 60;

/// A table that is written while its rows arrive.
#[derive(Debug)]
pub struct Table {
    header: Vec<String>,
    waiting: Vec<Vec<String>>,
    widths: Option<Vec<usize>>,
}

impl Table {
    /// A table with these column headings.
    pub fn new(header: &[&str]) -> Self {
        Self {
            header: header.iter().map(|&name| name.to_owned()).collect(),
            waiting: Vec::new(),
            widths: None,
        }
    }

    /// Adds a row; it is written at once when the widths are fixed.
    pub fn row(&mut self, out: &mut impl Write, cells: &[String]) -> io::Result<()> {
        let cells: Vec<String> = cells.iter().map(|cell| escape::for_terminal(cell).into_owned()).collect();
        if let Some(widths) = &self.widths {
            return write_row(out, widths, &cells);
        }
        self.waiting.push(cells);
        if self.waiting.len() >= SAMPLE { self.settle(out) } else { Ok(()) }
    }

    /// Writes what still waits for its widths; an empty table has its headings.
    pub fn finish(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.widths.is_none() { self.settle(out) } else { Ok(()) }
    }

    /// Fixes the widths and writes the rows so far; the live tail calls it at once, others when enough rows are seen.
    pub fn settle(&mut self, out: &mut impl Write) -> io::Result<()> {
        let mut widths: Vec<usize> = self.header.iter().map(|name| width(name)).collect();
        for row in &self.waiting {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(width(cell).min(WIDEST));
            }
        }
        write_row(out, &widths, &self.header)?;
        for row in std::mem::take(&mut self.waiting) {
            write_row(out, &widths, &row)?;
        }
        self.widths = Some(widths);
        Ok(())
    }
}

fn write_row(out: &mut impl Write, widths: &[usize], cells: &[String]) -> io::Result<()> {
    let mut line = String::new();
    for (index, (cell, &column)) in cells.iter().zip(widths).enumerate() {
        if index > 0 {
            line.push_str("  ");
        }
        line.push_str(cell);
        line.extend(std::iter::repeat_n(' ', column.saturating_sub(width(cell))));
    }
    writeln!(out, "{}", line.trim_end())
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(row: &[&str]) -> Vec<String> {
        row.iter().map(|&cell| cell.to_owned()).collect()
    }

    #[test]
    fn columns_line_up_and_cells_are_escaped() {
        let (mut table, mut out) = (Table::new(&["ID", "TYPE"]), Vec::new());
        table.row(&mut out, &cells(&["1", "a\u{1b}[31m"])).expect("written");
        table.row(&mut out, &cells(&["12345", "b"])).expect("written");
        table.finish(&mut out).expect("written");
        assert_eq!(String::from_utf8(out).expect("text"), "ID     TYPE\n1      a\\u{1b}[31m\n12345  b\n");
    }

    #[test]
    fn rows_after_the_sample_stream() {
        let (mut table, mut out) = (Table::new(&["N"]), Vec::new());
        for n in 0..=SAMPLE {
            table.row(&mut out, &[n.to_string()]).expect("written");
        }
        assert_eq!(String::from_utf8(out).expect("text").lines().count(), SAMPLE + 2);
    }
}

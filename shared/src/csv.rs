//! CSV (RFC 4180), in which no cell becomes a formula unless the caller wants the exact texts.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula and runs it, also where an attacker has
//! written it into an event. Guarded cells of that kind get an apostrophe in front (OWASP, "CSV injection"); what was
//! meant is then still readable, but no longer the exact text.

/// Whether cells are kept from becoming formulas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FormulaGuard {
    /// Cells that a spreadsheet would take for a formula get an apostrophe in front.
    #[default]
    On,
    /// Every cell is its exact text: for programs, never for spreadsheets.
    Off,
}

/// Appends one record and its CRLF.
pub fn push_record<'a>(out: &mut Vec<u8>, cells: impl IntoIterator<Item = &'a str>, guard: FormulaGuard) {
    for (index, cell) in cells.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_cell(out, cell, guard);
    }
    out.extend_from_slice(b"\r\n");
}

fn push_cell(out: &mut Vec<u8>, cell: &str, guard: FormulaGuard) {
    let guarded = guard == FormulaGuard::On && is_formula(cell);
    if !guarded && !cell.bytes().any(needs_quotes) {
        return out.extend_from_slice(cell.as_bytes());
    }
    out.push(b'"');
    if guarded {
        out.push(b'\'');
    }
    let mut parts = cell.split('"');
    out.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        out.extend_from_slice(b"\"\"");
        out.extend_from_slice(part.as_bytes());
    }
    out.push(b'"');
}

/// What RFC 4180 quotes, and what programs in other countries split at.
fn needs_quotes(byte: u8) -> bool {
    matches!(byte, b',' | b'"' | b'\r' | b'\n' | b';' | b'\t')
}

/// Whether a spreadsheet may read a formula here; some skip blanks first, some know the wide forms.
fn is_formula(cell: &str) -> bool {
    let begins = |start: char| matches!(start, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠');
    cell.starts_with(['\t', '\r', '\n']) || cell.trim_start().starts_with(begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(cells: &[&str], guard: FormulaGuard) -> String {
        let mut out = Vec::new();
        push_record(&mut out, cells.iter().copied(), guard);
        String::from_utf8(out).expect("text stays text")
    }

    #[test]
    fn a_record_is_quoted_where_it_must_be() {
        let cells = ["a", "", "b,c", "d\"e", "f\r\ng", "{\"h\":1}"];
        let expected = "a,,\"b,c\",\"d\"\"e\",\"f\r\ng\",\"{\"\"h\"\":1}\"\r\n";
        assert_eq!(record(&cells, FormulaGuard::Off), expected);
        assert_eq!(record(&cells, FormulaGuard::On), expected);
        assert_eq!(record(&[], FormulaGuard::On), "\r\n");
    }

    #[test]
    fn what_a_spreadsheet_would_run_gets_an_apostrophe() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\rx", "\nx", "  =1", "＝1", "\u{a0}@x"] {
            let guarded = record(&[formula], FormulaGuard::On);
            assert_eq!(guarded, format!("\"'{formula}\"\r\n"), "{formula:?}");
            assert!(!record(&[formula], FormulaGuard::Off).contains('\''), "{formula:?}");
        }
        assert_eq!(record(&["a=b", "1-2", "'x"], FormulaGuard::On), "a=b,1-2,'x\r\n");
    }
}

//! A list of JSON documents, in the format that was asked for, in constant memory.

use std::io::{self, BufWriter, Write};

use serde_json::Value;

use super::{OutputFormat, Terminal, escape, table::Table};
use crate::outcome::StandardOutputClosed;

/// A list under way. [`Listing::finish`] ends it; without it a JSON list stays open, which says that it is not whole.
#[derive(Debug)]
pub struct Listing<W: Write> {
    format: OutputFormat,
    escaping: bool,
    out: W,
    table: Table,
    items: u64,
}

impl Listing<BufWriter<io::Stdout>> {
    /// A list on standard output.
    pub fn stdout(chosen: Option<OutputFormat>, terminal: Terminal, header: &[&str]) -> Self {
        let out = BufWriter::with_capacity(64 * 1024, io::stdout());
        Self::new(terminal.list_format(chosen), terminal.stdout, out, header)
    }
}

impl<W: Write> Listing<W> {
    /// A list written to `out`; `escaping` when a terminal reads it.
    pub fn new(format: OutputFormat, escaping: bool, out: W, header: &[&str]) -> Self {
        Self { format, escaping, out, table: Table::new(header), items: 0 }
    }

    /// One more document, as the JSON text it came as; `cells` makes its row of a table.
    pub fn item(
        &mut self,
        json: &str,
        cells: impl FnOnce(&Value) -> Vec<String>,
    ) -> Result<(), StandardOutputClosed> {
        self.items += 1;
        match self.format {
            OutputFormat::Table => {
                let value = serde_json::from_str(json).unwrap_or(Value::Null);
                self.table.row(&mut self.out, &cells(&value))?;
            }
            // CSV is the server's: a command that asks for it lists nothing here.
            OutputFormat::Ndjson | OutputFormat::Csv => self.document(json, "", "\n")?,
            OutputFormat::Json => {
                let before = if self.items == 1 { "[" } else { ",\n " };
                self.document(json, before, "")?;
            }
        }
        Ok(())
    }

    /// How many documents were listed.
    pub fn len(&self) -> u64 {
        self.items
    }

    /// Whether nothing was listed.
    pub fn is_empty(&self) -> bool {
        self.items == 0
    }

    /// Makes what was listed visible now, for a live tail.
    pub fn flush(&mut self) -> Result<(), StandardOutputClosed> {
        if self.format == OutputFormat::Table {
            self.table.finish(&mut self.out)?;
        }
        Ok(self.out.flush()?)
    }

    /// Ends the list.
    pub fn finish(mut self) -> Result<(), StandardOutputClosed> {
        match self.format {
            OutputFormat::Json if self.items == 0 => writeln!(self.out, "[]")?,
            OutputFormat::Json => writeln!(self.out, "]")?,
            OutputFormat::Table => self.table.finish(&mut self.out)?,
            OutputFormat::Ndjson | OutputFormat::Csv => {}
        }
        Ok(self.out.flush()?)
    }

    fn document(&mut self, json: &str, before: &str, after: &str) -> io::Result<()> {
        self.out.write_all(before.as_bytes())?;
        if self.escaping {
            self.out.write_all(escape::json_for_terminal(json).as_bytes())?;
        } else {
            self.out.write_all(json.as_bytes())?;
        }
        self.out.write_all(after.as_bytes())
    }
}

/// Prints one JSON document: as it came, or as `key: value` lines for people.
pub fn print_single(
    json: &str,
    chosen: Option<OutputFormat>,
    terminal: Terminal,
) -> Result<(), StandardOutputClosed> {
    let mut out = io::stdout().lock();
    let value: Option<Value> = serde_json::from_str(json).ok();
    match (terminal.single_format(chosen), value) {
        (OutputFormat::Table, Some(Value::Object(fields))) => {
            let widest = fields.keys().map(String::len).max().unwrap_or(0);
            for (name, value) in &fields {
                let text = plain(value);
                writeln!(out, "{name:<widest$}  {}", escape::for_terminal(&text))?;
            }
        }
        _ if terminal.stdout => writeln!(out, "{}", escape::json_for_terminal(json.trim_end()))?,
        _ => writeln!(out, "{}", json.trim_end())?,
    }
    Ok(out.flush()?)
}

/// A JSON value as a cell: strings without quotes, nothing for null.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The member of this name as a cell; a dot walks into objects.
pub fn cell(value: &Value, path: &str) -> String {
    path.split('.').try_fold(value, |value, name| value.get(name)).map(plain).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(format: OutputFormat, items: &[&str]) -> String {
        let mut out = Vec::new();
        let mut listing = Listing::new(format, false, &mut out, &["A"]);
        for item in items {
            listing.item(item, |value| vec![cell(value, "a")]).expect("written");
        }
        listing.finish().expect("written");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn ndjson_keeps_the_bytes() {
        assert_eq!(listed(OutputFormat::Ndjson, &["{\"a\":1.0}", "{\"a\" :2}"]), "{\"a\":1.0}\n{\"a\" :2}\n");
    }

    #[test]
    fn json_is_one_document() {
        assert_eq!(listed(OutputFormat::Json, &[]), "[]\n");
        let text = listed(OutputFormat::Json, &["{\"a\":1}", "{\"a\":2}"]);
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), serde_json::json!([{"a":1},{"a":2}]));
    }

    #[test]
    fn a_table_has_its_headings_even_when_empty() {
        assert_eq!(listed(OutputFormat::Table, &[]), "A\n");
        assert_eq!(listed(OutputFormat::Table, &["{\"a\":\"x\"}"]), "A\nx\n");
    }
}

//! Whether two JSON texts are the same value: escapes, the order of members and the forms of a number do not count.

use std::collections::BTreeMap;

use super::ProtectedMarker;
use super::fault::{Scanned, syntax};
use super::scan::Scanner;
use super::write::push_string;

/// Whether two accepted texts say the same value; `1.50` and `15e-1` do, exactly and at any length.
pub(crate) fn equal(a: &str, b: &str) -> bool {
    a == b || matches!((normal(a), normal(b)), (Some(a), Some(b)) if a == b)
}

/// One text for every form of a value.
fn normal(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut scanner = Scanner::new(text, ProtectedMarker::Allowed);
    scanner.normal(1, &mut out).ok()?;
    (scanner.at == text.len()).then_some(out)
}

impl Scanner<'_> {
    fn normal(&mut self, depth: usize, out: &mut Vec<u8>) -> Scanned<()> {
        match self.peek() {
            Some(b'{') if depth <= super::MAX_DEPTH => self.normal_object(depth, out),
            Some(b'[') if depth <= super::MAX_DEPTH => self.normal_array(depth, out),
            Some(b'"') => {
                let content = self.string(true)?;
                push_string(out, &content);
                Ok(())
            }
            first => {
                let start = self.at;
                self.value(depth)?;
                let token = &self.text[start..self.at];
                match first {
                    Some(b'-' | b'0'..=b'9') => push_number(out, token),
                    _ => out.extend_from_slice(token.as_bytes()),
                }
                Ok(())
            }
        }
    }

    fn normal_object(&mut self, depth: usize, out: &mut Vec<u8>) -> Scanned<()> {
        let mut members = BTreeMap::new();
        self.at += 1;
        while self.peek() != Some(b'}') {
            if self.peek() != Some(b'"') {
                return syntax("not JSON: a key in quotes was expected");
            }
            let key = self.string(true)?;
            if self.peek() != Some(b':') {
                return syntax("not JSON: a colon was expected after a key");
            }
            self.at += 1;
            let mut value = Vec::new();
            self.normal(depth + 1, &mut value)?;
            members.insert(key, value);
            self.separator(b'}')?;
        }
        self.at += 1;
        out.push(b'{');
        for (key, value) in members {
            push_string(out, &key);
            out.push(b':');
            out.extend_from_slice(&value);
            out.push(b',');
        }
        out.push(b'}');
        Ok(())
    }

    fn normal_array(&mut self, depth: usize, out: &mut Vec<u8>) -> Scanned<()> {
        self.at += 1;
        out.push(b'[');
        while self.peek() != Some(b']') {
            self.normal(depth + 1, out)?;
            out.push(b',');
            self.separator(b']')?;
        }
        self.at += 1;
        out.push(b']');
        Ok(())
    }

    /// Steps over a comma; the end stays.
    fn separator(&mut self, end: u8) -> Scanned<()> {
        match self.peek() {
            Some(b',') => self.at += 1,
            Some(byte) if byte == end => {}
            _ => return syntax("not JSON: a comma or an end was expected"),
        }
        Ok(())
    }
}

/// Sign, digits without zeros around them, and the exponent of the last digit; zero is `0`, whatever its sign.
fn push_number(out: &mut Vec<u8>, token: &str) {
    let (sign, unsigned) = token.strip_prefix('-').map_or(("", token), |rest| ("-", rest));
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    let dropped = digits.len() - significant.len();
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return out.push(b'0');
    }
    // At most 1,000 digits and an exponent within 1,000 come through the door, so nothing overflows.
    let place =
        i64::try_from(dropped).unwrap_or(i64::MAX) - i64::try_from(fraction.len()).unwrap_or(i64::MAX);
    let exponent = exponent.parse::<i64>().unwrap_or_default().saturating_add(place);
    out.extend_from_slice(format!("{sign}{significant}e{exponent}").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_do_not_count_and_values_do() {
        for (a, b) in [
            ("1", "1.0"),
            ("1.50", "15e-1"),
            ("100", "1e+2"),
            ("-0", "0.0e5"),
            ("0.001", "1E-3"),
            (r#""é\/""#, r#""\u00e9/""#),
            (r#"{"a":1,"b":[2]}"#, r#"{"b":[2.0],"\u0061":1}"#),
            ("[]", "[]"),
        ] {
            assert!(equal(a, b), "{a} {b}");
        }
        for (a, b) in [
            ("1", "-1"),
            ("1", "10"),
            ("12345678901234567890", "12345678901234567891"),
            ("0.1", "0.10000000000000000001"),
            ("\"1\"", "1"),
            ("null", "\"null\""),
            ("[1,2]", "[2,1]"),
            ("[[1],2]", "[[1,2]]"),
            ("{}", "[]"),
            (r#"{"a":1}"#, r#"{"a":1,"b":2}"#),
        ] {
            assert!(!equal(a, b), "{a} {b}");
        }
    }
}

//! The query string, taken apart once; what nobody takes is unknown, and refused.

use std::str::FromStr;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use shared::{payload_query::PayloadQuery, timestamp::Timestamp};

use crate::respond::Problem;

/// Parameters in one request.
const MOST_PARAMETERS: usize = 200;
/// The longest value, in bytes.
const LONGEST_VALUE: usize = 2048;
/// The longest cursor: it may hold the key of an aggregate, 2,000 bytes, in base64.
const LONGEST_CURSOR: usize = 3072;

/// The parameters of one request, until they are taken.
#[derive(Debug, Default)]
pub struct Parameters {
    pairs: Vec<(String, String)>,
    known: Vec<&'static str>,
}

impl Parameters {
    /// Takes the query string apart (percent-encoding, `+` = space).
    pub fn read(query: Option<&str>) -> Result<Self, Problem> {
        let mut pairs = Vec::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            if pairs.len() == MOST_PARAMETERS {
                return Err(Problem::request(format!(
                    "more than {MOST_PARAMETERS} parameters: ask in several requests"
                )));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name).ok_or_else(|| Problem::request("a parameter's name is not UTF-8"))?;
            let value = decode(value).ok_or_else(|| {
                Problem::parameter(
                    &name,
                    "is not UTF-8, or holds U+0000: percent-encode the value's UTF-8 bytes",
                )
            })?;
            let longest = longest(&name);
            if value.len() > longest {
                return Err(Problem::parameter(&name, &format!("is longer than {longest} bytes")));
            }
            pairs.push((name, value));
        }
        Ok(Self { pairs, known: Vec::new() })
    }

    /// Takes the members of a JSON object as parameters: a string, or an array of them where one may be repeated.
    pub fn of_json(object: &Map<String, Value>) -> Result<Self, Problem> {
        let mut pairs = Vec::new();
        for (name, value) in object {
            let values = match value {
                Value::Array(values) => values.as_slice(),
                one => std::slice::from_ref(one),
            };
            for value in values {
                let Value::String(text) = value else {
                    return Err(Problem::parameter(name, "is not a string, or an array of strings"));
                };
                let longest = longest(name);
                if text.len() > longest || text.contains('\0') {
                    return Err(Problem::parameter(
                        name,
                        &format!("is longer than {longest} bytes, or holds U+0000"),
                    ));
                }
                if pairs.len() == MOST_PARAMETERS {
                    return Err(Problem::request(format!(
                        "more than {MOST_PARAMETERS} filters: use several jobs"
                    )));
                }
                pairs.push((name.clone(), text.clone()));
            }
        }
        Ok(Self { pairs, known: Vec::new() })
    }

    /// Every value of a parameter that may be repeated; empty ones are refused.
    pub fn many(&mut self, name: &'static str) -> Result<Vec<String>, Problem> {
        let values = self.take(name);
        if values.iter().any(String::is_empty) {
            return Err(Problem::parameter(name, "is empty: give a value, or leave the parameter out"));
        }
        Ok(values)
    }

    /// The same, where the empty value means something.
    pub fn many_or_empty(&mut self, name: &'static str) -> Vec<String> {
        self.take(name)
    }

    /// The value of a parameter that must not be repeated.
    pub fn one(&mut self, name: &'static str) -> Result<Option<String>, Problem> {
        let mut values = self.many(name)?;
        if values.len() > 1 {
            return Err(Problem::parameter(name, "is given more than once: give it once"));
        }
        Ok(values.pop())
    }

    /// A moment.
    pub fn time(&mut self, name: &'static str) -> Result<Option<Timestamp>, Problem> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        Timestamp::parse(&text).map(Some).map_err(|_| {
            let remedy =
                "is not an RFC 3339 time such as 2025-11-20T12:00:00Z (a + in it must be sent as %2B)";
            Problem::parameter(name, remedy)
        })
    }

    /// A moment, and one not before it, of a half-open range.
    pub fn range(
        &mut self,
        from: &'static str,
        to: &'static str,
    ) -> Result<(Option<Timestamp>, Option<Timestamp>), Problem> {
        let (start, end) = (self.time(from)?, self.time(to)?);
        match (start, end) {
            (Some(start), Some(end)) if start > end => {
                Err(Problem::parameter(to, &format!("is before {from}: swap the two")))
            }
            range => Ok(range),
        }
    }

    /// A whole number within bounds.
    pub fn number<N>(&mut self, name: &'static str, least: N, most: N) -> Result<Option<N>, Problem>
    where
        N: FromStr + PartialOrd + std::fmt::Display + Copy,
    {
        let Some(text) = self.one(name)? else { return Ok(None) };
        match text.parse::<N>() {
            // `parse` takes a leading plus, which no documented number has.
            Ok(number) if (least..=most).contains(&number) && !text.starts_with('+') => Ok(Some(number)),
            _ => Err(Problem::parameter(name, &format!("is not a whole number from {least} to {most}"))),
        }
    }

    /// One of a few words.
    pub fn word<T: Copy>(&mut self, name: &'static str, words: &[(&str, T)]) -> Result<Option<T>, Problem> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(Some(*meaning));
        }
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        Err(Problem::parameter(name, &format!("is not one of: {}", words.join(", "))))
    }

    /// Refuses what nobody has taken: a misspelt filter must not widen an answer.
    pub fn finish(self) -> Result<(), Problem> {
        match self.pairs.first() {
            None => Ok(()),
            Some((name, _)) => {
                let known = if self.known.is_empty() { "none".to_owned() } else { self.known.join(", ") };
                Err(Problem::parameter(name, &format!("is not a parameter of this request; known: {known}")))
            }
        }
    }

    fn take(&mut self, name: &'static str) -> Vec<String> {
        self.known.push(name);
        let (taken, rest) = std::mem::take(&mut self.pairs).into_iter().partition(|(given, _)| given == name);
        self.pairs = rest;
        Vec::into_iter(taken).map(|(_, value)| value).collect()
    }
}

/// The most bytes that a value of this parameter may have.
fn longest(name: &str) -> usize {
    match name {
        "cursor" => LONGEST_CURSOR,
        "payload" => PayloadQuery::MAX_BYTES,
        _ => LONGEST_VALUE,
    }
}

/// The text behind percent-encoding and `+`; PostgreSQL's texts cannot hold U+0000.
fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().ok()?;
    (!decoded.contains('\0')).then(|| decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Parameters {
        Parameters::read(Some(query)).expect("readable")
    }

    #[test]
    fn values_are_decoded_and_kept_apart() {
        let mut parameters = read("userId=a%2Fb&userId=c+d&&limit=7&order=asc");
        assert_eq!(parameters.many("userId").expect("given"), ["a/b", "c d"]);
        assert_eq!(parameters.number("limit", 1, 1000).expect("a number"), Some(7));
        assert_eq!(parameters.word("order", &[("asc", 1), ("desc", 2)]).expect("a word"), Some(1));
        assert!(parameters.finish().is_ok());
    }

    #[test]
    fn what_nobody_takes_is_refused_by_name() {
        let mut parameters = read("usrId=a");
        assert!(parameters.many("userId").expect("none").is_empty());
        let problem = parameters.finish().expect_err("unknown");
        assert!(
            problem.detail().contains("usrId") && problem.detail().contains("userId"),
            "{}",
            problem.detail()
        );
    }

    #[test]
    fn members_of_an_object_are_parameters_too() {
        let of = |text: &str| Parameters::of_json(&serde_json::from_str(text).expect("an object"));
        let mut parameters = of(r#"{"userId":["a","b"],"limit":"7"}"#).expect("readable");
        assert_eq!(parameters.many("userId").expect("given"), ["a", "b"]);
        assert_eq!(parameters.number("limit", 1, 9).expect("a number"), Some(7));
        assert!(parameters.finish().is_ok());
        for bad in [r#"{"limit":7}"#, r#"{"userId":[["a"]]}"#, r#"{"userId":"\u0000"}"#] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn bad_values_are_refused() {
        assert!(Parameters::read(Some("a=%00")).is_err());
        assert!(Parameters::read(Some("a=%ff")).is_err());
        assert!(Parameters::read(Some(&format!("a={}", "x".repeat(LONGEST_VALUE + 1)))).is_err());
        assert!(Parameters::read(Some(&"a=1&".repeat(MOST_PARAMETERS + 1))).is_err());
        for limit in ["0", "1001", "-1", "+5", "5.0", "", "x", "99999999999999999999"] {
            assert!(read(&format!("limit={limit}")).number("limit", 1, 1000).is_err(), "{limit}");
        }
        assert!(read("limit=1&limit=2").number("limit", 1, 1000).is_err());
        assert!(read("from=yesterday").time("from").is_err());
        assert!(read("from=2025-01-02T00:00:00Z&to=2025-01-01T00:00:00Z").range("from", "to").is_err());
    }
}

//! Which representation the caller wants (RFC 9110, 12.5.1).

use axum::http::{HeaderMap, header::ACCEPT};

use crate::respond::Problem;

/// The representations of this API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// One document.
    Json,
    /// One JSON object a line.
    Ndjson,
    /// Server-sent events.
    EventStream,
    /// Comma-separated values (RFC 4180), with a header line.
    Csv,
    /// An Avro object container file of events.
    Avro,
}

impl Media {
    /// Its media type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::EventStream => "text/event-stream",
            Self::Csv => "text/csv",
            Self::Avro => "application/vnd.apache.avro",
        }
    }

    /// What answers of it say that they are.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            other => other.name(),
        }
    }
}

/// The offered representation that the caller likes best; the first when nothing is said, or on a tie.
pub fn negotiate(headers: &HeaderMap, offered: &[Media]) -> Result<Media, Problem> {
    let ranges: Vec<_> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(Range::parse)
        .collect();
    if !headers.contains_key(ACCEPT) {
        return Ok(offered[0]);
    }
    let mut best: Option<(Media, f32)> = None;
    for &media in offered {
        let quality = quality(&ranges, media.name());
        if quality > 0.0 && best.is_none_or(|(_, so_far)| quality > so_far) {
            best = Some((media, quality));
        }
    }
    best.map(|(media, _)| media).ok_or_else(|| {
        let names: Vec<_> = offered.iter().map(|media| media.name()).collect();
        Problem::not_acceptable(format!("this request can be answered as: {}", names.join(", ")))
    })
}

/// The quality that the most specific range gives a media type.
fn quality(ranges: &[Range<'_>], name: &str) -> f32 {
    ranges
        .iter()
        .filter_map(|range| Some((range.specificity(name)?, range.quality)))
        .max_by_key(|(specificity, _)| *specificity)
        .map_or(0.0, |(_, quality)| quality)
}

struct Range<'a> {
    name: &'a str,
    quality: f32,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().filter(|name| name.contains('/'))?;
        let quality = parts
            .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
            .map_or(Some(1.0), |quality| quality.parse().ok())?;
        (0.0..=1.0).contains(&quality).then_some(Self { name, quality })
    }

    fn specificity(&self, name: &str) -> Option<u8> {
        if self.name.eq_ignore_ascii_case(name) {
            return Some(2);
        }
        if self.name == "*/*" {
            return Some(0);
        }
        let kind = self.name.strip_suffix("/*")?;
        name.split_once('/').is_some_and(|(own, _)| own.eq_ignore_ascii_case(kind)).then_some(1)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const BOTH: [Media; 2] = [Media::Json, Media::Ndjson];

    fn choose(accept: &str) -> Option<Media> {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT, HeaderValue::from_str(accept).expect("a header"));
        negotiate(&headers, &BOTH).ok()
    }

    #[test]
    fn the_best_liked_offer_is_taken() {
        assert_eq!(negotiate(&HeaderMap::new(), &BOTH).ok(), Some(Media::Json));
        for (accept, chosen) in [
            ("*/*", Some(Media::Json)),
            ("application/*", Some(Media::Json)),
            ("application/x-ndjson", Some(Media::Ndjson)),
            ("Application/X-NDJSON", Some(Media::Ndjson)),
            ("application/json;q=0.5, application/x-ndjson", Some(Media::Ndjson)),
            ("application/json;q=0, */*", Some(Media::Ndjson)),
            ("text/html, */*;q=0.1", Some(Media::Json)),
            ("text/csv", None),
            ("application/json;q=0", None),
            ("nonsense", None),
        ] {
            assert_eq!(choose(accept), chosen, "{accept}");
        }
    }
}

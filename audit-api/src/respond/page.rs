//! One page as JSON, written straight from the rows' bytes.

use axum::{
    body::Body,
    http::{HeaderValue, Response, header},
};
use store::{EventRow, Integrity, projections::AsOf};

/// What a page says besides its data.
#[derive(Debug, Default)]
pub struct PageInfo {
    /// The limit that held.
    pub limit: u32,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
    /// How many there are, when the caller asked.
    pub total: Option<u64>,
    /// The aggregate's integrity, on the first page of a history.
    pub integrity: Option<Integrity>,
    /// The moment that an answer from a projection shows.
    pub as_of: Option<AsOf>,
}

/// How many rows an answer holds: for the log line of the request.
#[derive(Debug, Clone, Copy)]
pub struct Rows(pub u64);

/// A page of events.
pub fn of_events(rows: &[EventRow], info: &PageInfo, request: &axum::http::Uri) -> Response<Body> {
    let mut items = Vec::with_capacity(rows.iter().map(EventRow::size).sum::<usize>() + 64 * rows.len());
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            items.push(b',');
        }
        row.view().write_json(&mut items);
    }
    of_json(&items, rows.len(), info, request)
}

/// A page of items that are JSON already, separated by commas.
pub fn of_json(items: &[u8], count: usize, info: &PageInfo, request: &axum::http::Uri) -> Response<Body> {
    let mut body = Vec::with_capacity(items.len() + 256);
    body.extend_from_slice(b"{\"data\":[");
    body.extend_from_slice(items);
    body.extend_from_slice(b"],\"page\":");
    body.extend_from_slice(page_json(info).to_string().as_bytes());
    if let Some(integrity) = &info.integrity {
        let integrity = serde_json::json!({ "gaps": integrity.gaps, "forks": integrity.forks });
        body.extend_from_slice(b",\"integrity\":");
        body.extend_from_slice(integrity.to_string().as_bytes());
    }
    if let Some(as_of) = &info.as_of {
        body.extend_from_slice(b",\"asOf\":");
        body.extend_from_slice(as_of_json(as_of).to_string().as_bytes());
    }
    body.push(b'}');
    let mut response = super::data("application/json", body);
    if let Some(link) = info.next_cursor.as_deref().and_then(|cursor| next_link(request, cursor)) {
        response.headers_mut().insert(header::LINK, link);
    }
    response.extensions_mut().insert(Rows(count as u64));
    response
}

fn page_json(info: &PageInfo) -> serde_json::Value {
    let mut page = serde_json::json!({ "limit": info.limit, "nextCursor": info.next_cursor });
    if let Some(total) = info.total {
        page["total"] = total.into();
    }
    page
}

/// Up to which append an answer holds everything, and nothing beyond.
pub fn as_of_json(as_of: &AsOf) -> serde_json::Value {
    serde_json::json!({
        "append": as_of.append,
        "recordedAt": as_of.recorded_at.map(|time| time.to_string()),
        "behind": as_of.behind,
        "ageSeconds": as_of.age.as_secs_f64(),
    })
}

/// `Link: <…>; rel="next"` (RFC 8288): the same request with the next cursor, relative to the server.
fn next_link(request: &axum::http::Uri, cursor: &str) -> Option<HeaderValue> {
    let kept = request
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty() && pair.split('=').next() != Some("cursor"));
    let cursor = format!("cursor={cursor}");
    let query: Vec<&str> = kept.chain([cursor.as_str()]).collect();
    HeaderValue::try_from(format!("<{}?{}>; rel=\"next\"", request.path(), query.join("&"))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_link_repeats_the_request() {
        let request = "/v1/events?cursor=old&userId=a%2Fb&limit=2".parse().expect("an address");
        let link = next_link(&request, "new").expect("a header");
        assert_eq!(link, "</v1/events?userId=a%2Fb&limit=2&cursor=new>; rel=\"next\"");
    }

    #[test]
    fn a_page_says_what_follows() {
        let uri = "/v1/events".parse().expect("an address");
        let info = PageInfo { limit: 3, total: Some(7), ..PageInfo::default() };
        let response = of_json(b"1,2", 2, &info, &uri);
        assert!(!response.headers().contains_key(header::LINK));
        assert_eq!(page_json(&info).to_string(), r#"{"limit":3,"nextCursor":null,"total":7}"#);
    }
}

//! `Prefer: wait=N` (RFC 7240): the caller waits until its events are stored.

use std::time::Duration;

use axum::http::HeaderMap;

use crate::respond::Problem;

/// The longest wait, in seconds; whoever asks for more gets this much.
const LONGEST: u64 = 10;

/// How long the caller would wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    seconds: u64,
}

impl Wait {
    /// From the header; `None` when nothing is said of waiting. Other preferences are not ours, and left alone.
    pub fn read(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let preferences = headers
            .get_all("prefer")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split([',', ';']));
        for preference in preferences {
            let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
            if name.trim().eq_ignore_ascii_case("wait") {
                let digits = value.trim().trim_matches('"');
                let seconds = digits.parse().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()));
                let seconds: u64 = seconds.ok_or_else(|| {
                    Problem::header("Prefer", "has a wait that is no number of seconds: send wait=10")
                })?;
                return Ok(Some(Self { seconds: seconds.min(LONGEST) }));
            }
        }
        Ok(None)
    }

    /// The time.
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// What `Preference-Applied` says.
    pub fn applied(self) -> String {
        format!("wait={}", self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(value: &str) -> Result<Option<u64>, Problem> {
        let mut headers = HeaderMap::new();
        headers.append("prefer", HeaderValue::from_str(value).expect("a header"));
        Wait::read(&headers).map(|wait| wait.map(|wait| wait.seconds))
    }

    #[test]
    fn a_wait_is_taken_up_to_ten_seconds() {
        for (value, seconds) in [
            ("wait=5", Some(5)),
            ("respond-async, wait=0", Some(0)),
            ("Wait = \"7\"", Some(7)),
            ("return=minimal; x=y, WAIT=600", Some(10)),
            ("respond-async", None),
            ("", None),
        ] {
            assert_eq!(read(value), Ok(seconds), "{value}");
        }
        for bad in ["wait", "wait=", "wait=soon", "wait=-1", "wait=+1", "wait=99999999999999999999"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}

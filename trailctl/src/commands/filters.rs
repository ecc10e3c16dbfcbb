//! The filters that lists, replays and tails share; the same names as the API's.

use shared::timestamp::Timestamp;

/// Which events. A filter given several times means "or", different filters mean "and".
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Filters (repeatable ones: or; different ones: and)")]
pub struct Filters {
    /// Event time, inclusive (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Option<Timestamp>,
    /// Event time, exclusive
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub to: Option<Timestamp>,
    /// Time of recording, inclusive
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub recorded_from: Option<Timestamp>,
    /// Time of recording, exclusive
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub recorded_to: Option<Timestamp>,
    /// Event type; * stands for any run of characters
    #[arg(long, value_name = "TYPE")]
    pub event_type: Vec<String>,
    /// Aggregate type; * stands for any run of characters
    #[arg(long, value_name = "TYPE")]
    pub aggregate_type: Vec<String>,
    /// Aggregate id
    #[arg(long, value_name = "ID")]
    pub aggregate_id: Vec<String>,
    /// User
    #[arg(long, alias = "user", value_name = "ID")]
    pub user_id: Vec<String>,
    /// Organisation
    #[arg(long, alias = "org", value_name = "ID")]
    pub organization_id: Vec<String>,
    /// Source
    #[arg(long, value_name = "NAME")]
    pub source: Vec<String>,
    /// Action
    #[arg(long, value_name = "NAME")]
    pub action: Vec<String>,
    /// Correlation
    #[arg(long, alias = "correlation", value_name = "ID")]
    pub correlation_id: Vec<String>,
    /// Causation
    #[arg(long, alias = "causation", value_name = "ID")]
    pub causation_id: Vec<String>,
    /// What the payload contains: a JSON object whose members and elements must all be there
    #[arg(long, value_name = "JSON")]
    pub payload: Option<String>,
}

/// Reads a time argument.
pub fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).map_err(|error| format!("{error} (as in 2026-01-31T12:00:00Z)"))
}

impl Filters {
    /// The API's query parameters.
    pub fn query(&self) -> Vec<(&'static str, String)> {
        let times = [
            ("from", self.from),
            ("to", self.to),
            ("recordedFrom", self.recorded_from),
            ("recordedTo", self.recorded_to),
        ];
        let lists = [
            ("eventType", &self.event_type),
            ("aggregateType", &self.aggregate_type),
            ("aggregateId", &self.aggregate_id),
            ("userId", &self.user_id),
            ("organizationId", &self.organization_id),
            ("source", &self.source),
            ("action", &self.action),
            ("correlationId", &self.correlation_id),
            ("causationId", &self.causation_id),
        ];
        let times = times.into_iter().filter_map(|(name, time)| Some((name, time?.to_string())));
        let lists = lists
            .into_iter()
            .flat_map(|(name, values)| values.iter().map(move |value| (name, value.clone())));
        times.chain(lists).chain(self.payload.iter().map(|json| ("payload", json.clone()))).collect()
    }

    /// The arguments that make these filters again, for a command that resumes.
    pub fn arguments(&self) -> String {
        let mut text = String::new();
        for (name, value) in self.query() {
            text.push_str(" --");
            for c in name.chars() {
                if c.is_ascii_uppercase() {
                    text.push('-');
                }
                text.push(c.to_ascii_lowercase());
            }
            text.push(' ');
            text.push_str(&quoted(&value));
        }
        text
    }
}

/// A value as one word of a shell.
pub fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@%+=,".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_become_the_query_and_come_back_as_arguments() {
        let filters = Filters {
            from: Some(time("2026-01-01T00:00:00+01:00").expect("a time")),
            event_type: vec!["a.*".to_owned(), "b".to_owned()],
            user_id: vec!["o'neil".to_owned()],
            payload: Some("{\"a\":1}".to_owned()),
            ..Filters::default()
        };
        assert_eq!(
            filters.query(),
            [
                ("from", "2025-12-31T23:00:00.000000Z".to_owned()),
                ("eventType", "a.*".to_owned()),
                ("eventType", "b".to_owned()),
                ("userId", "o'neil".to_owned()),
                ("payload", "{\"a\":1}".to_owned()),
            ]
        );
        assert_eq!(
            filters.arguments(),
            r#" --from 2025-12-31T23:00:00.000000Z --event-type 'a.*' --event-type b --user-id 'o'\''neil' --payload '{"a":1}'"#
        );
    }
}

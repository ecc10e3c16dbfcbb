//! Retention classes: how long which events are kept (semantics.md 11).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

use crate::filter::Pattern;

/// The class of every event that no rule assigns to another.
pub const STANDARD: &str = "standard";

/// How long a class keeps its events after they were recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Keep {
    /// For ever.
    Forever,
    /// So many days.
    Days(u32),
    /// So many calendar months.
    Months(u32),
    /// So many calendar years.
    Years(u32),
}

/// The text is not a time to keep events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a retention: write \"forever\", or a number from 1 to 9999 with days, months or years, such as \"7 years\""
)]
pub struct InvalidKeep;

impl Keep {
    /// The period as PostgreSQL reads an interval, such as `7 years`; `None` = for ever.
    pub fn interval(self) -> Option<String> {
        (self != Self::Forever).then(|| self.to_string())
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forever => f.write_str("forever"),
            Self::Days(number) => write!(f, "{number} days"),
            Self::Months(number) => write!(f, "{number} months"),
            Self::Years(number) => write!(f, "{number} years"),
        }
    }
}

impl FromStr for Keep {
    type Err = InvalidKeep;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text == "forever" {
            return Ok(Self::Forever);
        }
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number = number.parse().ok().filter(|number| (1..=9999).contains(number)).ok_or(InvalidKeep)?;
        match unit.trim_start() {
            "day" | "days" | "d" => Ok(Self::Days(number)),
            "month" | "months" => Ok(Self::Months(number)),
            "year" | "years" | "y" => Ok(Self::Years(number)),
            _ => Err(InvalidKeep),
        }
    }
}

impl<'de> Deserialize<'de> for Keep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A class of events that are dropped together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionClass {
    /// How long after recording.
    pub keep: Keep,
}

/// Assigns events to a class; the first rule that matches decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionRule {
    /// Event types, `*` allowed; `None` = every one.
    pub event_type: Option<Pattern>,
    /// Topics, `*` allowed; `None` = every one.
    pub topic: Option<Pattern>,
    /// The class.
    pub class: String,
}

/// The classes, and which events belong to which; checked, so every rule's class exists.
///
/// Read from configuration: `classes.<name>.keep = "7 years"` and `rules = [{event_type, topic, class}]`. The class
/// [`STANDARD`] is always there, with seven years unless it is given.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Given")]
pub struct RetentionRules {
    classes: BTreeMap<String, RetentionClass>,
    rules: Vec<RetentionRule>,
}

/// The rules contradict themselves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRetention {
    /// Class names become names of partitions.
    #[error("retention class {0:?}: a name has 1 to 24 of a-z, 0-9 and _, and begins with a letter")]
    ClassName(String),
    /// A rule names a class that is not there.
    #[error("retention rule {index}: there is no class {class:?}")]
    UnknownClass {
        /// The rule, from 0.
        index: usize,
        /// What it names.
        class: String,
    },
}

impl RetentionRules {
    /// Checks classes and rules.
    pub fn new(
        mut classes: BTreeMap<String, RetentionClass>,
        rules: Vec<RetentionRule>,
    ) -> Result<Self, InvalidRetention> {
        classes.entry(STANDARD.to_owned()).or_insert(RetentionClass { keep: Keep::Years(7) });
        if let Some(name) = classes.keys().find(|name| !valid_class_name(name)) {
            return Err(InvalidRetention::ClassName(name.clone()));
        }
        if let Some((index, rule)) =
            rules.iter().enumerate().find(|(_, rule)| !classes.contains_key(&rule.class))
        {
            return Err(InvalidRetention::UnknownClass { index, class: rule.class.clone() });
        }
        Ok(Self { classes, rules })
    }

    /// The classes, by name.
    pub fn classes(&self) -> &BTreeMap<String, RetentionClass> {
        &self.classes
    }

    /// The rules, the first that matches first.
    pub fn rules(&self) -> &[RetentionRule] {
        &self.rules
    }

    /// The class of an event, in which it stays for ever.
    pub fn assign(&self, event_type: &str, topic: &str) -> &str {
        let fits =
            |pattern: &Option<Pattern>, value| pattern.as_ref().is_none_or(|pattern| pattern.matches(value));
        self.rules
            .iter()
            .find(|rule| fits(&rule.event_type, event_type) && fits(&rule.topic, topic))
            .map_or(STANDARD, |rule| &rule.class)
    }
}

impl Default for RetentionRules {
    fn default() -> Self {
        Self::new(BTreeMap::new(), Vec::new()).expect("the standard class alone breaks no rule")
    }
}

fn valid_class_name(name: &str) -> bool {
    name.len() <= 24
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// The configuration's form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    #[serde(default)]
    classes: BTreeMap<String, RetentionClass>,
    #[serde(default)]
    rules: Vec<GivenRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenRule {
    event_type: Option<String>,
    topic: Option<String>,
    class: String,
}

impl TryFrom<Given> for RetentionRules {
    type Error = InvalidRetention;

    fn try_from(given: Given) -> Result<Self, Self::Error> {
        let pattern = |text: Option<String>| text.map(|text| Pattern::parse(&text));
        let rules = given
            .rules
            .into_iter()
            .map(|rule| RetentionRule {
                event_type: pattern(rule.event_type),
                topic: pattern(rule.topic),
                class: rule.class,
            })
            .collect();
        Self::new(given.classes, rules)
    }
}

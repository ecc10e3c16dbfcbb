//! What `trailctl doctor` looks at: each check says what it found and, when it is not well, what to do.

pub mod certificates;
pub mod cluster;
pub mod database;
pub mod positions;
pub mod server;
pub mod upkeep;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Ok,
    /// It could not be looked at, or not from here; the detail says why.
    Skip,
    /// Works, and may not always.
    Warn,
    /// Does not work, or breaks a promise.
    Fail,
}

impl Level {
    /// The word in the output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skip => "skip",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// How it went.
    pub level: Level,
    /// What was found.
    pub detail: String,
    /// What to do; `""` when all is well.
    pub remedy: String,
}

impl Check {
    /// All is well.
    pub fn ok(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { name: name.into(), level: Level::Ok, detail: detail.into(), remedy: String::new() }
    }

    /// Not looked at, for the reason in `detail`; never taken for good.
    pub fn skip(name: impl Into<String>, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name: name.into(), level: Level::Skip, detail: detail.into(), remedy: remedy.into() }
    }

    /// Works, and may not always.
    pub fn warn(name: impl Into<String>, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name: name.into(), level: Level::Warn, detail: detail.into(), remedy: remedy.into() }
    }

    /// Does not work, or breaks a promise.
    pub fn fail(name: impl Into<String>, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name: name.into(), level: Level::Fail, detail: detail.into(), remedy: remedy.into() }
    }
}

//! The closed lists of words that the older vocabularies are normalised to, and how each document spells them.

use super::fold;

/// What was done (B03, E03): the value of `metadata.action` where the message's own word is one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Something was made.
    Create,
    /// Something was read or taken out.
    Read,
    /// Something was changed.
    Update,
    /// Something was removed.
    Delete,
    /// Somebody came in, or tried to.
    Login,
    /// Somebody left.
    Logout,
    /// Somebody was kept out.
    AccessDenied,
}

impl Action {
    /// Every action, in the order of the documentation.
    pub const ALL: [Self; 7] =
        [Self::Create, Self::Read, Self::Update, Self::Delete, Self::Login, Self::Logout, Self::AccessDenied];

    /// The word in metadata, and in document 001.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Read => "READ",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Login => "LOGIN",
            Self::Logout => "LOGOUT",
            Self::AccessDenied => "ACCESS_DENIED",
        }
    }

    /// The word that document 004 uses as `EventType`; its list has all of these but `Read`.
    pub fn in_004(self) -> &'static str {
        match self {
            Self::Create => "Create",
            Self::Read => "Read",
            Self::Update => "Update",
            Self::Delete => "Delete",
            Self::Login => "Login",
            Self::Logout => "Logout",
            Self::AccessDenied => "AccessDenied",
        }
    }

    /// The action of this word, in any spelling of the documents (`UPDATE`, `Update`, `update`).
    pub fn parse(word: &str) -> Option<Self> {
        let folded = fold(word);
        Self::ALL.into_iter().find(|action| fold(action.as_str()) == folded)
    }

    /// The action of an HTTP method (E32).
    pub(super) fn of_method(method: &str) -> Option<Self> {
        Some(match method {
            "GET" | "HEAD" | "OPTIONS" => Self::Read,
            "POST" => Self::Create,
            "PUT" | "PATCH" => Self::Update,
            "DELETE" => Self::Delete,
            _ => return None,
        })
    }
}

/// What an event is about: the value of `metadata.category`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Category {
    /// The life of user accounts (B19).
    User,
    /// Logins, tokens, passwords (B20).
    Authentication,
    /// Permissions and roles (B21).
    Authorization,
    /// What somebody responsible for security must see (B22, E10).
    Security,
    /// Who read whose data (E14).
    DataAccess,
    /// Records made, changed, removed (E03, E53).
    DataChange,
    /// Steps of the business (E53).
    Business,
    /// What an analysis found (C03).
    Analysis,
}

impl Category {
    /// Every category, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::User,
        Self::Authentication,
        Self::Authorization,
        Self::Security,
        Self::DataAccess,
        Self::DataChange,
        Self::Business,
        Self::Analysis,
    ];

    /// The word in metadata.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Authentication => "authentication",
            Self::Authorization => "authorization",
            Self::Security => "security",
            Self::DataAccess => "data-access",
            Self::DataChange => "data-change",
            Self::Business => "business",
            Self::Analysis => "analysis",
        }
    }

    /// The category of exactly this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.as_str() == word)
    }
}

/// How it ended (B05, E08): the value of `metadata.outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was tried.
    Failure,
}

impl Outcome {
    /// The word in metadata, and in document 001 (`status`).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }

    /// The outcome of this word, in any case.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Success, Self::Failure].into_iter().find(|outcome| word.eq_ignore_ascii_case(outcome.as_str()))
    }
}

/// How grave a security event is, on the scale of four of document 001 (B07): the value of `metadata.severity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Worth keeping.
    Low,
    /// Worth a look.
    Medium,
    /// Worth somebody's time today.
    High,
    /// Somebody must act now.
    Critical,
}

impl Severity {
    /// Every severity, the least first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The word in metadata, and in document 001.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The level of document 004 that holds it: `Info` is low, `Warning` is medium and high (F02).
    pub fn level(self) -> Level {
        match self {
            Self::Low => Level::Info,
            Self::Medium | Self::High => Level::Warning,
            Self::Critical => Level::Critical,
        }
    }

    /// The severity of a word of either scale, in any case; a level is read as the least severity it holds.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|severity| word.eq_ignore_ascii_case(severity.as_str()))
            .or_else(|| Level::parse(word).map(|level| level.severities()[0]))
    }
}

/// How grave a security event is, on the scale of three of document 004 (E10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// Worth keeping.
    Info,
    /// Worth a look.
    Warning,
    /// Somebody must act.
    Critical,
}

impl Level {
    /// Every level, the least first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// The word in document 004.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "Info",
            Self::Warning => "Warning",
            Self::Critical => "Critical",
        }
    }

    /// The severities of document 001 that it holds, the least first.
    pub fn severities(self) -> &'static [Severity] {
        match self {
            Self::Info => &[Severity::Low],
            Self::Warning => &[Severity::Medium, Severity::High],
            Self::Critical => &[Severity::Critical],
        }
    }

    /// The level of this word, in any case.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| word.eq_ignore_ascii_case(level.as_str()))
    }
}

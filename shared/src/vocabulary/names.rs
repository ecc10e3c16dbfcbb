//! The one table: every event name of the older services, and what it means.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::fold;
use super::words::{Action, Category, Outcome, Severity};

/// A name of the documents, and what it is normalised to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// As its document writes it; a leading `*` stands for any beginning.
    pub name: &'static str,
    /// The requirements that name it.
    pub requirements: &'static str,
    /// `metadata.category`.
    pub category: Category,
    /// `metadata.action`, unless the message says one.
    pub action: Option<Action>,
    /// `metadata.outcome`, unless the message says one.
    pub outcome: Option<Outcome>,
    /// `metadata.severity`, unless the message says one; `None`: a security event only when the message is graded.
    pub severity: Option<Severity>,
}

const fn name(name: &'static str, requirements: &'static str, category: Category) -> Name {
    Name { name, requirements, category, action: None, outcome: Some(Outcome::Success), severity: None }
}

impl Name {
    const fn does(mut self, action: Action) -> Self {
        self.action = Some(action);
        self
    }

    const fn fails(mut self) -> Self {
        self.outcome = Some(Outcome::Failure);
        self
    }

    /// A finding is neither a success nor a failure.
    const fn finds(mut self, severity: Severity) -> Self {
        self.outcome = None;
        self.severity = Some(severity);
        self
    }

    const fn graded(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }
}

use Action::{AccessDenied, Create, Delete, Login, Logout, Read, Update};
use Category::{Analysis, Authentication, Authorization, Business, DataAccess, DataChange, Security, User};
use Severity::{Critical, High, Low, Medium};

/// The table. Where two names are the same but for their spelling, another spelling yet is read as the first.
pub static NAMES: &[Name] = &[
    name("USER_CREATED", "B15 B19", User).does(Create),
    name("USER_UPDATED", "B16 B19", User).does(Update),
    name("USER_DELETED", "B19", User).does(Delete),
    name("USER_ACTIVATED", "B19", User).does(Update),
    name("USER_DEACTIVATED", "B19", User).does(Update),
    name("USER_DELETE", "B23", User).does(Delete),
    name("USER_LOGIN", "B23", Authentication).does(Login),
    name("LOGIN_SUCCESS", "B17 B20", Authentication).does(Login),
    name("LOGIN_FAILED", "B07 B20", Authentication).does(Login).fails().graded(Medium),
    name("LOGOUT", "B20", Authentication).does(Logout),
    name("TOKEN_CREATED", "B20", Authentication).does(Create),
    name("TOKEN_REVOKED", "B07 B20", Authentication).does(Delete).graded(Low),
    name("PASSWORD_CHANGED", "B20", Authentication).does(Update),
    name("PERMISSION_GRANTED", "B21", Authorization).does(Update),
    name("PERMISSION_ASSIGNED", "B18 B23", Authorization).does(Update),
    name("PERMISSION_DENIED", "B07 B21", Authorization).does(AccessDenied).fails().graded(Medium),
    name("PERMISSION_REVOKED", "B21", Authorization).does(Update),
    name("ROLE_ASSIGNED", "B21", Authorization).does(Update),
    name("ROLE_ASSIGN", "B23", Authorization).does(Update),
    name("ROLE_REVOKED", "B21", Authorization).does(Update),
    name("SUSPICIOUS_ACTIVITY", "B22", Security).finds(High),
    name("FAILED_AUTH_ATTEMPT", "B22", Security).does(Login).fails().graded(Medium),
    name("IP_CHANGE", "B22", Security).finds(Low),
    name("UNUSUAL_ACCESS_PATTERN", "B22", Security).finds(Medium),
    name("DATA_EXPORT", "B22", Security).does(Read).graded(Medium),
    name("BULK_OPERATION", "B22", Security).graded(Medium),
    name("SUSPICIOUS_LOGIN_ATTEMPTS", "B23 B27", Security).finds(High),
    name("SUSPICIOUS_BULK_OPERATION", "B23 B28", Security).finds(High),
    name("Create", "E03", DataChange).does(Create),
    name("Update", "E03", DataChange).does(Update),
    name("Delete", "E03", DataChange).does(Delete),
    name("Login", "E03", Authentication).does(Login),
    name("Logout", "E03", Authentication).does(Logout),
    name("AccessDenied", "E03", Authorization).does(AccessDenied).fails(),
    name("LoginSuccess", "E10", Authentication).does(Login),
    name("LoginFailed", "E10", Authentication).does(Login).fails().graded(Medium),
    name("PasswordReset", "E10", Authentication).does(Update).graded(Low),
    name("AccountLocked", "E10", Security).does(Update).graded(Medium),
    name("UnauthorizedAccess", "E10", Security).does(AccessDenied).fails().graded(High),
    name("SuspiciousActivity", "E10", Security).finds(High),
    name("DataBreach", "E10", Security).finds(Critical),
    name(super::DATA_ACCESS_TYPE, "E14 E15 E16 E17", DataAccess).does(Read),
    name(super::RESOLVED_TYPE, "E13 E26", Security).does(Update),
    name("User.Created", "E03", User).does(Create),
    name("User.LoggedIn", "E53", Authentication).does(Login),
    name("Vehicle.Updated", "E03", DataChange).does(Update),
    name("Vehicle.PriceChanged", "E18 E53", DataChange).does(Update),
    name("Vehicle.StatusChanged", "E43 E53", DataChange).does(Update),
    name("Vehicle.Sold", "E53", Business).does(Update),
    name("Payment.Processed", "E03 E53", Business).does(Create),
    name("Contract.Signed", "E53", Business).does(Update),
    name("alert-triggered", "C03 C05", Analysis),
    name("analysis-complete", "C03", Analysis),
    name("*.Created", "E53", DataChange).does(Create),
    name("*.Updated", "E53", DataChange).does(Update),
    name("*.Deleted", "E53", DataChange).does(Delete),
];

static EXACT: LazyLock<HashMap<&str, &Name>> =
    LazyLock::new(|| NAMES.iter().map(|row| (row.name, row)).collect());

static FOLDED: LazyLock<HashMap<String, &Name>> = LazyLock::new(|| {
    let mut rows = HashMap::new();
    for row in NAMES.iter().filter(|row| !row.name.starts_with('*')) {
        rows.entry(fold(row.name)).or_insert(row);
    }
    rows
});

/// The row of exactly this name.
pub fn exactly(name: &str) -> Option<&'static Name> {
    EXACT.get(name).copied()
}

/// The row of this name: as written, else in any spelling, else by its ending.
pub fn lookup(name: &str) -> Option<&'static Name> {
    exactly(name).or_else(|| {
        let folded = fold(name);
        spelled(&folded).or_else(|| ending(&folded))
    })
}

/// The row of a name in any spelling, folded.
pub(super) fn spelled(folded: &str) -> Option<&'static Name> {
    FOLDED.get(folded).copied()
}

fn ending(folded: &str) -> Option<&'static Name> {
    NAMES.iter().find(|row| {
        row.name.strip_prefix("*.").is_some_and(|ending| {
            let ending = ending.to_ascii_lowercase();
            folded.len() > ending.len() && folded.ends_with(&ending)
        })
    })
}

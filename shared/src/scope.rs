//! Whose events a request may see: a required argument of every statement (semantics.md 12).

/// The organisations that a caller may read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Every organisation, and events without one: `audit:admin`, `audit:auditor`.
    All,
    /// One organisation only.
    Organization(String),
}

impl Scope {
    /// The organisation, when the scope is limited to one.
    pub fn organization(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::Organization(id) => Some(id),
        }
    }

    /// Whether this scope may see events of that organisation.
    pub fn allows(&self, organization_id: &str) -> bool {
        self.organization().is_none_or(|own| own == organization_id)
    }
}

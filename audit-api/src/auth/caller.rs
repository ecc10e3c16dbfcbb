//! What a caller may do: the roles of semantics.md 12. Of several roles the most permissive counts.

use shared::{scope::Scope, timestamp::Timestamp};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The token's subject.
    pub subject: String,
    /// The organisation it belongs to.
    pub organization: Option<String>,
    /// Its roles.
    pub roles: Roles,
    /// When its token expires: streams end then.
    pub expires: Timestamp,
}

/// The roles that this product knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Roles {
    /// `audit:admin`: everything.
    pub admin: bool,
    /// `audit:auditor`: reads everything, writes nothing.
    pub auditor: bool,
    /// `audit:org-admin`: reads its own organisation.
    pub org_admin: bool,
    /// `audit:operator`: dead letters, the ledger and replays, without payloads.
    pub operator: bool,
    /// `audit:producer`: writes for its own organisation, reads nothing.
    pub producer: bool,
}

impl Roles {
    /// Takes the names that it knows; others belong to other products.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut roles = Self::default();
        for name in names {
            match name {
                "audit:admin" => roles.admin = true,
                "audit:auditor" => roles.auditor = true,
                "audit:org-admin" => roles.org_admin = true,
                "audit:operator" => roles.operator = true,
                "audit:producer" => roles.producer = true,
                _ => {}
            }
        }
        roles
    }

    /// Their names.
    pub fn names(self) -> Vec<&'static str> {
        let named = [
            ("audit:admin", self.admin),
            ("audit:auditor", self.auditor),
            ("audit:org-admin", self.org_admin),
            ("audit:operator", self.operator),
            ("audit:producer", self.producer),
        ];
        named.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect()
    }

    fn reads_all(self) -> bool {
        self.admin || self.auditor
    }
}

/// The caller is known and may not; answered 403.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// No role for this.
    #[error("none of your roles allows this: it needs {0}")]
    Role(&'static str),
    /// An organisation's administrator or producer whose token does not say which organisation.
    #[error("your token names no organisation: audit:org-admin and audit:producer need one")]
    NoOrganization,
    /// A filter that names an organisation that the caller does not belong to.
    #[error("organizationId names an organisation that is not yours: leave it out, or give your own")]
    OtherOrganization,
}

/// What a caller may know of ledger records and dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerAccess {
    /// Whether every record's fate is visible; else only stored and duplicate ones within `payloads`.
    pub all_records: bool,
    /// Whose payloads are visible; `None` = nobody's.
    pub payloads: Option<Scope>,
}

/// For whom a caller may write events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Writes {
    /// For every organisation, and none; events that name none get this one.
    Anywhere(Option<String>),
    /// For its own only.
    Own(String),
}

impl LedgerAccess {
    /// Whether the payload of an event of this organisation may be shown.
    pub fn shows_payload_of(&self, organization_id: &str) -> bool {
        self.payloads.as_ref().is_some_and(|scope| scope.allows(organization_id))
    }
}

impl Caller {
    /// Whose events this caller may read.
    pub fn events(&self) -> Result<Scope, Forbidden> {
        if self.roles.reads_all() {
            return Ok(Scope::All);
        }
        if self.roles.org_admin {
            let organization = self.organization.clone().ok_or(Forbidden::NoOrganization)?;
            return Ok(Scope::Organization(organization));
        }
        Err(Forbidden::Role("audit:admin, audit:auditor or audit:org-admin"))
    }

    /// For whom this caller may write events.
    pub fn writes(&self) -> Result<Writes, Forbidden> {
        if self.roles.admin {
            return Ok(Writes::Anywhere(self.organization.clone()));
        }
        if self.roles.producer {
            return self.organization.clone().map(Writes::Own).ok_or(Forbidden::NoOrganization);
        }
        Err(Forbidden::Role("audit:admin or audit:producer"))
    }

    /// Whose data this caller asks for, whatever it asks: its own organisation's, or, when its roles look across
    /// organisations, nobody's in particular (`""`). The records of its accesses belong there.
    pub fn accesses_belong_to(&self) -> &str {
        let looks_across = self.roles.reads_all() || self.roles.operator;
        self.organization.as_deref().filter(|_| !looks_across).unwrap_or_default()
    }

    /// Whether this caller may send dead letters again.
    pub fn redrives(&self) -> Result<(), Forbidden> {
        if self.roles.admin || self.roles.operator {
            return Ok(());
        }
        Err(Forbidden::Role("audit:admin or audit:operator"))
    }

    /// Whose events this caller may have sent to a topic. An operator need not see a payload for it.
    pub fn replays(&self) -> Result<Scope, Forbidden> {
        if self.roles.admin || self.roles.operator {
            return Ok(Scope::All);
        }
        if self.roles.org_admin {
            return self.organization.clone().map(Scope::Organization).ok_or(Forbidden::NoOrganization);
        }
        Err(Forbidden::Role("audit:admin, audit:operator or audit:org-admin"))
    }

    /// Whose jobs this caller may see.
    pub fn sees_replays(&self) -> Result<Scope, Forbidden> {
        if self.roles.operator {
            return Ok(Scope::All);
        }
        self.events().map_err(|forbidden| match forbidden {
            Forbidden::Role(_) => {
                Forbidden::Role("audit:admin, audit:auditor, audit:operator or audit:org-admin")
            }
            other => other,
        })
    }

    /// What this caller may know of single records.
    pub fn ledger(&self) -> Result<LedgerAccess, Forbidden> {
        match self.events() {
            Ok(Scope::All) => Ok(LedgerAccess { all_records: true, payloads: Some(Scope::All) }),
            Ok(own) => Ok(LedgerAccess { all_records: self.roles.operator, payloads: Some(own) }),
            Err(_) if self.roles.operator => Ok(LedgerAccess { all_records: true, payloads: None }),
            Err(Forbidden::Role(_)) => {
                Err(Forbidden::Role("audit:admin, audit:auditor, audit:operator or audit:org-admin"))
            }
            Err(other) => Err(other),
        }
    }

    /// Whether this caller may list dead letters, and see their bytes.
    pub fn dead_letters(&self) -> Result<LedgerAccess, Forbidden> {
        let access = self.ledger()?;
        if access.all_records {
            return Ok(access);
        }
        Err(Forbidden::Role("audit:admin, audit:auditor or audit:operator"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(roles: &[&str], organization: Option<&str>) -> Caller {
        Caller {
            subject: "u".to_owned(),
            organization: organization.map(str::to_owned),
            roles: Roles::of(roles.iter().copied()),
            expires: Timestamp::from_micros(0),
        }
    }

    #[test]
    fn the_most_permissive_role_counts() {
        let own = Scope::Organization("acme".to_owned());
        assert_eq!(caller(&["audit:org-admin"], Some("acme")).events(), Ok(own.clone()));
        assert_eq!(caller(&["audit:org-admin", "audit:auditor"], None).events(), Ok(Scope::All));
        assert_eq!(caller(&["audit:producer", "audit:admin"], None).events(), Ok(Scope::All));
        let both = caller(&["audit:org-admin", "audit:operator"], Some("acme")).ledger().expect("allowed");
        assert_eq!(both, LedgerAccess { all_records: true, payloads: Some(own) });
    }

    #[test]
    fn without_a_role_or_an_organisation_nothing_is_read() {
        for roles in [&[][..], &["audit:producer"], &["audit:operator"], &["admin"], &["audit:Admin"]] {
            assert!(matches!(caller(roles, Some("acme")).events(), Err(Forbidden::Role(_))), "{roles:?}");
        }
        assert_eq!(caller(&["audit:org-admin"], None).events(), Err(Forbidden::NoOrganization));
        assert!(caller(&["audit:producer"], Some("acme")).ledger().is_err());
        assert_eq!(caller(&["audit:org-admin"], None).ledger(), Err(Forbidden::NoOrganization));
    }

    #[test]
    fn producers_write_for_their_own_organisation_and_administrators_for_all() {
        let own = Ok(Writes::Own("acme".to_owned()));
        assert_eq!(caller(&["audit:producer"], Some("acme")).writes(), own);
        assert_eq!(caller(&["audit:producer", "audit:auditor"], Some("acme")).writes(), own);
        assert_eq!(caller(&["audit:producer"], None).writes(), Err(Forbidden::NoOrganization));
        assert_eq!(caller(&["audit:admin"], None).writes(), Ok(Writes::Anywhere(None)));
        for role in ["audit:auditor", "audit:org-admin", "audit:operator"] {
            assert!(matches!(caller(&[role], Some("acme")).writes(), Err(Forbidden::Role(_))), "{role}");
        }
    }

    #[test]
    fn operators_see_records_and_no_payloads() {
        let access = caller(&["audit:operator"], Some("acme")).dead_letters().expect("allowed");
        assert!(access.all_records && !access.shows_payload_of("acme"));
        assert!(caller(&["audit:org-admin"], Some("acme")).dead_letters().is_err());
    }
}

//! Who asks, and what semantics.md 12 lets him have.

use test_support::Token;

use crate::look_alikes::Organization;

use super::operations::Asks;

/// Whose data a caller gets at an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gets {
    /// 401: nobody knows him.
    Unknown,
    /// 403: none of his roles allows it.
    Forbidden,
    /// His own organisation's.
    Own,
    /// Everybody's.
    All,
}

/// One who wants the data of an organisation that is not his, or of every one.
pub(super) struct Caller {
    pub(super) name: &'static str,
    /// `None` = he sends none.
    pub(super) token: Option<Token>,
    roles: &'static [&'static str],
    is_known: bool,
    organization: Option<String>,
}

impl Caller {
    fn of(name: &'static str, roles: &'static [&'static str], organization: Option<&str>) -> Self {
        let token = Token::with_roles(roles);
        let token = Some(organization.map_or(token.clone(), |organization| token.claim("org", organization)));
        Self { name, token, roles, is_known: true, organization: organization.map(str::to_owned) }
    }

    fn unknown(name: &'static str, token: Option<Token>) -> Self {
        Self { name, token, roles: &[], is_known: false, organization: None }
    }

    /// Whose data he gets when he asks so.
    pub(super) fn gets(&self, asks: Asks) -> Gets {
        let has = |role: &str| self.roles.contains(&role);
        let any = |roles: &[&str]| roles.iter().any(|role| has(role));
        let reads = if any(&["audit:admin", "audit:auditor"]) {
            Gets::All
        } else if has("audit:org-admin") && self.organization.is_some() {
            Gets::Own
        } else {
            Gets::Forbidden
        };
        let writes = if has("audit:admin") {
            Gets::All
        } else if has("audit:producer") && self.organization.is_some() {
            Gets::Own
        } else {
            Gets::Forbidden
        };
        let operates = any(&["audit:admin", "audit:auditor", "audit:operator"]);
        match asks {
            Asks::Open | Asks::Link => Gets::All,
            _ if !self.is_known => Gets::Unknown,
            Asks::Record | Asks::Letters | Asks::Letter | Asks::Jobs | Asks::Job if operates => Gets::All,
            Asks::Redrive | Asks::Replay | Asks::Steer if any(&["audit:admin", "audit:operator"]) => {
                Gets::All
            }
            Asks::Replay | Asks::Steer if has("audit:org-admin") && self.organization.is_some() => Gets::Own,
            Asks::Settle if writes == Gets::Forbidden => Gets::Forbidden,
            Asks::Letters | Asks::Redrive | Asks::Replay | Asks::Steer => Gets::Forbidden,
            Asks::Submit => writes,
            Asks::List
            | Asks::One
            | Asks::Numbers
            | Asks::Export
            | Asks::Record
            | Asks::Letter
            | Asks::Jobs
            | Asks::Job
            | Asks::Settle => reads,
        }
    }

    /// Whether this is his own.
    pub(super) fn belongs_to(&self, organization: &Organization) -> bool {
        self.organization.as_deref() == Some(organization.name)
    }

    /// Whether payloads of every organisation are for him.
    pub(super) fn reads_all(&self) -> bool {
        self.gets(Asks::List) == Gets::All
    }
}

/// Everybody who might try, where `wanted` has what `own` wants.
pub(super) fn callers(wanted: &Organization, own: &Organization) -> Vec<Caller> {
    let signed = |token: Token| Some(token.signed_with("another secret, also longer than 32 bytes"));
    vec![
        Caller::of("administrator", &["audit:admin"], None),
        Caller::of("auditor", &["audit:auditor"], None),
        Caller::of("the other's administrator", &["audit:org-admin"], Some(own.name)),
        Caller::of("the other's, who also writes", &["audit:org-admin", "audit:producer"], Some(own.name)),
        Caller::of("the other's, who also operates", &["audit:org-admin", "audit:operator"], Some(own.name)),
        Caller::of("the other's producer", &["audit:producer"], Some(own.name)),
        Caller::of("the wanted one's producer", &["audit:producer"], Some(wanted.name)),
        Caller::of("operator", &["audit:operator"], Some(wanted.name)),
        Caller::of("administrator of no organisation", &["audit:org-admin", "audit:producer"], None),
        Caller::of("without a role", &[], Some(wanted.name)),
        Caller::of(
            "with roles of another product",
            &["admin", "audit:Admin", "org-admin"],
            Some(wanted.name),
        ),
        Caller::unknown("expired", Some(wanted.admin().expires_in(-3600))),
        Caller::unknown("signed by somebody else", signed(wanted.admin())),
        Caller::unknown("for somebody else", Some(wanted.admin().claim("aud", "another"))),
        Caller::unknown("without a token", None),
    ]
}

//! A step that has happened: its event type, aggregate and payload.

use serde::Serialize;

use crate::story::{Address, Step};

/// What an event says, before it has an id, a time and a version.
#[derive(Debug)]
pub(crate) struct Happening {
    pub(crate) event_type: &'static str,
    pub(crate) aggregate_type: &'static str,
    pub(crate) aggregate_id: String,
    /// Whether its aggregate counts versions: what is made and changed does, logins and accesses do not.
    pub(crate) is_versioned: bool,
    pub(crate) user: String,
    pub(crate) address: String,
    pub(crate) service: &'static str,
    pub(crate) payload: Payload,
}

/// Members in the order of writing, which no feature of a crate changes.
#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub(crate) enum Payload {
    Login {
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
        user_agent: &'static str,
    },
    Access {
        subject_user_id: String,
        data_type: &'static str,
        fields_accessed: &'static [&'static str],
        purpose: &'static str,
    },
    Order {
        new_values: Order,
    },
    Payment {
        new_values: Payment,
    },
    Stock {
        changes: StockChange,
    },
    Status {
        changes: StatusChange,
    },
    Document {
        document_id: String,
        title: String,
    },
}

#[derive(Debug, Serialize)]
pub(crate) struct Order {
    article: String,
    quantity: u32,
    status: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Payment {
    order_id: String,
    amount: String,
    status: &'static str,
}

#[derive(Debug, Serialize)]
pub(crate) struct Change<T> {
    pub(crate) old: T,
    pub(crate) new: T,
}

#[derive(Debug, Serialize)]
pub(crate) struct StockChange {
    pub(crate) quantity: Change<i32>,
}

#[derive(Debug, Serialize)]
pub(crate) struct StatusChange {
    status: Change<&'static str>,
}

const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64)";
/// A network for documentation (RFC 5737): nobody's.
const FOREIGN: &str = "203.0.113.66";

impl Happening {
    /// What a step means in the run of this tag; `stock` is how much of its article there is, and is changed by it.
    pub(crate) fn of(step: &Step, tag: &str, stock: &mut i32) -> Self {
        match *step {
            Step::LoggedIn { user, address } => Self::login("LOGIN_SUCCESS", user, address, None),
            Step::LoginFailed { user, address } => {
                Self::login("LOGIN_FAILED", user, address, Some("wrong password"))
            }
            Step::LoggedOut { user, address } => Self::login("LOGOUT", user, address, None),
            Step::Looked { user, subject, night } => Self::access(user, subject, night.is_some()),
            Step::Placed { user, order, article, quantity } => {
                let new_values = Order { article: article_id(tag, article), quantity, status: "placed" };
                Self::new(
                    "Order.Created",
                    ("Order", order_id(tag, order)),
                    user,
                    "orders",
                    Payload::Order { new_values },
                )
            }
            Step::Stocked { user, article, change } => {
                let quantity = Change { old: *stock, new: *stock + change };
                *stock = quantity.new;
                let payload = Payload::Stock { changes: StockChange { quantity } };
                Self::new("Stock.Updated", ("Stock", article_id(tag, article)), user, "inventory", payload)
            }
            Step::Paid { user, order, refused } => {
                let status = if refused { "refused" } else { "captured" };
                let amount = format!("{}.{:02}", 5 + order % 200, order % 100);
                let new_values = Payment { order_id: order_id(tag, order), amount, status };
                let aggregate = ("Payment", format!("payment-{tag}-{order:06}"));
                Self::new("Payment.Processed", aggregate, user, "payments", Payload::Payment { new_values })
            }
            Step::Moved { user, order, from, to } => {
                let changes = StatusChange { status: Change { old: from, new: to } };
                Self::new(
                    "Order.Updated",
                    ("Order", order_id(tag, order)),
                    user,
                    "orders",
                    Payload::Status { changes },
                )
            }
            Step::Exported { user, document } => Self::document("DATA_EXPORT", user, document),
            Step::Deleted { user, document } => Self::document("Document.Deleted", user, document),
        }
    }

    fn new(
        event_type: &'static str,
        (aggregate_type, aggregate_id): (&'static str, String),
        user: u32,
        service: &'static str,
        payload: Payload,
    ) -> Self {
        let (address, user) = (home(user), user_id(user));
        Self { event_type, aggregate_type, aggregate_id, is_versioned: true, user, address, service, payload }
    }

    fn login(event_type: &'static str, user: u32, address: Address, reason: Option<&'static str>) -> Self {
        let payload = Payload::Login { reason, user_agent: AGENT };
        let login = Self::new(event_type, ("User", user_id(user)), user, "auth", payload);
        let address = if address == Address::Own { login.address } else { FOREIGN.to_owned() };
        Self { is_versioned: false, address, ..login }
    }

    fn access(user: u32, subject: u32, is_health: bool) -> Self {
        let (data_type, fields_accessed, purpose): (_, &[_], _) = if is_health {
            ("HealthData", &["diagnosis", "medication"], "Investigation")
        } else {
            ("PersonalInfo", &["email", "phone"], "CustomerSupport")
        };
        let subject_user_id = user_id(subject);
        let payload = Payload::Access { subject_user_id, data_type, fields_accessed, purpose };
        let access = Self::new("DataAccess", ("User", user_id(subject)), user, "customers", payload);
        Self { is_versioned: false, ..access }
    }

    fn document(event_type: &'static str, user: u32, document: u32) -> Self {
        let document_id = format!("document-{document:06}");
        let payload =
            Payload::Document { document_id: document_id.clone(), title: format!("Report {document}") };
        let about = Self::new(event_type, ("Document", document_id), user, "documents", payload);
        // Its earlier versions were made long before.
        Self { is_versioned: false, ..about }
    }
}

fn user_id(user: u32) -> String {
    format!("user-{:04}", user + 1)
}

fn order_id(tag: &str, order: u32) -> String {
    format!("order-{tag}-{order:06}")
}

pub(crate) fn article_id(tag: &str, article: u32) -> String {
    format!("article-{tag}-{:03}", article + 1)
}

/// An address for each user, in a private network.
fn home(user: u32) -> String {
    format!("10.{}.{}.{}", user / 62_500 % 250, user / 250 % 250, user % 250 + 1)
}

//! Data accesses (E14 to E17), read from stored events.

use uuid::Uuid;

use super::facts::{Facts, Words};
use super::fields::Fields;
use super::words::Category;
use crate::timestamp::Timestamp;

/// That somebody looked at somebody's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataAccess {
    /// The event's id.
    pub id: Uuid,
    /// Its organisation; `""` = none.
    pub organization_id: String,
    /// Who looked.
    pub accessor_user_id: String,
    /// That user's name.
    pub accessor_name: Option<String>,
    /// In which role.
    pub accessor_role: Option<String>,
    /// At whose data.
    pub subject_user_id: String,
    /// That user's name.
    pub subject_name: Option<String>,
    /// At what: `PersonalInfo`, `FinancialData`, `HealthData`.
    pub data_type: Option<String>,
    /// The fields, in the message's order.
    pub fields_accessed: Vec<String>,
    /// What for: `CustomerSupport`, `Investigation`, `ReportGeneration`.
    pub purpose: Option<String>,
    /// Why, in words.
    pub justification: Option<String>,
    /// Where from.
    pub ip_address: Option<String>,
    /// Through which service.
    pub service_name: Option<String>,
    /// When.
    pub accessed_at: Timestamp,
}

/// What an event is as a data access; `None` when it is none.
///
/// It is one when its metadata's `category`, or the table for its type, says `data-access`, and its payload says who looked
/// (`accessorUserId`, else `metadata.userId`) at whose data (`subjectUserId`).
pub fn data_access(event: &Facts<'_>) -> Option<DataAccess> {
    if Words::of(event).category != Some(Category::DataAccess) {
        return None;
    }
    let fields = Fields::of(event.payload);
    let text = |name: &str| fields.text_if_any(&[name]);
    let user = (!event.user_id.is_empty()).then(|| event.user_id.to_owned());
    let metadata = Fields::of(event.metadata);
    Some(DataAccess {
        id: event.event_id,
        organization_id: event.organization_id.to_owned(),
        accessor_user_id: text("accessoruserid").or(user)?,
        accessor_name: text("accessorname"),
        accessor_role: text("accessorrole"),
        subject_user_id: text("subjectuserid")?,
        subject_name: text("subjectname"),
        data_type: text("datatype"),
        fields_accessed: fields
            .anywhere(&["fieldsaccessed"])
            .and_then(|field| serde_json::from_str(field.raw.get()).ok())
            .unwrap_or_default(),
        purpose: text("purpose"),
        justification: text("justification"),
        ip_address: metadata.text_if_any(&["ipaddress"]).or_else(|| text("ipaddress")),
        service_name: metadata.text_if_any(&["source"]).or_else(|| text("servicename")),
        accessed_at: event.timestamp,
    })
}

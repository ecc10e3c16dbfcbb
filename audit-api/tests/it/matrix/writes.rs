//! What is written in attempts at writing for another organisation.

use serde_json::{Value, json};

use crate::{look_alikes::SHARED, openapi::Operation};

use super::{
    attempts::{Attempt, Attempts, Names},
    operations::Asks,
};

impl Attempts<'_> {
    /// Requests of an operation that writes: as it is meant, and naming the other organisation.
    pub(super) fn writes(&self, operation: &Operation, asks: Asks, path: &str, names: Names) -> Vec<Attempt> {
        let plain = Attempt::new(path, &[], names);
        let foreign = Attempt { names: Names::Organization, ..plain.clone() };
        let organization = self.wanted.name;
        let with = |body: &Value, key: &str| {
            let mut body = body.clone();
            body[key] = json!(organization);
            body
        };
        match (asks, operation.path.as_str()) {
            (Asks::Redrive | Asks::Steer, _) => vec![plain],
            (Asks::Replay, _) => {
                // Only said: what a job sends of whom is in replays.rs.
                let topic = &self.both.letters;
                let dry_run = |filter: Value| json!({ "topic": topic, "dryRun": true, "filter": filter });
                vec![
                    plain.clone().posting(dry_run(json!({}))),
                    plain.posting(dry_run(json!({ "userId": self.wanted.only }))),
                    foreign.posting(dry_run(json!({ "organizationId": organization }))),
                ]
            }
            (Asks::Settle, _) => vec![plain.posting(json!({ "resolutionNotes": "seen" }))],
            (Asks::Export, _) => {
                let filters =
                    |name: &str, value: &str| json!({ "format": "csv", "filters": { name: value } });
                vec![
                    plain.clone().posting(json!({ "format": "csv" })),
                    plain.clone().posting(json!({ "format": "json" })),
                    plain.clone().posting(filters("userId", SHARED)),
                    plain.posting(filters("userId", self.wanted.only)),
                    foreign.posting(filters("organizationId", organization)),
                ]
            }
            (_, "/v1/events") => {
                let event = crate::submit::event("written", 1);
                let mut theirs = event.clone();
                theirs["metadata"]["organizationId"] = json!(organization);
                vec![plain.posting(event), foreign.posting(theirs)]
            }
            (_, "/api/audit") => {
                let record = json!({ "eventType": "Login", "userId": "u" });
                vec![plain.posting(record.clone()), foreign.posting(with(&record, "organizationId"))]
            }
            (_, "/api/audit/security") => {
                let record = json!({ "type": "LoginFailed", "severity": "Warning", "userId": "u" });
                vec![plain.posting(record.clone()), foreign.posting(with(&record, "organizationId"))]
            }
            (_, "/api/audit/data-access") => {
                let record = json!({
                    "accessorUserId": "a", "subjectUserId": "b", "dataType": "HealthData", "purpose": "Investigation",
                });
                vec![plain.posting(record.clone()), foreign.posting(with(&record, "organizationId"))]
            }
            (_, other) => {
                panic!("{other} takes events: say in Attempts::writes how to name another organisation")
            }
        }
    }
}

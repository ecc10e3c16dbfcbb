//! A request between its head and its answer: whatever becomes of it, one record says so.

use axum::response::Response;
use shared::{
    access::{Access, AccessContext, AccessOutcome},
    problem::ProblemType,
};

use super::{Asked, Ending, Notes, Recorder, recorder::stranger};
use crate::respond::{Problem, page::Rows};

/// Recorded as abandoned when it is dropped before it was answered: the client went away, or its time was over.
pub(super) struct Unanswered {
    recorder: Recorder,
    asked: Option<Asked>,
    notes: Notes,
}

impl Unanswered {
    pub(super) fn new(recorder: Recorder, asked: Asked, notes: Notes) -> Self {
        Self { recorder, asked: Some(asked), notes }
    }

    /// Records what the answer is; of a stream also its end, when it comes. An error is the answer to give instead.
    pub(super) async fn answered(mut self, response: &mut Response) -> Result<(), Problem> {
        let Some(asked) = self.asked.take() else { return Ok(()) };
        let ending = response.extensions_mut().remove::<Ending>();
        let (mut access, mut context) = access(asked, &self.notes);
        if self.notes.accessor().is_none() && !self.recorder.admits_stranger() {
            return Ok(());
        }
        access.outcome = match (response.status().as_u16(), &ending) {
            (_, Some(_)) => AccessOutcome::Opened,
            (..400, None) => AccessOutcome::Answered,
            (400..500, None) => AccessOutcome::Refused,
            _ => AccessOutcome::Failed,
        };
        access.status = Some(response.status().as_u16());
        access.problem = response.extensions().get::<ProblemType>().map(|kind| kind.slug().to_owned());
        access.rows = response.extensions().get::<Rows>().map(|rows| rows.0);
        let recorded = self.recorder.record(&access, &context).await;
        let id = recorded.map_err(|_| Problem::access_unrecorded())?;
        if let Some(ending) = ending {
            context.opened_by = Some(id);
            self.recorder.record_later(async move {
                let ended = ending.wait().await;
                access.outcome = AccessOutcome::Closed;
                access.rows = ended.map(|ended| ended.rows);
                access.ended = Some(ended.map_or("unknown", |ended| ended.how).to_owned());
                (access, context)
            });
        }
        Ok(())
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        let Some(asked) = self.asked.take() else { return };
        // Nobody has looked at anything yet, or there is no runtime any more that could record it.
        if self.notes.accessor().is_none() || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let abandoned = access(asked, &self.notes);
        self.recorder.record_later(std::future::ready(abandoned));
    }
}

/// The access so far: nothing has become of it yet.
fn access(asked: Asked, notes: &Notes) -> (Access, AccessContext) {
    let Asked { operation, method, path, mut parameters, request_id, ip_address, user_agent } = asked;
    let accessor = notes.accessor();
    if accessor.is_some() {
        parameters.extend(notes.parameters());
    } else {
        // What somebody without a token wrote is not worth its room, and no data was looked up by it.
        parameters.clear();
    }
    let accessor = accessor.unwrap_or_else(stranger);
    let access = Access::new(&operation, method.as_str(), &path, accessor, AccessOutcome::Abandoned);
    let context =
        AccessContext { organization_id: notes.organization(), ip_address, user_agent, opened_by: None };
    (Access { request_id, ..access.asking(parameters) }, context)
}

//! Numbered pages of what the projections keep: security events and data accesses.

use futures::future::BoxFuture;
use shared::{position::Position, scope::Scope, timestamp::Timestamp};
use store::{
    StoreError,
    reader::{
        DataAccessFilter, DataAccessRequest, DataAccessRow, Projected, SecurityEventFilter,
        SecurityEventRequest, SecurityEventRow,
    },
};

use super::paging::{COUNT_CAP, Paging};
use crate::{measure, request::filter, respond::Problem, state::Api};

/// The most rows of one read.
const STEP: u32 = 1000;

type Place = (Timestamp, Position);

/// The rows of a page: what comes before is read past, in steps.
async fn numbered<'a, T>(
    paging: Paging,
    mut read: impl FnMut(Option<Place>, u32) -> BoxFuture<'a, Result<Projected<T, Place>, StoreError>> + Send,
) -> Result<Vec<T>, StoreError> {
    let mut after = None;
    let mut skip = paging.skip();
    while skip > 0 {
        let step = read(after, skip.min(STEP)).await?;
        skip = skip.saturating_sub(u32::try_from(step.items.len()).unwrap_or(skip));
        after = step.next;
        if after.is_none() {
            return Ok(Vec::new());
        }
    }
    let mut items = Vec::new();
    while items.len() < paging.limit as usize {
        let left = paging.limit - u32::try_from(items.len()).unwrap_or(paging.limit);
        let step = read(after, left).await?;
        items.extend(step.items);
        after = step.next;
        if after.is_none() {
            break;
        }
    }
    Ok(items)
}

/// A page of security events, newest first, and how many match.
pub(super) async fn security_events(
    api: &Api,
    scope: &Scope,
    filter: SecurityEventFilter,
    paging: Paging,
) -> Result<(Vec<SecurityEventRow>, u64), Problem> {
    filter::within(scope, &filter.organization_id)?;
    let counting = api.reader.count_security_events(scope, &filter, Some(COUNT_CAP));
    let total = measure::query("count_security_events", counting).await?;
    let rows = numbered(paging, |after, limit| {
        let (reader, filter) = (api.reader.clone(), filter.clone());
        Box::pin(async move {
            reader.security_events(scope, &SecurityEventRequest { filter, limit, after }).await
        })
    });
    Ok((measure::query("security_events", rows).await?, total))
}

/// A page of data accesses, newest first, and how many match.
pub(super) async fn data_accesses(
    api: &Api,
    scope: &Scope,
    filter: DataAccessFilter,
    paging: Paging,
) -> Result<(Vec<DataAccessRow>, u64), Problem> {
    filter::within(scope, &filter.organization_id)?;
    let counting = api.reader.count_data_accesses(scope, &filter, Some(COUNT_CAP));
    let total = measure::query("count_data_accesses", counting).await?;
    let rows = numbered(paging, |after, limit| {
        let (reader, filter) = (api.reader.clone(), filter.clone());
        Box::pin(
            async move { reader.data_accesses(scope, &DataAccessRequest { filter, limit, after }).await },
        )
    });
    Ok((measure::query("data_accesses", rows).await?, total))
}

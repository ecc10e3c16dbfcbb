//! One page of stored events behind an older address.

use shared::{
    filter::{EventFilter, Order, Sort},
    scope::Scope,
};
use store::{EventRow, PageRequest};

use super::{
    names::Names,
    paging::{COUNT_CAP, Paging},
};
use crate::{
    measure,
    request::{filter, guard},
    respond::Problem,
    state::Api,
};

/// The events of a page, newest first, and how many match, within the scope and the guards of `/v1` (semantics.md 7, 12).
pub(super) async fn page_of(
    api: &Api,
    scope: Scope,
    filter: EventFilter,
    paging: Paging,
    names: &Names,
) -> Result<(Vec<EventRow>, u64), Problem> {
    filter::within(&scope, &filter.organization_id)?;
    names.told(guard::check(&filter, &scope, api.reader.indexes()))?;
    let counting = api.reader.count(&filter, &scope, Some(COUNT_CAP));
    let total = names.told(measure::query("count", counting).await.map_err(Problem::from))?;
    let limit = paging.limit;
    let request =
        PageRequest { filter, scope, sort: Sort::Time, order: Order::Descending, limit, after: None };
    let reading = api.reader.numbered_page(&request, paging.skip());
    let page = names.told(measure::query("page", reading).await.map_err(Problem::from))?;
    if page.next.is_some() && page.events.len() < limit as usize {
        return Err(Problem::query_too_broad(
            "limit asks for more than one answer may hold of events as large as these: give a smaller one",
        ));
    }
    Ok((page.events, total))
}

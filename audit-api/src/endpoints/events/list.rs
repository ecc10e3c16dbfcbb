//! `GET /v1/events`

use axum::{body::Body, http::Response};
use shared::{
    csv::FormulaGuard,
    cursor,
    filter::{EventFilter, Order, PageKey, Sort},
    scope::Scope,
};
use store::{PageRequest, RecordedCursor};
use utoipa::IntoParams;

use crate::{
    auth::Caller,
    endpoints::{Asked, Serving},
    measure,
    openapi::{EventDocument, EventPageDocument},
    request::{
        Media, Parameters,
        cursor::read_page,
        filter::{self, FilterParameters},
        guard, negotiate,
    },
    respond::{
        Problem, REPLAY_LIMITS, Streaming,
        ndjson::Lines,
        page::{self, PageInfo},
    },
    state::Api,
    walk::{PageWalk, RecordedWalk, Walk},
};

/// Events on a page when nothing is said, and at most.
pub(in crate::endpoints) const DEFAULT_LIMIT: u32 = 100;
/// The largest page.
pub(in crate::endpoints) const LARGEST_LIMIT: u32 = 1000;
/// Where `count=capped` stops: one more than ten thousand says "more than that".
const COUNT_CAP: u32 = 10_001;

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
struct ListParameters {
    /// `time`: by event time; `recorded`: in the order of recording, the only one in which a late arrival is never missed.
    #[param(inline)]
    sort: Option<SortWord>,
    /// Newest first (`desc`), or oldest first.
    #[param(inline)]
    order: Option<OrderWord>,
    /// Adds `page.total`: `exact`, or `capped` at 10001. Pages only.
    #[param(inline)]
    count: Option<CountWord>,
    /// Events on a page. Pages only.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// `page.nextCursor` of the page before; only with the same filters, sort and order.
    #[param(min_length = 1, max_length = 256)]
    cursor: Option<String>,
    /// Words of the payload: all must be there, in the fields whose words are indexed; `"a phrase"`, `or`, `-not`. Words
    /// are taken as they stand, in lower case. Only where an operator has built the index for it
    /// (`trailctl index create fulltext`): 422 without. Protected values hold no words.
    #[param(min_length = 1, max_length = 2048, example = "\"late fee\" -waived")]
    q: Option<String>,
    /// CSV only: exact texts. Without it, what a spreadsheet would take for a formula gets an apostrophe in front.
    raw: Option<bool>,
}

#[derive(utoipa::ToSchema)]
#[schema(rename_all = "lowercase", default = "time")]
#[expect(dead_code, reason = "the words of the OpenAPI document")]
enum SortWord {
    Time,
    Recorded,
}

#[derive(utoipa::ToSchema)]
#[schema(rename_all = "lowercase", default = "desc")]
#[expect(dead_code, reason = "the words of the OpenAPI document")]
enum OrderWord {
    Desc,
    Asc,
}

#[derive(utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "the words of the OpenAPI document")]
enum CountWord {
    Exact,
    Capped,
}

/// How exactly the matching events are counted.
#[derive(Debug, Clone, Copy)]
enum Count {
    Exact,
    Capped,
}

impl Count {
    fn cap(self) -> Option<u32> {
        match self {
            Self::Exact => None,
            Self::Capped => Some(COUNT_CAP),
        }
    }
}

/// How a list is to be answered.
struct Listing {
    sort: Sort,
    order: Order,
    count: Option<Count>,
    limit: u32,
    after: Option<PageKey>,
    fingerprint: String,
    media: Media,
    guard: FormulaGuard,
}

impl Listing {
    fn read(parameters: &mut Parameters, filter: &EventFilter, media: Media) -> Result<Self, Problem> {
        let sort = parameters.word("sort", &[("time", Sort::Time), ("recorded", Sort::Recorded)])?;
        let order = parameters.word("order", &[("desc", Order::Descending), ("asc", Order::Ascending)])?;
        let count = parameters.word("count", &[("exact", Count::Exact), ("capped", Count::Capped)])?;
        let limit = parameters.number("limit", 1, LARGEST_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
        let (sort, order) = (sort.unwrap_or_default(), order.unwrap_or_default());
        let fingerprint = cursor::fingerprint(filter, sort, order);
        let after = parameters.one("cursor")?.map(|text| read_page(&text, &fingerprint)).transpose()?;
        let raw = parameters.word("raw", &[("true", FormulaGuard::Off), ("false", FormulaGuard::On)])?;
        if raw.is_some() && media != Media::Csv {
            return Err(Problem::parameter("raw", "is for `Accept: text/csv` alone: leave it out"));
        }
        let guard = raw.unwrap_or_default();
        Ok(Self { sort, order, count, limit, after, fingerprint, media, guard })
    }

    fn request(&self, filter: EventFilter, scope: Scope) -> PageRequest {
        let Self { sort, order, limit, after, .. } = *self;
        PageRequest { filter, scope, sort, order, limit, after }
    }
}

/// Events
///
/// A page of events, newest first; or, with `Accept: application/x-ndjson` or `text/csv`, the whole
/// result as one stream.
/// In ascending recorded order `nextCursor` is never null: poll it. A page may hold fewer events than `limit`, none even,
/// and have a next one.
#[utoipa::path(
    get, path = "/v1/events", operation_id = "listEvents", tag = "Events",
    params(FilterParameters, ListParameters),
    responses((status = 200, description = "The events.", content(
        (EventPageDocument = "application/json"), (EventDocument = "application/x-ndjson"), (String = "text/csv")
    ), headers(("Link" = Option<String>, description = "The next page, `rel=\"next\"`."))))
)]
pub(crate) async fn list(Serving(api): Serving, asked: Asked) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, uri, mut parameters } = asked;
    let scope = caller.events()?;
    let media = negotiate(&headers, &[Media::Json, Media::Ndjson, Media::Csv])?;
    let mut filter = filter::read(&mut parameters)?;
    if let Some(words) = parameters.one("q")? {
        filter.text = Some(guard::text(words, api.reader.text_fields())?);
    }
    let listing = Listing::read(&mut parameters, &filter, media)?;
    parameters.finish()?;
    filter::within(&scope, &filter.organization_id)?;
    guard::check(&filter, &scope, api.reader.indexes())?;
    if media != Media::Json {
        return lines(&api, &caller, &listing, listing.request(filter, scope)).await;
    }
    let total = match listing.count {
        None => None,
        Some(count) => Some(measure::query("count", api.reader.count(&filter, &scope, count.cap())).await?),
    };
    let found = measure::query("page", api.reader.page(&listing.request(filter, scope))).await?;
    let next_cursor = found.next.map(|key| cursor::encode(&key, &listing.fingerprint));
    let info = PageInfo { limit: listing.limit, next_cursor, total, ..PageInfo::default() };
    Ok(page::of_events(&found.events, &info, &uri))
}

async fn lines(
    api: &Api,
    caller: &Caller,
    listing: &Listing,
    request: PageRequest,
) -> Result<Response<Body>, Problem> {
    if (listing.sort, listing.order) == (Sort::Recorded, Order::Ascending) {
        // Pages of this order have no end: the stream ends at the head of its start.
        let cursor = match listing.after {
            Some(PageKey::Recorded { append_no, offset }) => RecordedCursor { append_no, offset },
            _ => RecordedCursor::START,
        };
        let head = api.reader.head().await?;
        let (reader, PageRequest { filter, scope, .. }) = (api.reader.clone(), request);
        let walk = RecordedWalk::new(reader, scope, filter, cursor, head, REPLAY_LIMITS);
        return start(api, caller, listing, walk).await;
    }
    start(api, caller, listing, PageWalk::new(api.reader.clone(), request)).await
}

async fn start(
    api: &Api,
    caller: &Caller,
    listing: &Listing,
    mut walk: impl Walk + 'static,
) -> Result<Response<Body>, Problem> {
    let first = measure::query("page", walk.next()).await?;
    let (stream, response) = Streaming::open(api, caller, listing.media)?;
    stream.guarded(listing.guard).spawn(Lines { first, walk });
    Ok(response)
}

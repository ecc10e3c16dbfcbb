//! The OpenAPI 3.1 document: derived from the endpoints, completed with what holds for all of them, committed as
//! `audit-api/openapi.json` and compared by a test. What completes it is here; the shapes of what several endpoints answer
//! are in the modules.

mod access;
mod aggregate;
mod causation;
mod dead_letter;
mod event;
mod record;
mod statistics;

use std::sync::Arc;

use shared::problem::ProblemType;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Content, Deprecated, Header, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder,
        Type,
        path::Operation,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use crate::{endpoints, respond::ProblemDocument, state::Api};

pub(crate) use access::AccessOutcomeWord;
pub use access::AccessPageDocument;
pub use aggregate::{DiffDocument, HistoryDocument, IntegrityDocument, StateDocument};
pub use causation::{CausationDocument, CorrelationDocument};
pub use dead_letter::{DeadLetterDocument, DeadLetterPageDocument, RedrivenDocument};
pub use event::{
    AsOfDocument, ContainerDocument, EventDocument, EventPageDocument, NewEventDocument, PageInfoDocument,
    SubmittedDocument,
};
pub use record::RecordDocument;
pub use statistics::StatisticsDocument;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Audit trail",
        description = "An immutable history of events: add to it, query it, replay it, follow it.\n\nErrors are `application/problem+json` (RFC 9457) with a type from a closed list. Every answer carries `X-Request-Id`. Unknown parameters are refused.\n\nReads may be answered by a standby, which is a moment behind. With a header `Audit-At-Least: <position>`, such as the position of an event that you have just written, the answer knows that position.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(endpoints::live, endpoints::ready, endpoints::metrics),
    components(schemas(ProblemDocument)),
    security(("bearer" = [])),
    tags(
        (name = "Events", description = "Events by id and by filter."),
        (name = "Aggregates", description = "The things that events are about, and the history of one."),
        (name = "Streams", description = "Replays and the live tail."),
        (name = "Replay jobs", description = "Stored events, sent to a Kafka topic."),
        (name = "Ledger", description = "What became of each Kafka record."),
        (name = "Dead letters", description = "Records that are no events, and why."),
        (name = "Accesses", description = "Who looked: the requests that this API has answered or refused."),
        (name = "Older addresses", description = "Those of the services of documents 000, 001 and 004, over the same data, each in its document's own shape. Every answer says `Deprecation` (RFC 9745) and `Link: rel=\"successor-version\"`. docs/vocabulary.md says how their words map."),
        (name = "Operation", description = "Health and metrics.")
    ),
    modifiers(&Bearer, &Problems)
)]
struct Document;

/// The document of these routes, or of all of them.
pub fn router() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(Document::openapi()).merge(endpoints::v1()).merge(endpoints::signed())
}

/// The finished document.
pub fn document() -> utoipa::openapi::OpenApi {
    finish(router().into_openapi())
}

/// Completes what the routes have declared.
pub fn finish(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    Bearer.modify(&mut document);
    Problems.modify(&mut document);
    document
}

/// The document as it is served and committed.
pub fn to_json(document: &utoipa::openapi::OpenApi) -> String {
    let mut text = document.to_pretty_json().expect("the document is plain data");
    text.push('\n');
    text
}

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("A JWT in the header `Authorization: Bearer <token>`; never in the address."))
            .build();
        let components = document.components.get_or_insert_with(Default::default);
        components.security_schemes.insert("bearer".to_owned(), RefOr::T(SecurityScheme::Http(scheme)));
    }
}

/// The problems that every operation may answer with.
struct Problems;

impl Modify for Problems {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_with(Default::default);
        for kind in ProblemType::ALL {
            let response = components.responses.entry(component(kind.status()));
            response.or_insert_with(|| RefOr::T(problem(kind.status())));
        }
        for (path, item) in &mut document.paths.paths {
            let methods = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete];
            for operation in methods.into_iter().flatten() {
                complete(path, operation);
            }
        }
    }
}

fn component(status: u16) -> String {
    format!("Problem{status}")
}

fn problem(status: u16) -> Response {
    let titles: Vec<_> = ProblemType::ALL
        .into_iter()
        .filter(|kind| kind.status() == status)
        .map(|kind| format!("`{}`: {}", kind.slug(), kind.title()))
        .collect();
    let mut response = ResponseBuilder::new()
        .description(titles.join("; "))
        .header("X-Request-Id", text_header("The request's id in the log: yours when it was valid."));
    if status == 401 {
        response = response.header("WWW-Authenticate", text_header("How to authenticate (RFC 6750)."));
    }
    if matches!(status, 429 | 503) {
        response = response.header("Retry-After", text_header("Seconds after which to try again."));
    }
    response.content("application/problem+json", Content::new(Some(Ref::from_schema_name("Problem")))).build()
}

fn text_header(description: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .description(Some(description))
        .build()
}

fn complete(path: &str, operation: &mut Operation) {
    let mut statuses = vec![400, 413, 414, 431, 500, 503];
    let is_older = endpoints::is_older(path);
    if is_older {
        operation.deprecated = Some(Deprecated::True);
    }
    if path.starts_with("/v1/") || is_older {
        statuses.extend([401, 403, 406, 422]);
    }
    if path.contains('{') {
        statuses.push(404);
    }
    if path.starts_with("/v1/aggregates/") || path.starts_with("/v1/replays/") {
        statuses.push(409);
    }
    if path == "/v1/replays" && operation.request_body.is_some() {
        statuses.push(429);
    }
    if operation.request_body.is_some() {
        statuses.extend([408, 409, 415]);
    }
    for status in statuses {
        let response = operation.responses.responses.entry(status.to_string());
        response.or_insert_with(|| RefOr::Ref(Ref::from_response_name(component(status))));
    }
}

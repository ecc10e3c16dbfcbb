//! `GET /v1/events/{eventId}/causation` and `GET /v1/correlations/{correlationId}/causation`

use std::collections::HashSet;

use axum::{body::Body, http::Response};
use shared::{
    causation::{EventLink, MAX_DEPTH, MAX_NODES, arrange},
    scope::Scope,
};
use store::indexes::Lookup;

use crate::{
    endpoints::{Asked, Serving, events::find},
    measure,
    openapi::{CausationDocument, CorrelationDocument},
    request::{
        Media, guard, negotiate,
        path::{self, Segments},
    },
    respond::{self, Problem, page::Rows},
    state::Api,
};

/// Causes and effects of an event
///
/// What led to it, from the first cause down, and what it caused, as a tree: each node's `depth` counts from the event,
/// and it stands behind the node that caused it. Twenty steps each way and 1,000 events at most; `truncated` says where
/// more would follow.
#[utoipa::path(
    get, path = "/v1/events/{eventId}/causation", operation_id = "eventCausation", tag = "Events",
    params(("eventId" = Uuid, Path, description = "The producer's id of the event.")),
    responses((status = 200, description = "The tree.", body = CausationDocument, content_type = "application/json"))
)]
pub(crate) async fn of_event(
    Serving(api): Serving,
    asked: Asked,
    Segments(event_id): Segments<String>,
) -> Result<Response<Body>, Problem> {
    let scope = asked.caller.events()?;
    asked.parameters.finish()?;
    negotiate(&asked.headers, &[Media::Json])?;
    let event_id = find::parse("eventId", &event_id)?;
    guard::needs(Lookup::Causation, "the tree of causes", api.reader.indexes())?;
    let event = measure::query("find", api.reader.find_link(&scope, event_id)).await?;
    let event = event.ok_or_else(|| Problem::not_found("event of this id"))?;

    let causes = Causes::of(&api, &scope, &event).await?;
    let room = MAX_NODES - causes.links.len();
    let effects = Effects::of(&api, &scope, &event, room).await?;
    let mut body = b"{\"ancestors\":[".to_vec();
    let highest = i32::try_from(causes.links.len()).unwrap_or(i32::MAX);
    nodes(&mut body, (-highest..).zip(&causes.links));
    body.extend_from_slice(b"],\"event\":");
    event.write_json(0, &mut body);
    body.extend_from_slice(b",\"descendants\":[");
    let count = causes.links.len() + effects.links.len() + 1;
    let arranged = arrange(std::iter::once(event).chain(effects.links).collect());
    nodes(&mut body, arranged.iter().skip(1).map(|(depth, link)| (*depth, link)));
    let rest = serde_json::json!({ "ancestors": causes.truncated, "descendants": effects.truncated });
    let missing = serde_json::Value::from(causes.missing);
    body.extend_from_slice(format!("],\"missingCause\":{missing},\"truncated\":{rest}}}").as_bytes());
    Ok(answer(body, count))
}

/// Everything of a correlation
///
/// The events of a correlation id as a tree of causes, oldest first, 1,000 at most; events whose cause is not among them
/// are its roots.
#[utoipa::path(
    get, path = "/v1/correlations/{correlationId}/causation", operation_id = "correlationCausation", tag = "Events",
    params(("correlationId" = String, Path, description = "`metadata.correlationId` of the events.", example = "checkout-7")),
    responses((status = 200, description = "The tree.", body = CorrelationDocument, content_type = "application/json"))
)]
pub(crate) async fn of_correlation(
    Serving(api): Serving,
    asked: Asked,
    Segments(correlation_id): Segments<String>,
) -> Result<Response<Body>, Problem> {
    let scope = asked.caller.events()?;
    asked.parameters.finish()?;
    negotiate(&asked.headers, &[Media::Json])?;
    let correlation_id = path::id("correlationId", correlation_id)?;
    guard::needs(Lookup::Correlation, "the tree of a correlation", api.reader.indexes())?;
    let search = api.reader.correlated(&scope, &correlation_id, MAX_NODES + 1);
    let mut links = measure::query("correlation", search).await?;
    if links.is_empty() {
        return Err(Problem::not_found("event of this correlation"));
    }
    let truncated = links.len() > MAX_NODES;
    links.truncate(MAX_NODES);
    let count = links.len();
    let id = serde_json::Value::from(correlation_id);
    let mut body = format!("{{\"correlationId\":{id},\"events\":[").into_bytes();
    let arranged = arrange(links);
    nodes(&mut body, arranged.iter().map(|(depth, link)| (*depth, link)));
    body.extend_from_slice(format!("],\"truncated\":{truncated}}}").as_bytes());
    Ok(answer(body, count))
}

/// The chain of causes, first cause first.
struct Causes {
    links: Vec<EventLink>,
    /// The id above the chain that names no event that the caller may see.
    missing: Option<String>,
    truncated: bool,
}

impl Causes {
    async fn of(api: &Api, scope: &Scope, event: &EventLink) -> Result<Self, Problem> {
        let mut this = Self { links: Vec::new(), missing: None, truncated: false };
        let mut met = HashSet::from([event.event_id]);
        let mut last = event.clone();
        while !last.causation_id.is_empty() {
            let Some(id) = last.cause() else {
                this.missing = Some(last.causation_id);
                break;
            };
            // Events that cause each other in a circle: the chain is told once.
            if !met.insert(id) {
                break;
            }
            if this.links.len() == MAX_DEPTH {
                this.truncated = true;
                break;
            }
            let Some(cause) = measure::query("find", api.reader.find_link(scope, id)).await? else {
                this.missing = Some(last.causation_id);
                break;
            };
            last = cause.clone();
            this.links.push(cause);
        }
        this.links.reverse();
        Ok(this)
    }
}

/// What an event caused, and what that caused, and so on, level by level.
struct Effects {
    links: Vec<EventLink>,
    truncated: bool,
}

impl Effects {
    /// At most `room` nodes, the event itself among them.
    async fn of(api: &Api, scope: &Scope, event: &EventLink, room: usize) -> Result<Self, Problem> {
        let mut this = Self { links: Vec::new(), truncated: false };
        let mut met = HashSet::from([event.event_id]);
        let mut level = vec![event.event_id];
        for depth in 1..=MAX_DEPTH + 1 {
            // What was met already may come back in a circle, and must not crowd out what is new.
            let wanted = room - met.len() + 1;
            let search = api.reader.caused_by(scope, &level, wanted + met.len());
            let mut found = measure::query("causation", search).await?;
            found.retain(|link| met.insert(link.event_id));
            if depth > MAX_DEPTH || found.len() >= wanted {
                this.truncated = !found.is_empty();
                found.truncate(if depth > MAX_DEPTH { 0 } else { wanted - 1 });
                this.links.append(&mut found);
                break;
            }
            if found.is_empty() {
                break;
            }
            level = found.iter().map(|link| link.event_id).collect();
            this.links.append(&mut found);
        }
        Ok(this)
    }
}

fn nodes<'a>(out: &mut Vec<u8>, nodes: impl Iterator<Item = (i32, &'a EventLink)>) {
    for (index, (depth, link)) in nodes.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        link.write_json(depth, out);
    }
}

fn answer(body: Vec<u8>, count: usize) -> Response<Body> {
    let mut response = respond::data(Media::Json.name(), body);
    response.extensions_mut().insert(Rows(count as u64));
    response
}

//! The route table and the layers around it, outermost first: observe, catch panics, bounds, compression, then, for
//! everything that gives or takes data, the record of who looked, and authentication.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Extensions, HeaderMap, Response, StatusCode, Version, header},
    middleware::{self, Next},
    response::IntoResponse as _,
    routing::get,
};
use service::{Health, health, metrics::Metrics};
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer,
        predicate::{Predicate as _, SizeAbove},
    },
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::{
    access, endpoints, limits, observe, openapi,
    replica::{self, Replica},
    respond::Problem,
    state::Api,
};

/// Marks an answer that goes on live: compression would hold back what must arrive at once.
#[derive(Debug, Clone, Copy)]
pub struct Live;

/// The whole API as one service; with a replica, reads may be answered by a standby.
pub fn router(api: Arc<Api>, replica: Option<Arc<Replica>>, health: Health, metrics: Metrics) -> Router {
    let document = openapi::document();
    let reads = match replica {
        Some(replica) => {
            endpoints::reads().route_layer(middleware::from_fn_with_state(replica, replica::prefer))
        }
        None => endpoints::reads(),
    };
    let place =
        access::Place { recorder: api.recorder.clone(), operations: access::Operations::of(&document) };
    let recorded: OpenApiRouter<Arc<Api>> = reads
        .merge(endpoints::of_the_primary())
        .route_layer(middleware::from_fn_with_state(Arc::clone(&api), authenticate))
        .merge(endpoints::signed())
        .route_layer(middleware::from_fn_with_state(Arc::new(place), access::record));
    let (recorded, _) = recorded.split_for_parts();
    let document = openapi::to_json(&document);
    let swagger = SwaggerUi::new("/swagger-ui").config(Config::from("/openapi.json"));
    let bounds = limits::Limits::new(&api.settings);
    Router::new()
        .merge(recorded)
        .route("/openapi.json", get(move || std::future::ready(openapi_json(document.clone()))))
        .with_state(api)
        .merge(health::routes(health, metrics))
        .merge(swagger)
        .fallback(endpoints::not_found)
        .method_not_allowed_fallback(endpoints::method_not_allowed)
        .layer(CompressionLayer::new().compress_when(SizeAbove::new(1024).and(is_compressible)))
        .layer(middleware::from_fn_with_state(bounds, limits::check))
        .layer(CatchPanicLayer::custom(endpoints::panicked))
        .layer(middleware::from_fn(observe::observe))
}

/// Makes the caller known to everything inside, or answers 401.
async fn authenticate(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response<Body> {
    match api.authenticator.authenticate(request.headers()).await {
        Ok(caller) => {
            if let Some(notes) = request.extensions().get::<access::Notes>() {
                notes.caller(&caller);
            }
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => {
            tracing::debug!(%error, "refused");
            Problem::from(error).into_response()
        }
    }
}

/// JSON and JSON lines, but nothing live.
fn is_compressible(_: StatusCode, _: Version, headers: &HeaderMap, extensions: &Extensions) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let compressible =
        ["application/json", "application/x-ndjson", "application/problem+json", "text/csv", "text/plain"];
    compressible.iter().any(|name| kind.starts_with(name)) && extensions.get::<Live>().is_none()
}

fn openapi_json(document: String) -> Response<Body> {
    ([(header::CONTENT_TYPE, "application/json")], document).into_response()
}

//! The services that the layers make.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderValue, Request, Response, StatusCode, header};
use tower_service::Service;

use super::{Watch, recording::Recording};

type Answer<R, E> = Pin<Box<dyn Future<Output = Result<Response<R>, E>> + Send>>;

/// Records every request and never waits for it; made by [`AuditLayer`](super::AuditLayer).
#[derive(Debug, Clone)]
pub struct AuditService<S> {
    inner: S,
    watch: Watch,
}

impl<S> AuditService<S> {
    pub(super) fn new(inner: S, watch: Watch) -> Self {
        Self { inner, watch }
    }
}

impl<S, B, R> Service<Request<B>> for AuditService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Answer<R, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let recording = Recording::begin(&request, &self.watch);
        let answer = self.inner.call(request);
        Box::pin(async move {
            // The one await here is the handler's own.
            let response = answer.await?;
            if let Some(recording) = recording {
                recording.finish(&response);
            }
            Ok(response)
        })
    }
}

/// Refuses what it cannot record; made by [`FailClosedLayer`](super::FailClosedLayer).
#[derive(Debug, Clone)]
pub struct FailClosedService<S> {
    inner: S,
    watch: Watch,
    within: Duration,
}

impl<S> FailClosedService<S> {
    pub(super) fn new(inner: S, watch: Watch, within: Duration) -> Self {
        Self { inner, watch, within }
    }
}

impl<S, B, R> Service<Request<B>> for FailClosedService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send,
    B: Send + 'static,
    R: From<String> + Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Answer<R, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(recording) = Recording::begin(&request, &self.watch) else {
            return Box::pin(self.inner.call(request));
        };
        // The one that is ready is the one to call.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let (producer, within) = (self.watch.producer.clone(), self.within);
        Box::pin(async move {
            let room = tokio::time::timeout(within, producer.room_for(recording.bytes())).await;
            let Ok(Ok(room)) = room else {
                let refusal = unavailable();
                recording.finish(&refusal);
                return Ok(refusal);
            };
            let response = inner.call(request).await?;
            let Ok(pending) = recording.finish_in(room, &response) else { return Ok(unavailable()) };
            match tokio::time::timeout(within, pending).await {
                Ok(Ok(_)) => Ok(response),
                _ => Ok(unavailable()),
            }
        })
    }
}

/// What a caller gets in place of an answer that could not be recorded.
fn unavailable<R: From<String>>() -> Response<R> {
    let problem = serde_json::json!({
        "type": "about:blank",
        "title": "Audit unavailable",
        "status": 503,
        "detail": "The request could not be recorded in the audit trail. Try again later.",
    });
    let mut response = Response::new(R::from(problem.to_string()));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

//! The middleware: what it records, and that it never waits.

use std::{
    convert::Infallible,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use audit_trail_client::middleware::{AuditLayer, Identity, PeerAddress};
use axum::{
    Extension, Router,
    body::{Body, Bytes},
    extract::Path,
    http::{Request, Response, StatusCode},
    routing::get,
};
use http_body_util::BodyExt as _;
use serde_json::Value;
use test_support::TestTopic;
use tower::{Layer as _, Service as _, ServiceExt as _, service_fn};

use crate::records::{Found, events, fill, producer, producer_to_nowhere};

const PATIENCE: Duration = Duration::from_mins(1);

fn request(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).expect("a request")
}

/// The proof that the middleware never slows a request: with Kafka and the registry away and the queue full, its future
/// is ready the first time it is polled, by a waker that nobody hears. There is nothing in it that could wait.
#[tokio::test]
async fn with_kafka_away_and_the_queue_full_a_request_is_answered_without_a_single_wait() {
    let audit = producer_to_nowhere();
    fill(&audit);
    let before = audit.stats();
    let handler = service_fn(|_: Request<Body>| {
        std::future::ready(Ok::<_, Infallible>(Response::new(Body::from("served"))))
    });
    let mut service = AuditLayer::new(audit.clone(), "shop").layer(handler);
    for _ in 0..1000 {
        let mut context = Context::from_waker(Waker::noop());
        assert!(service.poll_ready(&mut context).is_ready());
        let answer = pin!(service.call(request("/orders"))).poll(&mut context);
        let Poll::Ready(Ok(response)) = answer else { panic!("it waits for something") };
        assert_eq!(response.status(), StatusCode::OK);
    }
    let after = audit.stats();
    assert_eq!((after.taken, after.dropped), (before.taken, before.dropped + 1000));
}

fn shop(layer: AuditLayer) -> Router {
    Router::new()
        .route("/orders/{id}", get(|Path(id): Path<String>| async move { format!("order {id}") }))
        .route("/denied", get(|| async { StatusCode::FORBIDDEN }))
        .route(
            "/login",
            get(|| async {
                let identity =
                    Identity { user: Some("ana".to_owned()), organization: Some("acme".to_owned()) };
                (Extension(identity), "welcome")
            }),
        )
        .route("/health", get(|| async { "ok" }))
        .route("/panic", get(|| async { panic!("on purpose") as &'static str }))
        .layer(layer)
}

fn by_path<'a>(found: &'a [Found], path: &str) -> &'a Found {
    let mut matching = found.iter().filter(|event| event.payload()["path"] == path);
    let event = matching.next().unwrap_or_else(|| panic!("no event of {path}"));
    assert!(matching.next().is_none(), "two events of {path}");
    event
}

#[tokio::test]
async fn every_request_leaves_one_event_that_says_who_what_where_and_how_it_ended() {
    let topic = TestTopic::create(1).await;
    let audit = producer(&topic).await;
    let layer = AuditLayer::new(audit.clone(), "shop")
        .organization("demo")
        .trust("10.0.0.0/8".parse().expect("a network"))
        .except(|_, path| path == "/health");
    let app = shop(layer);
    let mut order = request("/orders/4711?card=4111");
    order.headers_mut().insert("x-forwarded-for", "203.0.113.9".parse().expect("a value"));
    order.extensions_mut().insert(PeerAddress([10, 1, 2, 3].into()));
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    order.headers_mut().insert("traceparent", parent.parse().expect("a value"));
    for request in [order, request("/denied"), request("/login"), request("/health"), request("/nowhere")] {
        let _ = app.clone().oneshot(request).await.expect("infallible");
    }
    let panicked = tokio::spawn(app.clone().oneshot(request("/panic"))).await;
    assert!(panicked.is_err());
    // A caller that goes away: the future is dropped half way.
    let stuck = service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, Infallible>>());
    drop(AuditLayer::new(audit.clone(), "shop").layer(stuck).oneshot(request("/gone-before-polled")));
    let mut half_way =
        Box::pin(AuditLayer::new(audit.clone(), "shop").layer(stuck).oneshot(request("/gone")));
    assert!(half_way.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(half_way);

    assert!(audit.flush(PATIENCE).await);
    let found = events(&topic).await;
    assert_eq!(found.len(), 6, "{found:#?}");
    let order = by_path(&found, "/orders/4711");
    assert_eq!(order.metadata()["action"], "GET /orders/{id}");
    assert_eq!(order.metadata()["ipAddress"], "203.0.113.9");
    assert_eq!(order.metadata()["organizationId"], "demo");
    assert_eq!(
        (&order.payload()["status"], &order.payload()["success"]),
        (&Value::from(200), &Value::from(true))
    );
    assert_eq!(order.envelope.aggregate_type, "Service");
    assert_eq!(order.traceparent.as_deref(), Some(parent));
    assert!(found.iter().all(|event| !event.envelope.payload.contains("4111")), "queries hold secrets");
    let denied = by_path(&found, "/denied");
    assert_eq!(
        (&denied.payload()["status"], &denied.payload()["success"]),
        (&Value::from(403), &Value::from(false))
    );
    let login = by_path(&found, "/login");
    assert_eq!((login.envelope.aggregate_type.as_str(), login.key.as_str()), ("User", "ana"));
    assert_eq!(login.metadata()["organizationId"], "acme");
    let nowhere = by_path(&found, "/nowhere");
    assert_eq!(nowhere.metadata()["action"], "GET /nowhere", "no route, so the path");
    for aborted in ["/panic", "/gone"] {
        assert_eq!(by_path(&found, aborted).payload()["aborted"], true, "{aborted}");
    }
}

/// The event is there while the body still streams, and the body's frames come as the handler makes them.
#[tokio::test]
async fn a_streaming_body_goes_on_streaming_untouched() {
    let topic = TestTopic::create(1).await;
    let audit = producer(&topic).await;
    let (chunks, stream) = tokio::sync::mpsc::unbounded_channel::<Result<Bytes, Infallible>>();
    let stream = Arc::new(std::sync::Mutex::new(Some(stream)));
    let handler = service_fn(move |_: Request<Body>| {
        let mut stream = stream.lock().expect("not poisoned").take().expect("one request");
        let frames = futures::stream::poll_fn(move |context| stream.poll_recv(context));
        std::future::ready(Ok::<_, Infallible>(Response::new(Body::from_stream(frames))))
    });
    let service = AuditLayer::new(audit.clone(), "shop").layer(handler);
    let mut body = service.oneshot(request("/feed")).await.expect("infallible").into_body();
    assert!(audit.flush(PATIENCE).await);
    assert_eq!(events(&topic).await.len(), 1, "before the first byte of the body");
    for chunk in ["one", "two", "three"] {
        chunks.send(Ok(Bytes::from_static(chunk.as_bytes()))).expect("the body is read");
        let frame = body.frame().await.expect("a frame").expect("infallible");
        assert_eq!(frame.into_data().expect("data"), chunk, "not merged, not held back");
    }
    drop(chunks);
    assert!(body.frame().await.is_none());
}

/// Told to fail closed, it answers only what Kafka has acknowledged.
#[tokio::test]
async fn failing_closed_the_answer_comes_after_the_acknowledgement() {
    let topic = TestTopic::create(1).await;
    let audit = producer(&topic).await;
    let app = Router::new()
        .route("/orders/{id}", get(|| async { "an order" }))
        .layer(AuditLayer::new(audit.clone(), "shop").fail_closed(PATIENCE));
    for _ in 0..5 {
        let answer = app.clone().oneshot(request("/orders/1")).await.expect("infallible");
        assert_eq!(answer.status(), StatusCode::OK);
        let stats = audit.stats();
        assert_eq!(
            (stats.waiting(), stats.taken),
            (0, stats.delivered),
            "acknowledged before the first byte"
        );
    }
    assert_eq!(events(&topic).await.len(), 5);
}

#[tokio::test]
async fn failing_closed_without_kafka_refuses_within_its_time_and_without_room_the_handler_is_not_called() {
    let audit = producer_to_nowhere();
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    let app = Router::new()
        .route(
            "/orders",
            get(move || async move {
                counted.fetch_add(1, Ordering::SeqCst);
                "an order"
            }),
        )
        .layer(AuditLayer::new(audit.clone(), "shop").fail_closed(Duration::from_millis(200)));
    let refused = app.clone().oneshot(request("/orders")).await.expect("infallible");
    assert_eq!((refused.status(), calls.load(Ordering::SeqCst)), (StatusCode::SERVICE_UNAVAILABLE, 1));
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    let body = refused.into_body().collect().await.expect("a body").to_bytes();
    let problem: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(problem["status"], 503);

    fill(&audit);
    let refused = app.oneshot(request("/orders")).await.expect("infallible");
    assert_eq!((refused.status(), calls.load(Ordering::SeqCst)), (StatusCode::SERVICE_UNAVAILABLE, 1));
}

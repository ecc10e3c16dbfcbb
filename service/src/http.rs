//! The accept loop: `axum::serve` has no header timeout and no cap on connections, so we own it.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, http::Request};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::Shutdown;

/// What a listener allows.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections open at once; more wait in the listen queue.
    pub max_connections: usize,
    /// How long a request's head may take to arrive, counted from the connection's or the last answer's end.
    pub header_timeout: Duration,
}

/// The other end of a request's connection: a client, or the last proxy before us. An extension of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// Serves until a stop is requested; returns when every connection has ended, or at once on an immediate stop.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: Shutdown,
) -> io::Result<()> {
    accept(listener, router, limits, None, shutdown).await
}

/// The same over TLS; a handshake has the time of a request's head.
pub async fn serve_tls(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    tls: Arc<ServerConfig>,
    shutdown: Shutdown,
) -> io::Result<()> {
    accept(listener, router, limits, Some(tls.into()), shutdown).await
}

async fn accept(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    tls: Option<TlsAcceptor>,
    shutdown: Shutdown,
) -> io::Result<()> {
    let permits = Arc::new(Semaphore::new(limits.max_connections));
    let connections = TaskTracker::new();
    loop {
        let permit = tokio::select! {
            () = shutdown.requested() => break,
            permit = Arc::clone(&permits).acquire_owned() => permit.map_err(io::Error::other)?,
        };
        let stream = tokio::select! {
            () = shutdown.requested() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    refused(&error).await;
                    continue;
                }
            },
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot switch off Nagle's algorithm");
        }
        let peer = stream.peer_addr().ok().map(Peer);
        let (router, shutdown, tls) = (router.clone(), shutdown.clone(), tls.clone());
        connections.spawn(async move {
            let _permit: OwnedSemaphorePermit = permit;
            match tls {
                None => converse(stream, router, limits.header_timeout, shutdown, peer).await,
                Some(tls) => {
                    if let Some(stream) = shake_hands(&tls, stream, limits.header_timeout, &shutdown).await {
                        converse(stream, router, limits.header_timeout, shutdown, peer).await;
                    }
                }
            }
        });
    }
    drop(listener);
    connections.close();
    tokio::select! {
        () = connections.wait() => {}
        () = shutdown.immediate() => {}
    }
    Ok(())
}

/// An accept that fails for one peer costs nothing; one for want of file descriptors would spin without a pause.
async fn refused(error: &io::Error) {
    let of_one_peer = matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    );
    if !of_one_peer {
        tracing::warn!(%error, "cannot accept a connection");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// `None` when there is nothing to talk over: the handshake failed, took too long, or a stop is asked for.
async fn shake_hands(
    tls: &TlsAcceptor,
    stream: TcpStream,
    patience: Duration,
    shutdown: &Shutdown,
) -> Option<TlsStream<TcpStream>> {
    tokio::select! {
        shaken = tokio::time::timeout(patience, tls.accept(stream)) => match shaken {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a TLS handshake failed");
                None
            }
            Err(_) => {
                tracing::debug!("a TLS handshake took too long");
                None
            }
        },
        () = shutdown.requested() => None,
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    router: Router,
    header_timeout: Duration,
    shutdown: Shutdown,
    peer: Option<Peer>,
) {
    let started = Arc::new(AtomicBool::new(false));
    let mark = Arc::clone(&started);
    let service = TowerToHyperService::new(router.map_request(move |mut request: Request<Incoming>| {
        mark.store(true, Ordering::Relaxed);
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        request.map(Body::new)
    }));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(header_timeout);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20))
        .max_concurrent_streams(128);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // hyper's own timeout starts only once it knows the protocol's version, so a silent peer needs another.
    let first_request = tokio::time::sleep(header_timeout);
    tokio::pin!(first_request);
    let (mut draining, mut waiting) = (false, true);
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
                return;
            }
            () = first_request.as_mut(), if waiting => {
                waiting = false;
                if !started.load(Ordering::Relaxed) {
                    return;
                }
            }
            () = shutdown.requested(), if !draining => {
                draining = true;
                connection.as_mut().graceful_shutdown();
            }
            () = shutdown.immediate() => return,
        }
    }
}

//! A TCP proxy that a test can cut, stall and slow down.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};
use tokio_util::sync::CancellationToken;

/// Passes bytes between clients and one server until told otherwise; ends with this value.
///
/// For PostgreSQL and HTTP. Kafka clients leave it after their first answer, which names the broker's own address.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    faults: Arc<watch::Sender<Faults>>,
    ended: CancellationToken,
}

#[derive(Debug, Clone)]
struct Faults {
    /// New connections are closed at once.
    refused: bool,
    /// Bytes stay where they are.
    stalled: bool,
    /// Each chunk waits so long.
    delay: Duration,
    /// The connection is cut when so many bytes have come from the server.
    cut_after: Option<u64>,
    /// Connections of an earlier generation are cut.
    generation: u64,
}

impl FaultProxy {
    /// A proxy on a free port in front of `host:port`.
    pub async fn start(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let initial =
            Faults { refused: false, stalled: false, delay: Duration::ZERO, cut_after: None, generation: 0 };
        let (faults, ended) = (Arc::new(watch::Sender::new(initial)), CancellationToken::new());
        let serving = accept(listener, server.to_owned(), Arc::clone(&faults), ended.clone());
        tokio::spawn(ended.clone().run_until_cancelled_owned(serving));
        Self { address, faults, ended }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// This URL with the proxy's address in place of the server's.
    pub fn url(&self, url: &str) -> String {
        let mut url = reqwest::Url::parse(url).expect("a URL");
        url.set_host(Some("127.0.0.1")).expect("a URL with a host");
        url.set_port(Some(self.address.port())).expect("a URL with a port");
        url.into()
    }

    /// Cuts every open connection; new ones work.
    pub fn cut(&self) {
        self.faults.send_modify(|faults| faults.generation += 1);
    }

    /// Cuts every open connection and closes new ones at once, until [`FaultProxy::heal`].
    pub fn refuse(&self) {
        self.faults.send_modify(|faults| {
            faults.refused = true;
            faults.generation += 1;
        });
    }

    /// Lets no byte through in either direction, without closing anything, until [`FaultProxy::heal`].
    pub fn stall(&self) {
        self.faults.send_modify(|faults| faults.stalled = true);
    }

    /// Holds every chunk back for so long.
    pub fn delay(&self, delay: Duration) {
        self.faults.send_modify(|faults| faults.delay = delay);
    }

    /// Cuts each connection once so many bytes, counted from its start, have come from the server.
    pub fn cut_after(&self, bytes: u64) {
        self.faults.send_modify(|faults| faults.cut_after = Some(bytes));
    }

    /// Ends every fault.
    pub fn heal(&self) {
        self.faults.send_modify(|faults| {
            let generation = faults.generation;
            *faults =
                Faults { refused: false, stalled: false, delay: Duration::ZERO, cut_after: None, generation };
        });
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

async fn accept(
    listener: TcpListener,
    server: String,
    faults: Arc<watch::Sender<Faults>>,
    ended: CancellationToken,
) {
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        if faults.borrow().refused {
            continue;
        }
        let (server, faults) = (server.clone(), faults.subscribe());
        let connection = async move {
            let upstream = TcpStream::connect(&server).await?;
            client.set_nodelay(true)?;
            upstream.set_nodelay(true)?;
            relay(client, upstream, faults).await
        };
        tokio::spawn(ended.clone().run_until_cancelled_owned(connection));
    }
}

async fn relay(
    client: TcpStream,
    upstream: TcpStream,
    mut faults: watch::Receiver<Faults>,
) -> io::Result<()> {
    let generation = faults.borrow().generation;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = upstream.into_split();
    let up = copy(from_client, to_server, faults.clone(), false);
    let down = copy(from_server, to_client, faults.clone(), true);
    tokio::select! {
        // One direction may end before the other: a client that has sent all and still listens.
        ended = async { tokio::try_join!(up, down) } => ended.map(|_| ()),
        _ = faults.wait_for(|now| now.generation != generation) => Ok(()),
    }
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut faults: watch::Receiver<Faults>,
    from_server: bool,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    let mut passed = 0_u64;
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            to.shutdown().await?;
            return Ok(());
        }
        faults.wait_for(|now| !now.stalled).await.map_err(io::Error::other)?;
        let (delay, cut_after) = {
            let now = faults.borrow();
            (now.delay, now.cut_after.filter(|_| from_server))
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let left = cut_after.map_or(u64::MAX, |bytes| bytes.saturating_sub(passed));
        let allowed = usize::try_from(left).unwrap_or(usize::MAX).min(read);
        to.write_all(&buffer[..allowed]).await?;
        passed += allowed as u64;
        if allowed < read || cut_after.is_some_and(|bytes| passed >= bytes) {
            to.flush().await?;
            return Err(io::Error::from(io::ErrorKind::ConnectionAborted));
        }
    }
}

//! A handshake for its reason alone: whoever speaks TLS by another library gets to know by it what is wrong.

use std::{
    io::{self, Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConnection, pki_types::ServerName};

use crate::{ClientTls, refusal};

/// How long connecting, and each answer, may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Shakes hands with `host:port` and hangs up; the sentence when that fails because of TLS. Blocks, some seconds at most.
pub fn handshake_fault(address: &str, tls: &ClientTls, authorities: &str) -> Option<String> {
    match shake_hands(address, tls) {
        Ok(()) => None,
        Err(error) => refusal(&error, authorities),
    }
}

fn shake_hands(address: &str, tls: &ClientTls) -> io::Result<()> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']);
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let place = address.to_socket_addrs()?.next().ok_or_else(|| io::Error::other("no address"))?;
    let mut stream = TcpStream::connect_timeout(&place, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let config = tls.config().map_err(io::Error::other)?;
    let mut session = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    while session.is_handshaking() {
        session.complete_io(&mut stream)?;
    }
    // With TLS 1.3 a server says only now whether it takes our certificate.
    let mut ended = rustls::Stream::new(&mut session, &mut stream);
    ended.flush()?;
    match ended.read(&mut [0]) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(error),
        _ => Ok(()),
    }
}

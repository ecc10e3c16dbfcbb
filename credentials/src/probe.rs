//! A handshake for its reason alone: whoever speaks TLS by another library gets to know by it what is wrong.

use std::{
    io::{self, Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConnection, StreamOwned, pki_types::ServerName};

use crate::{ClientTls, expiry, refusal};

/// How long connecting, and each answer, may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// PostgreSQL's SSLRequest: its length, and the number that is no version of the protocol.
const POSTGRESQL_ASKS: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// How a server is brought to speak TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// It speaks nothing else.
    Direct,
    /// PostgreSQL is asked for it in the clear.
    PostgreSql,
}

/// Shakes hands with `host:port` and hangs up; the sentence when that fails because of TLS. Blocks, some seconds at most.
pub fn handshake_fault(address: &str, tls: &ClientTls, authorities: &str) -> Option<String> {
    match shake_hands(address, Opening::Direct, tls).and_then(|session| session.map_or(Ok(()), is_taken)) {
        Ok(()) => None,
        Err(error) => refusal(&error, authorities),
    }
}

/// When the certificate ends that `host:port` shows, in seconds since 1970; `None` = it offers no TLS. An error is one of
/// connecting, or what [`refusal`] has a sentence for. Blocks, some seconds at most.
pub fn certificate_end(address: &str, opening: Opening, tls: &ClientTls) -> io::Result<Option<i64>> {
    let Some(session) = shake_hands(address, opening, tls)? else { return Ok(None) };
    let shown = session.conn.peer_certificates().and_then(<[_]>::first);
    Ok(shown.and_then(expiry::end_of))
}

type Session = StreamOwned<ClientConnection, TcpStream>;

/// A session after its handshake; `None` = the server offers no TLS.
fn shake_hands(address: &str, opening: Opening, tls: &ClientTls) -> io::Result<Option<Session>> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']);
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let config = tls.config().map_err(io::Error::other)?;
    let mut session = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let mut stream = connect(address)?;
    if opening == Opening::PostgreSql {
        stream.write_all(&POSTGRESQL_ASKS)?;
        let mut answer = [0];
        stream.read_exact(&mut answer)?;
        if answer != *b"S" {
            return Ok(None);
        }
    }
    while session.is_handshaking() {
        session.complete_io(&mut stream)?;
    }
    Ok(Some(StreamOwned::new(session, stream)))
}

/// The first of the name's addresses that takes a connection.
fn connect(address: &str) -> io::Result<TcpStream> {
    let mut failed = io::Error::other("no address");
    for place in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&place, PATIENCE) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// With TLS 1.3 a server says only after the handshake whether it takes our certificate.
fn is_taken(mut session: Session) -> io::Result<()> {
    session.flush()?;
    match session.read(&mut [0]) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(error),
        _ => Ok(()),
    }
}

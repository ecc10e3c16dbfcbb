//! Is a server ready? Small questions in its own protocol, each answered within a second or taken for "not yet".

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, bail};

const PATIENCE: Duration = Duration::from_secs(1);

/// How to ask one process whether it is ready.
#[derive(Clone, Debug)]
pub(crate) enum Probe {
    /// PostgreSQL accepts connections (`pg_isready`).
    Postgres { pg_isready: PathBuf, port: u16 },
    /// The broker answers a Metadata request and names at least one broker.
    Kafka { port: u16 },
    /// RabbitMQ opens the conversation when greeted.
    Amqp { port: u16 },
    /// Erlang's port mapper answers, and names its own port.
    Epmd { port: u16 },
    /// A GET is answered with 200.
    Http { port: u16, path: &'static str },
}

impl Probe {
    /// Asks once.
    pub(crate) fn is_ready(&self) -> bool {
        match self {
            Self::Postgres { pg_isready, port } => postgres_accepts(pg_isready, *port),
            Self::Kafka { port } => kafka_brokers(*port).is_ok_and(|brokers| brokers > 0),
            Self::Amqp { port } => amqp_opens(*port).unwrap_or(false),
            Self::Epmd { port } => mapper_names(*port).is_ok_and(|named| named == u32::from(*port)),
            Self::Http { port, path } => http_status(*port, path).is_ok_and(|status| status == 200),
        }
    }
}

fn postgres_accepts(pg_isready: &PathBuf, port: u16) -> bool {
    Command::new(pg_isready)
        .args(["--quiet", "--host=127.0.0.1", "--timeout=1"])
        .arg(format!("--port={port}"))
        .stdin(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn connect(port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// How many brokers the one at `port` knows: Metadata, version 1, of no topics.
fn kafka_brokers(port: u16) -> Result<i32> {
    let mut stream = connect(port)?;
    stream.write_all(&metadata_request())?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(i32::from_be_bytes(length))?;
    if !(8..=1 << 20).contains(&length) {
        bail!("an answer of {length} bytes is not Kafka's");
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    brokers_in(&answer)
}

fn metadata_request() -> Vec<u8> {
    let client = b"xtask";
    let mut body = Vec::new();
    body.extend(3_i16.to_be_bytes()); // api key: Metadata
    body.extend(1_i16.to_be_bytes()); // version
    body.extend(1_i32.to_be_bytes()); // correlation id
    body.extend(5_i16.to_be_bytes());
    body.extend(client);
    body.extend(0_i32.to_be_bytes()); // no topics
    let mut request = u32::try_from(body.len()).unwrap_or(0).to_be_bytes().to_vec();
    request.extend(body);
    request
}

/// The number of brokers in a Metadata answer: correlation id, then an array.
fn brokers_in(answer: &[u8]) -> Result<i32> {
    match answer {
        [0, 0, 0, 1, a, b, c, d, ..] => Ok(i32::from_be_bytes([*a, *b, *c, *d])),
        _ => bail!("not an answer to the question"),
    }
}

/// Whether a greeting in AMQP 0-9-1 is answered with a method on channel 0, as `connection.start` is.
fn amqp_opens(port: u16) -> Result<bool> {
    let mut stream = connect(port)?;
    stream.write_all(b"AMQP\x00\x00\x09\x01")?;
    let mut head = [0; 3];
    stream.read_exact(&mut head)?;
    Ok(head == [1, 0, 0])
}

/// The port that Erlang's port mapper names when asked for its nodes (`NAMES_REQ`).
fn mapper_names(port: u16) -> Result<u32> {
    let mut stream = connect(port)?;
    stream.write_all(&[0, 1, b'n'])?;
    let mut named = [0; 4];
    stream.read_exact(&mut named)?;
    Ok(u32::from_be_bytes(named))
}

/// The status code of a GET on loopback.
fn http_status(port: u16, path: &str) -> Result<u16> {
    let mut stream = connect(port)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    status_in(&head)
}

fn status_in(head: &[u8]) -> Result<u16> {
    let text = std::str::from_utf8(head)?;
    let Some(code) = text.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)) else {
        bail!("not HTTP: {text}")
    };
    Ok(code.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_request_says_its_own_length() {
        let request = metadata_request();
        let length = u32::from_be_bytes(request[..4].try_into().unwrap());
        assert_eq!(usize::try_from(length).unwrap(), request.len() - 4);
        assert_eq!(request[4..8], [0, 3, 0, 1]);
    }

    #[test]
    fn brokers_are_counted_only_in_the_right_answer() {
        assert_eq!(brokers_in(&[0, 0, 0, 1, 0, 0, 0, 1, 9]).unwrap(), 1);
        assert!(brokers_in(&[0, 0, 0, 2, 0, 0, 0, 1]).is_err());
        assert!(brokers_in(&[0, 0]).is_err());
    }

    #[test]
    fn http_status_is_read_from_the_first_line() {
        assert_eq!(status_in(b"HTTP/1.1 200").unwrap(), 200);
        assert_eq!(status_in(b"HTTP/1.0 503").unwrap(), 503);
        assert!(status_in(b"SSH-2.0-Open").is_err());
    }
}

//! A connection to RabbitMQ, made within bounds of time.

use std::{
    fmt,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_rs::TokioRuntime;
use credentials::{ClientTls, Secret, refusal};
use lapin::{
    Connection, ConnectionProperties, ErrorKind,
    tcp::{AsyncTcpStream, RustlsConnector},
    uri::{AMQPScheme, AMQPUri},
};
use secrecy::ExposeSecret;
use service::config::{ConfigError, RabbitMqSettings};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// How long connecting, and each request on a connection, may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The setting that says whom we trust.
const AUTHORITIES: &str = "rabbitmq.ca_file";

/// The greeting of AMQP 0-9-1.
const GREETING: &[u8; 8] = b"AMQP\x00\x00\x09\x01";

/// Where RabbitMQ is, and how it is spoken to.
#[derive(Clone)]
pub struct Broker {
    /// As it was at the start; a URL of a file is read again for each connection.
    uri: AMQPUri,
    url: Secret,
    heartbeat: u16,
    tls: ClientTls,
    was_silent: Arc<AtomicBool>,
}

/// RabbitMQ did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// It refused, or the connection or channel is gone.
    #[error("{0}")]
    Failed(#[from] lapin::Error),
    /// TLS failed; the text says why, and what to do.
    #[error("{0}")]
    Handshake(String),
    /// It did not answer in time.
    #[error("no answer within {seconds} s to: {0}", seconds = PATIENCE.as_secs())]
    Silent(&'static str),
}

impl BrokerError {
    /// The code of AMQP, such as 404, when RabbitMQ has closed the channel or the connection with one.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Failed(error) => match error.kind() {
                ErrorKind::ProtocolError(error) => Some(error.get_id()),
                _ => None,
            },
            Self::Handshake(_) | Self::Silent(_) => None,
        }
    }

    /// Whether something came that the client cannot read, such as a routing key that is not UTF-8.
    pub fn is_unreadable(&self) -> bool {
        matches!(self, Self::Failed(error) if matches!(error.kind(), ErrorKind::ParsingError(_)))
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URI holds the password.
        let authority = &self.uri.authority;
        f.debug_struct("Broker")
            .field("host", &authority.host)
            .field("port", &authority.port)
            .finish_non_exhaustive()
    }
}

impl Broker {
    /// By these settings; an error names the key.
    pub fn new(settings: &RabbitMqSettings) -> Result<Self, ConfigError> {
        let url = settings.url()?.clone();
        let heartbeat = u16::try_from(settings.heartbeat.as_secs()).unwrap_or(u16::MAX);
        let uri = parsed(url.expose_secret(), heartbeat).ok_or_else(|| {
            ConfigError::key("rabbitmq.url", "give a URL such as amqp://user:password@host:5672/vhost")
        })?;
        let tls = ClientTls::new("rabbitmq").trusting(settings.ca_file.as_deref());
        if uri.scheme == AMQPScheme::AMQPS {
            tls.config().map_err(|error| ConfigError::key(AUTHORITIES, error.to_string()))?;
        }
        Ok(Self { uri, url, heartbeat, tls, was_silent: Arc::default() })
    }

    /// The account it is spoken to as.
    pub fn user(&self) -> &str {
        &self.uri.authority.userinfo.username
    }

    /// Connects; `name` is what operators see in RabbitMQ.
    pub async fn connect(&self, name: &str) -> Result<Connection, BrokerError> {
        if self.was_silent.load(Ordering::Relaxed) && self.uri.scheme == AMQPScheme::AMQP {
            within("connecting", self.greet()).await?;
        }
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let now = parsed(self.url.latest().expose_secret(), self.heartbeat);
        let uri = now.unwrap_or_else(|| self.uri.clone());
        let connected = match uri.scheme {
            AMQPScheme::AMQP => within("connecting", Connection::connect_uri(uri, properties)).await,
            AMQPScheme::AMQPS => self.connect_tls(uri, properties).await,
        };
        self.was_silent.store(matches!(connected, Err(BrokerError::Silent(_))), Ordering::Relaxed);
        connected
    }

    /// By a TLS of ours: the client's own would trust the system's authorities beside the ones of the file.
    async fn connect_tls(
        &self,
        uri: AMQPUri,
        properties: ConnectionProperties,
    ) -> Result<Connection, BrokerError> {
        let config = self.tls.config().map_err(|error| BrokerError::Handshake(error.to_string()))?;
        let tls = RustlsConnector::from(config);
        let runtime = lapin::runtime::default_runtime()?;
        let stream = async move |uri: AMQPUri, runtime: TokioRuntime| {
            let authority = &uri.authority;
            let place = runtime.to_socket_addrs((authority.host.clone(), authority.port));
            let stream = AsyncTcpStream::connect(&runtime, place).await?;
            Ok(stream.into_rustls(&tls, &authority.host).await?)
        };
        let connected = within("connecting", Connection::connector(uri, runtime, stream, properties)).await;
        connected.map_err(|error| match &error {
            BrokerError::Failed(failed) => match failed.kind() {
                ErrorKind::IOError(cause) => {
                    refusal(&**cause, AUTHORITIES).map_or(error, BrokerError::Handshake)
                }
                _ => error,
            },
            _ => error,
        })
    }

    /// For a peer that takes the connection and says nothing the client waits without end, in a thread of its own: after
    /// the first time such a one is found out beforehand.
    async fn greet(&self) -> Result<(), lapin::Error> {
        let authority = &self.uri.authority;
        let mut stream = TcpStream::connect((authority.host.as_str(), authority.port)).await?;
        stream.write_all(GREETING).await?;
        stream.read_u8().await?;
        Ok(())
    }
}

/// `None` when it is not a URL of AMQP.
fn parsed(url: &str, heartbeat: u16) -> Option<AMQPUri> {
    let mut uri = AMQPUri::from_str(url).ok()?;
    if uri.vhost.is_empty() {
        // A slash at the end is a habit; a virtual host without a name is hardly ever meant.
        "/".clone_into(&mut uri.vhost);
    }
    uri.query.heartbeat = Some(heartbeat);
    Some(uri)
}

/// Waits for RabbitMQ's answer as long as is reasonable.
pub async fn within<T>(
    what: &'static str,
    request: impl Future<Output = Result<T, lapin::Error>>,
) -> Result<T, BrokerError> {
    match tokio::time::timeout(PATIENCE, request).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(BrokerError::Silent(what)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(url: &str) -> Result<Broker, ConfigError> {
        Broker::new(&RabbitMqSettings { url: Some(url.into()), ..RabbitMqSettings::default() })
    }

    #[test]
    fn the_url_gives_host_user_and_virtual_host_and_never_prints_its_password() {
        let found = broker("amqp://guest:hunter2@rabbitmq:5673/shop").unwrap();
        assert_eq!(
            (found.uri.vhost.as_str(), found.user(), found.uri.query.heartbeat),
            ("shop", "guest", Some(10))
        );
        assert!(!format!("{found:?}").contains("hunter2"));
        assert_eq!(broker("amqp://guest:guest@rabbitmq:5672").unwrap().uri.vhost, "/");
        assert_eq!(broker("amqp://guest:guest@rabbitmq:5672/").unwrap().uri.vhost, "/");
        assert_eq!(broker("amqps://h/%2f").unwrap().uri.vhost, "/");
        let error = broker("http://user:hunter2@h").unwrap_err().to_string();
        assert!(error.contains("`rabbitmq.url`") && !error.contains("hunter2"), "{error}");
    }
}

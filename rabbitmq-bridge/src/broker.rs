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

use lapin::{
    Connection, ConnectionProperties, ErrorKind,
    tcp::OwnedTLSConfig,
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

/// The greeting of AMQP 0-9-1.
const GREETING: &[u8; 8] = b"AMQP\x00\x00\x09\x01";

/// Where RabbitMQ is, and how it is spoken to.
#[derive(Clone)]
pub struct Broker {
    uri: AMQPUri,
    authorities: Option<String>,
    was_silent: Arc<AtomicBool>,
}

/// RabbitMQ did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// It refused, or the connection or channel is gone.
    #[error("{0}")]
    Failed(#[from] lapin::Error),
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
            Self::Silent(_) => None,
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
        let url = settings.url()?.expose_secret();
        let mut uri = AMQPUri::from_str(url).map_err(|_| {
            ConfigError::key("rabbitmq.url", "give a URL such as amqp://user:password@host:5672/vhost")
        })?;
        if uri.vhost.is_empty() {
            // A slash at the end is a habit; a virtual host without a name is hardly ever meant.
            "/".clone_into(&mut uri.vhost);
        }
        uri.query.heartbeat = Some(u16::try_from(settings.heartbeat.as_secs()).unwrap_or(u16::MAX));
        let read = |path: &String| {
            std::fs::read_to_string(path)
                .map_err(|error| ConfigError::key("rabbitmq.ca_file", format!("cannot be read: {error}")))
        };
        let authorities = settings.ca_file.as_ref().map(read).transpose()?;
        Ok(Self { uri, authorities, was_silent: Arc::default() })
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
        let tls = OwnedTLSConfig { identity: None, cert_chain: self.authorities.clone() };
        let runtime = lapin::runtime::default_runtime()?;
        let connecting = Connection::connect_uri_with_config(self.uri.clone(), properties, tls, runtime);
        let connected = within("connecting", connecting).await;
        self.was_silent.store(matches!(connected, Err(BrokerError::Silent(_))), Ordering::Relaxed);
        connected
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

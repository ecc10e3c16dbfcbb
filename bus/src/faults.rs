//! Why no broker is connected, in a sentence with the remedy. librdkafka tells it to a callback and to nobody else: its calls
//! only time out.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use credentials::{ClientTls, handshake_fault};
use rdkafka::{
    ClientConfig,
    client::ClientContext,
    error::KafkaError,
    producer::{BaseProducer, DeliveryResult, ProducerContext},
};

/// The setting that says whom Kafka's clients trust.
pub const AUTHORITIES: &str = "\"ssl.ca.location\" in kafka.properties";

/// What the callback said last of one client's brokers; cheap to clone.
#[derive(Debug, Clone)]
pub struct BrokerFaults {
    tls: ClientTls,
    last: Arc<Mutex<Last>>,
}

#[derive(Debug, Default)]
struct Last {
    /// As librdkafka said it.
    said: String,
    sentence: Option<String>,
}

impl BrokerFaults {
    /// For a client with these properties; nothing is wrong yet.
    pub fn new(config: &ClientConfig) -> Self {
        Self { tls: tls_of(config), last: Arc::default() }
    }

    /// What is wrong, if anything is.
    pub fn last(&self) -> Option<String> {
        self.lock().sentence.clone()
    }

    /// A broker answers.
    pub fn clear(&self) {
        *self.lock() = Last::default();
    }

    /// Takes what librdkafka says to its error callback.
    pub fn note(&self, reason: &str) {
        let bad = {
            let mut last = self.lock();
            // That all brokers are down follows from what was said of each.
            let is_summary = reason.ends_with("brokers are down") && !last.said.is_empty();
            if is_summary || without_count(&last.said) == without_count(reason) {
                return;
            }
            reason.clone_into(&mut last.said);
            let broker = broker_with_bad_certificate(reason).map(str::to_owned);
            last.sentence = broker.is_none().then(|| sentence(reason));
            broker
        };
        // OpenSSL's words for an unknown authority, a wrong name and an old certificate are the same: a handshake of our own
        // finds out which. In a thread, because librdkafka's waits for nobody.
        if let Some(broker) = bad {
            let (faults, reason) = (self.clone(), reason.to_owned());
            std::thread::spawn(move || {
                let found = handshake_fault(&broker, &faults.tls, AUTHORITIES);
                let mut last = faults.lock();
                if last.said == reason {
                    last.sentence =
                        Some(found.map_or_else(|| sentence(&reason), |found| format!("{broker}: {found}")));
                }
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What these properties say about certificates, for handshakes of our own.
pub(crate) fn tls_of(config: &ClientConfig) -> ClientTls {
    let file = |name| config.get(name).map(PathBuf::from);
    let tls = ClientTls::new("kafka").trusting(file("ssl.ca.location"));
    match file("ssl.certificate.location").zip(file("ssl.key.location")) {
        Some((certificate, key)) => tls.showing(certificate, key),
        None => tls,
    }
}

impl ClientContext for BrokerFaults {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka_error");
        self.note(reason);
    }
}

impl ProducerContext for BrokerFaults {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// Why no broker can be reached, by a client that is only made to hear it: the one for administrators does not listen.
/// Blocks; `None` when nothing is said within the time.
pub(crate) fn ask_why(config: &ClientConfig, patience: Duration) -> Option<String> {
    let faults = BrokerFaults::new(config);
    let client: BaseProducer<BrokerFaults> = config.create_with_context(faults.clone()).ok()?;
    let until = Instant::now() + patience;
    while Instant::now() < until {
        client.poll(Duration::from_millis(100));
        if let Some(reason) = faults.last() {
            return Some(reason);
        }
    }
    None
}

/// librdkafka counts how often it has said the same: "…: Connection refused (after 0ms in state CONNECT, 3 identical …)".
fn without_count(reason: &str) -> &str {
    reason.rsplit_once(" (after ").map_or(reason, |(reason, _)| reason)
}

fn broker_with_bad_certificate(reason: &str) -> Option<&str> {
    reason.contains("certificate verify failed").then(|| broker_of(reason)).flatten()
}

/// `host:port` of "sasl_ssl://host:port/bootstrap: SSL handshake failed: …".
fn broker_of(reason: &str) -> Option<&str> {
    let (_, rest) = reason.split_once("://")?;
    rest.split_once('/').map(|(broker, _)| broker)
}

fn sentence(reason: &str) -> String {
    let remedy = if reason.contains("certificate verify failed") {
        format!(
            "the broker's certificate is not trusted: name its authority by {AUTHORITIES}, and connect by its name"
        )
    } else if reason.contains("SASL")
        && (reason.contains("uthentication failed") || reason.contains("invalid credentials"))
    {
        "the broker refuses the account: are \"sasl.username\", \"sasl.password\" and \"sasl.mechanism\" in kafka.properties right?"
            .to_owned()
    } else if reason.contains("SSL handshake failed") || reason.contains("SSL_") {
        "TLS fails: does the listener speak it, and does it ask for a certificate of ours (\"ssl.certificate.location\")?".to_owned()
    } else if reason.contains("security.protocol") || reason.contains("ApiVersion") {
        "does the listener speak another \"security.protocol\" than kafka.properties says?".to_owned()
    } else if reason.ends_with("brokers are down") {
        // All that is said of a TLS listener that is spoken to in the clear.
        "they end connections without a word: is the cluster up, and does the listener speak another \"security.protocol\" than \
         kafka.properties says?"
            .to_owned()
    } else {
        return without_count(reason).to_owned();
    };
    let broker = broker_of(reason).map(|broker| format!("{broker}: ")).unwrap_or_default();
    format!("{broker}{remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_account_has_its_remedy() {
        let faults = BrokerFaults::new(&ClientConfig::new());
        faults.note(
            "sasl_ssl://k1:9093/bootstrap: SASL SCRAM-SHA-512 mechanism handshake failed: Broker: SASL Authentication failed: \
             Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-512 (after 5ms in state AUTH_REQ)",
        );
        let said = faults.last().unwrap();
        assert!(
            said.starts_with("k1:9093: the broker refuses the account") && said.contains("sasl.password"),
            "{said}"
        );
        faults.clear();
        assert_eq!(faults.last(), None);
    }

    #[test]
    fn what_is_not_known_is_said_as_it_is() {
        let faults = BrokerFaults::new(&ClientConfig::new());
        faults.note("127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)");
        assert_eq!(
            faults.last().as_deref(),
            Some("127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused")
        );
    }
}

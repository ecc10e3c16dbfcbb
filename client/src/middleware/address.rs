//! Whose address a request comes from, when proxies stand in between.

use std::{net::IpAddr, str::FromStr};

use http::HeaderMap;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The networks of proxies whose `X-Forwarded-For` is believed.
///
/// Read from addresses and networks with commas between them: `10.0.0.0/8, 192.168.1.7, fd00::/8`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<Network>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u32,
}

/// Not an address or a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address and no network: give such as 10.0.0.0/8 or 192.168.1.7")]
pub struct InvalidNetwork(String);

impl TrustedProxies {
    /// No proxy: the peer's address counts.
    pub fn none() -> Self {
        Self { networks: Vec::new() }
    }

    /// The nearest address that is not a trusted proxy's: the peer, or what the last trusted proxy says about its own
    /// peer. What an untrusted one claims is never believed.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let values: Vec<&str> =
            headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
        let mut claimed = values.iter().rev().flat_map(|value| value.rsplit(',')).map(str::trim);
        while self.trusts(client) {
            let Some(nearer) = claimed.next().and_then(address) else { break };
            client = nearer;
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.holds(address))
    }
}

/// An address as proxies write it: bare, with a port, IPv6 in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.parse().ok();
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    bare.or_else(with_port).or_else(in_brackets).map(|address: IpAddr| address.to_canonical())
}

impl Network {
    fn holds(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - self.prefix).unwrap_or(0);
                (network.to_bits() ^ address.to_bits()) & mask == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - self.prefix).unwrap_or(0);
                (network.to_bits() ^ address.to_bits()) & mask == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidNetwork(text.to_owned());
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(longest), str::parse).map_err(|_| invalid())?;
        if prefix > longest {
            return Err(invalid());
        }
        Ok(Self { address, prefix })
    }
}

impl FromStr for TrustedProxies {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        Ok(Self { networks: items.map(str::parse).collect::<Result<_, _>>()? })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn client(trusted: &str, peer: &str, forwarded: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(value));
        }
        let proxies: TrustedProxies = trusted.parse().expect("networks");
        proxies.client(peer.parse().expect("an address"), &headers).to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        assert_eq!(client("", "203.0.113.9", &["1.1.1.1"]), "203.0.113.9");
        assert_eq!(client("10.0.0.0/8", "203.0.113.9", &["1.1.1.1"]), "203.0.113.9");
        assert_eq!(client("10.0.0.0/8", "2001:db8::1", &["1.1.1.1"]), "2001:db8::1");
    }

    #[test]
    fn the_nearest_untrusted_address_counts_and_what_it_claims_does_not() {
        let trusted = "10.0.0.0/8, fd00::/8";
        assert_eq!(client(trusted, "10.1.2.3", &["6.6.6.6, 198.51.100.7, 10.9.9.9"]), "198.51.100.7");
        assert_eq!(client(trusted, "10.1.2.3", &["6.6.6.6", "198.51.100.7", "10.9.9.9"]), "198.51.100.7");
        assert_eq!(client(trusted, "fd00::5", &["[2001:db8::7]:443"]), "2001:db8::7");
        assert_eq!(client(trusted, "::ffff:10.1.2.3", &["198.51.100.7:5000"]), "198.51.100.7");
    }

    #[test]
    fn what_cannot_be_read_ends_the_walk_at_the_last_good_address() {
        assert_eq!(client("10.0.0.0/8", "10.1.2.3", &[]), "10.1.2.3");
        assert_eq!(client("10.0.0.0/8", "10.1.2.3", &["198.51.100.7, unknown"]), "10.1.2.3");
        assert_eq!(client("10.0.0.0/8", "10.1.2.3", &["10.0.0.1"]), "10.0.0.1");
    }

    #[test]
    fn prefixes_of_every_length_are_read() {
        assert_eq!(client("0.0.0.0/0", "9.9.9.9", &["1.1.1.1"]), "1.1.1.1");
        assert_eq!(client("9.9.9.9/32", "9.9.9.9", &["1.1.1.1"]), "1.1.1.1");
        assert_eq!(client("9.9.9.8/31,::/0", "9.9.9.10", &["1.1.1.1"]), "9.9.9.10");
        for bad in ["x", "10.0.0.0/33", "10.0.0.0/-1", "::/129", "10.0.0.0/8/8"] {
            assert!(bad.parse::<TrustedProxies>().is_err(), "{bad}");
        }
    }
}

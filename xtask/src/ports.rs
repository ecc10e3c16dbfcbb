//! Free ports, chosen once and kept: a bookmark or a client's configuration stays right over restarts.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::secrets::random_bytes;

/// Below the range from which the kernel takes ports for outgoing connections, so that no client sits on a kept port.
const RANGE: std::ops::Range<u16> = 15_000..32_000;

/// A port that a stack needs, and the number it would like best.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// The name under which the port is kept.
    pub(crate) name: &'static str,
    /// Taken when it is free at the first start.
    pub(crate) preferred: Option<u16>,
}

/// The ports of a stack, by name.
pub(crate) type Ports = BTreeMap<String, u16>;

/// What was kept from earlier runs, made complete, and the names whose kept port is now in use by somebody else.
pub(crate) struct Choice {
    /// One port a name.
    pub(crate) ports: Ports,
    /// Ports that had to move: (name, old, new).
    pub(crate) moved: Vec<(String, u16, u16)>,
}

/// Reads the ports kept in `path`, completes them with free ones and writes them back.
pub(crate) fn keep(path: &Path, wanted: &[Wanted]) -> Result<Choice> {
    let kept: Ports = match fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))?,
        Err(_) => Ports::new(),
    };
    let choice = choose(&kept, wanted, is_free, random_port)?;
    fs::write(path, serde_json::to_string_pretty(&choice.ports)? + "\n")
        .with_context(|| format!("writing {}", path.display()))?;
    Ok(choice)
}

/// The rule alone: a kept port stays while it is free; then the preferred one; then a candidate.
fn choose(
    kept: &Ports,
    wanted: &[Wanted],
    is_free: impl Fn(u16) -> bool,
    candidate: impl Fn() -> Result<u16>,
) -> Result<Choice> {
    let mut choice = Choice { ports: Ports::new(), moved: Vec::new() };
    for want in wanted {
        let old = kept.get(want.name).copied();
        let taken = |port: u16, ports: &Ports| ports.values().any(|other| *other == port);
        let first = old.or(want.preferred).filter(|port| is_free(*port) && !taken(*port, &choice.ports));
        let port = match first {
            Some(port) => port,
            None => free_candidate(&candidate, |port| {
                is_free(port) && !taken(port, &choice.ports) && !kept.values().any(|other| *other == port)
            })?,
        };
        if let Some(old) = old.filter(|old| *old != port) {
            choice.moved.push((want.name.to_owned(), old, port));
        }
        choice.ports.insert(want.name.to_owned(), port);
    }
    Ok(choice)
}

fn free_candidate(candidate: &impl Fn() -> Result<u16>, usable: impl Fn(u16) -> bool) -> Result<u16> {
    for _ in 0..1000 {
        let port = candidate()?;
        if usable(port) {
            return Ok(port);
        }
    }
    bail!("no free port found between {} and {}", RANGE.start, RANGE.end)
}

fn random_port() -> Result<u16> {
    let bytes: [u8; 2] = random_bytes()?;
    Ok(RANGE.start + u16::from_le_bytes(bytes) % (RANGE.end - RANGE.start))
}

/// Whether nobody listens on `port`, on loopback or on all addresses.
fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok() && TcpListener::bind(("0.0.0.0", port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: [Wanted; 2] =
        [Wanted { name: "api", preferred: Some(8080) }, Wanted { name: "kafka", preferred: None }];

    fn kept(pairs: &[(&str, u16)]) -> Ports {
        pairs.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect()
    }

    #[test]
    fn first_start_takes_the_preferred_port_when_free() {
        let choice = choose(&Ports::new(), &WANTED, |_| true, || Ok(20_000)).unwrap();
        assert_eq!(choice.ports, kept(&[("api", 8080), ("kafka", 20_000)]));
        assert!(choice.moved.is_empty());
    }

    #[test]
    fn first_start_goes_elsewhere_when_the_preferred_port_is_in_use() {
        let next = std::cell::Cell::new(20_000);
        let candidate = || {
            next.set(next.get() + 1);
            Ok(next.get())
        };
        let choice = choose(&Ports::new(), &WANTED, |port| port != 8080, candidate).unwrap();
        assert_eq!(choice.ports, kept(&[("api", 20_001), ("kafka", 20_002)]));
    }

    #[test]
    fn kept_ports_stay_even_when_the_preferred_one_is_free_again() {
        let choice =
            choose(&kept(&[("api", 20_001), ("kafka", 20_002)]), &WANTED, |_| true, || Ok(1)).unwrap();
        assert_eq!(choice.ports, kept(&[("api", 20_001), ("kafka", 20_002)]));
    }

    #[test]
    fn a_kept_port_in_use_moves_and_says_so() {
        let choice =
            choose(&kept(&[("api", 8080), ("kafka", 20_002)]), &WANTED, |port| port != 20_002, || Ok(20_003))
                .unwrap();
        assert_eq!(choice.ports["kafka"], 20_003);
        assert_eq!(choice.moved, vec![("kafka".to_owned(), 20_002, 20_003)]);
    }

    #[test]
    fn no_two_names_share_a_port() {
        let next = std::cell::Cell::new(0);
        let candidate = || {
            next.set(next.get() + 1);
            Ok(if next.get() < 5 { 8080 } else { 20_009 })
        };
        let choice = choose(&Ports::new(), &WANTED, |_| true, candidate).unwrap();
        assert_eq!(choice.ports, kept(&[("api", 8080), ("kafka", 20_009)]));
    }

    #[test]
    fn a_machine_without_a_free_port_is_an_error() {
        assert!(choose(&Ports::new(), &WANTED, |_| false, || Ok(20_000)).is_err());
    }

    #[test]
    fn a_listener_makes_its_port_not_free() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(!is_free(listener.local_addr().unwrap().port()));
    }
}

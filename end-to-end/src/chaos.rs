//! kill -9, at moments and of services that a seed decides.

use std::{collections::BTreeMap, time::Duration};

use nix::sys::signal::Signal;
use rand::{RngExt as _, rngs::StdRng, seq::SliceRandom as _};

use crate::{Stack, processes};

/// How often each service is killed in one round.
const ROUND: [(&str, usize); 5] =
    [("audit-ingestor", 4), ("postgres", 3), ("kafka", 2), ("schema-registry", 1), ("audit-api", 2)];
/// Between one kill and the next, milliseconds.
const PAUSE: std::ops::Range<u64> = 1_500..14_000;

/// Whom to kill, in which order.
pub fn schedule(chance: &mut StdRng, rounds: usize) -> Vec<&'static str> {
    let round = || ROUND.iter().flat_map(|(name, times)| std::iter::repeat_n(*name, *times));
    let mut victims: Vec<_> = (0..rounds).flat_map(|_| round()).collect();
    victims.shuffle(chance);
    victims
}

/// Kills them, one after the other. How often each was killed, which may be less than planned: who is dead already
/// cannot be killed.
pub async fn torment(
    stack: &Stack,
    victims: Vec<&'static str>,
    mut chance: StdRng,
) -> BTreeMap<&'static str, u32> {
    let mut kills = BTreeMap::new();
    for victim in victims {
        tokio::time::sleep(Duration::from_millis(chance.random_range(PAUSE))).await;
        let status = stack.status().await;
        let service = status.service(victim);
        if let Some(pid) = service.pid
            && processes::send(pid, Signal::SIGKILL)
        {
            eprintln!("kill -9 {victim} (pid {pid}, {})", service.state);
            *kills.entry(victim).or_default() += 1;
        }
    }
    kills
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;

    #[test]
    fn a_round_kills_everybody() {
        let mut chance = Seed::chosen("schedule").source("kills");
        let victims = schedule(&mut chance, 1);
        assert_eq!(victims.len(), 12);
        for (name, times) in ROUND {
            assert_eq!(victims.iter().filter(|victim| **victim == name).count(), times, "{name}");
        }
    }
}

//! kill -9 of the bridge, of RabbitMQ and of Kafka, at random moments, while a service publishes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use end_to_end::{Seed, Stack, chaos, is_long, stack::succeeded};
use rand::seq::SliceRandom as _;
use test_support::{
    rabbitmq::{
        Publisher, connect,
        numbered::{self, Copies},
    },
    wait_until,
};
use tokio_postgres::NoTls;

/// How often each is killed in one round.
const ROUND: [(&str, usize); 4] =
    [("audit-rabbitmq-bridge", 4), ("rabbitmq", 2), ("kafka", 1), ("audit-ingestor", 1)];

/// Long enough for everything to come back on a busy machine and to work off what waits.
const CALM: Duration = Duration::from_mins(4);

/// What RabbitMQ has confirmed. Each number is published once, whatever became of it.
async fn publish(url: String, stop: Arc<AtomicBool>) -> Vec<usize> {
    let (mut confirmed, mut number) = (Vec::new(), 0);
    while !stop.load(Ordering::Relaxed) {
        let connection = connect(&url).await;
        let Some(publisher) = Publisher::on(&connection).await else { continue };
        while !stop.load(Ordering::Relaxed) {
            let (properties, body) = numbered::message(number);
            number += 1;
            let publishing = publisher.publish("events", "user.updated", properties, &body);
            match tokio::time::timeout(Duration::from_secs(10), publishing).await {
                Ok(true) => confirmed.push(number - 1),
                // Nobody knows; the connection is not used again.
                Ok(false) | Err(_) => break,
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    confirmed
}

async fn copies(postgres: &str) -> Copies {
    let (client, connection) = tokio_postgres::connect(postgres, NoTls).await.expect("the database answers");
    tokio::spawn(connection);
    let statement = "select payload::text, metadata::text from audit.events where aggregate_type = 'User'";
    let mut copies = Copies::default();
    for row in client.query(statement, &[]).await.expect("events") {
        copies.count(row.get(0), row.get(1));
    }
    copies
}

/// Faults R1 to R4: acknowledged minus stored is nothing, and ids are stored once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_killed_each_message_that_rabbitmq_confirmed_is_an_event() {
    let seed = Seed::chosen("bridge");
    let mut stack = Stack::fresh("e2e-bridge").await;
    let status = stack.up().await;
    let stop = Arc::new(AtomicBool::new(false));
    let publishing = tokio::spawn(publish(status.rabbitmq().to_owned(), Arc::clone(&stop)));

    let mut chance = seed.source("kills");
    let rounds = if is_long() { 5 } else { 1 };
    let victims = || ROUND.iter().flat_map(|(name, times)| std::iter::repeat_n(*name, *times));
    let mut victims: Vec<_> = (0..rounds).flat_map(|_| victims()).collect();
    victims.shuffle(&mut chance);
    let kills = chaos::torment(&stack, victims, chance).await;
    assert!(kills.contains_key("rabbitmq") && kills.contains_key("audit-rabbitmq-bridge"), "{kills:?}");

    let status = stack.in_order(CALM).await;
    stop.store(true, Ordering::Relaxed);
    let confirmed = publishing.await.expect("the publisher does not panic");
    eprintln!("{} messages confirmed", confirmed.len());
    assert!(confirmed.len() > 1000, "hardly any load: {} messages", confirmed.len());
    let postgres = status.postgres();
    wait_until("everything confirmed is stored", CALM, || async {
        copies(postgres).await.hold(&confirmed).then_some(())
    })
    .await;
    copies(postgres).await.check(&confirmed);
    succeeded("trailctl verify", &stack.trailctl(&["verify"]).await);
}

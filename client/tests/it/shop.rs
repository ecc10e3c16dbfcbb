//! The example service, run as it is: what its callers do is in the trail.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use test_support::{TestTopic, servers, wait_until};

use crate::records::{events, settings};

struct Shop {
    child: Child,
    url: String,
}

impl Shop {
    fn open(topic: &TestTopic) -> Self {
        // target/debug/deps/it-…: the examples are beside deps.
        let test = std::env::current_exe().expect("a test is a file");
        let program = test.ancestors().nth(2).expect("a folder").join("examples/shop");
        let mut child = Command::new(program)
            .args(["--kafka", &servers::kafka_bootstrap(), "--registry", &servers::registry_url()])
            .args(["--topic", topic.name(), "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example is built with the tests");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let url = line.trim().strip_prefix("the shop is open at ").expect("its address").to_owned();
        Self { child, url }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn the_example_shop_is_audited() {
    let topic = TestTopic::create(1).await;
    settings(&topic).await;
    let shop = Shop::open(&topic);
    let client = reqwest::Client::new();
    let order = json!({"sku": "tea", "quantity": 2});
    let placing = client.post(format!("{}/orders", shop.url)).header("x-user", "ana").json(&order);
    let placed = placing.send().await.expect("an answer");
    assert_eq!(placed.status(), 201);
    let placed: Value = placed.json().await.expect("JSON");
    let id = placed["id"].as_str().expect("an id");
    let url = format!("{}/orders/{id}", shop.url);
    let correcting = client.patch(&url).header("x-user", "bob").json(&json!({"quantity": 3}));
    assert_eq!(correcting.send().await.expect("an answer").status(), 200);
    assert_eq!(client.get(format!("{}/health", shop.url)).send().await.expect("an answer").status(), 200);
    assert_eq!(
        client.get(format!("{}/orders/none", shop.url)).send().await.expect("an answer").status(),
        404
    );

    let found = wait_until("five events are there", Duration::from_mins(1), || async {
        Some(events(&topic).await).filter(|found| found.len() == 5)
    })
    .await;
    let types: Vec<&str> = found.iter().map(|event| event.envelope.event_type.as_str()).collect();
    assert_eq!(types, ["OrderPlaced", "HttpRequest", "OrderCorrected", "HttpRequest", "HttpRequest"]);
    let [placed, asked, corrected, ..] = &found[..] else { unreachable!("five were found") };
    assert_eq!((placed.key.as_str(), placed.envelope.version), (id, 1));
    assert_eq!(asked.metadata()["action"], "POST /orders");
    assert_eq!(
        (asked.metadata()["userId"].as_str(), asked.metadata()["ipAddress"].as_str()),
        ("ana", "127.0.0.1")
    );
    assert_eq!(corrected.payload(), json!({"changes": {"quantity": {"old": 2, "new": 3}}}));
    assert_eq!((corrected.envelope.version, corrected.metadata()["userId"].as_str()), (2, "bob"));
}

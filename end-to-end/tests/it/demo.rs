//! `cargo xtask up --demo`: a shop to look at.

use std::time::Duration;

use end_to_end::{Stack, stack::succeeded};
use serde_json::Value;
use test_support::wait_until;

/// The sample is stored whole, its organisation sees it, it holds what should be noticed, and there is nothing to find.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_feeds_a_shop_that_can_be_looked_at() {
    let stack = Stack::fresh("e2e-demo").await;
    succeeded("xtask up --demo", &stack.xtask(&["up", "--detach", "--demo"]).await);
    let status = stack.in_order(Duration::from_mins(2)).await;
    let count = |filter: &'static str| {
        let url = format!("{}/v1/events?limit=1&count=exact{filter}", status.api());
        let asked = reqwest::Client::new().get(url).bearer_auth(&status.tokens().org_admin).send();
        async move {
            let page: Value = asked.await.expect("the API answers").json().await.expect("JSON");
            page["page"]["total"].as_u64().unwrap_or_else(|| panic!("no total: {page}"))
        }
    };
    wait_until("the sample is stored", Duration::from_mins(2), || async {
        (count("").await == 2000).then_some(())
    })
    .await;
    assert!(count("&eventType=LOGIN_FAILED").await >= 12);
    assert_eq!(count("&eventType=DATA_EXPORT").await, 60);
    assert_eq!(count("&eventType=Document.Deleted").await, 60);
    assert!(count("&eventType=Order.Created").await > 50);
    let verified = succeeded("trailctl verify", &stack.trailctl(&["verify", "--output", "json"]).await);
    let verified: Value = serde_json::from_str(&verified).expect("JSON");
    assert_eq!(verified["clean"], true, "{verified}");
    // The sample, and who has looked at it here.
    assert!(verified["events"].as_u64() > Some(2000), "{verified}");
    succeeded("xtask down", &stack.down().await);
}

//! The restore drill: a copy restored to a moment is proved equal, and goes on without losing or doubling anything.

use std::process::Command;

use end_to_end::{
    Seed,
    drill::{Drill, root, verify},
    stack::text,
};
use test_support::daemon::binary_path;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_copy_is_proved_equal_and_goes_on_from_its_own_positions() {
    let drill = Drill { stage: 200, rate: 300, tell: &|_| {} };
    let restored = drill.lose_and_restore(Seed::chosen("restore")).await;

    // The copy is what the source was at that moment: clean, and under the same root.
    assert_eq!(restored.prove(&|_| {}).await, Ok(()));
    let (config, then, whole) = (&restored.config, &restored.at_moment, &restored.at_end);
    assert!(then.size > 0 && then.size < whole.size, "{then:?} {whole:?}");

    // One that was cut off, or is of another moment, is noticed.
    let (_, code) = root(config, &["--at", &whole.size.to_string()]).await;
    assert_eq!(code, Some(1), "it ends before");
    let (_, code) = root(config, &["--expect", &whole.root]).await;
    assert_eq!(code, Some(1), "another moment");

    restored.go_on().await;
    verify(config).await.expect("the copy that went on is clean");
    let at_moment = ["--at", &then.size.to_string(), "--expect", &then.root];
    let (_, code) = root(config, &at_moment).await;
    assert_eq!(code, Some(0), "what was restored is still what it was");

    // An altered copy is noticed: a row by verify, the account itself by the root.
    let tamper = "set session_replication_role = replica; alter table audit.appends disable trigger user;
        update audit.appends set recorded_at = recorded_at + interval '1 microsecond' where append_no = 1";
    restored.connect().await.batch_execute(tamper).await.expect("a superuser can");
    let (_, code) = root(config, &at_moment).await;
    assert_eq!(code, Some(1), "an altered account has another root");
    restored.alter_a_row().await;
    verify(config).await.expect_err("an altered row is found");
}

#[test]
fn the_command_ends_with_what_differs() {
    let program = binary_path("restore-drill");
    let mut drill = Command::new(&program);
    drill.args(["--events", "300", "--alter"]).env("AUDIT_TEST_BIN", program.parent().expect("a folder"));
    let output = drill.output().expect("it can be started");
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}{}", text(&output.stderr));
    assert!(
        said.contains("NOT EQUAL: trailctl verify of the copy: ") && said.contains(" in events: "),
        "{said}"
    );
}

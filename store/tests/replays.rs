//! Replay jobs: one runner at a time, moved only by whoever has it.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod support;

use std::time::Duration;

use shared::position::Position;
use store::replays::{Exactness, JobState, NewJob, Progress, Wish};
use store::{ApiWriter, Reader, RecordedCursor};
use support::*;
use uuid::Uuid;

const LEASE: Duration = Duration::from_mins(1);
const OVER: Duration = Duration::ZERO;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn job(number: u128) -> NewJob {
    NewJob {
        job_id: id(number),
        event_id: id(1000 + number),
        topic: "replays".to_owned(),
        filter: r#"{"userId":["ana"]}"#.to_owned(),
        organization_id: number.is_multiple_of(2).then(|| "acme".to_owned()),
        rate: Some(100),
        after: RecordedCursor { append_no: 3, offset: Some(7) },
        until_append: 9,
        expected: Some((50, Exactness::AtMost)),
        created_by: "olga".to_owned(),
    }
}

async fn reader(database: &TestDatabase) -> Reader {
    Reader::connect(&database.url("audit_api"), 2, "store-test").await.unwrap()
}

fn writer(database: &TestDatabase) -> ApiWriter {
    ApiWriter::new(&database.url("audit_api"), 2, "store-test").unwrap()
}

#[tokio::test]
async fn a_job_has_one_runner_and_a_late_one_changes_nothing() {
    let database = TestDatabase::create().await;
    let (writer, reader) = (writer(&database), reader(&database).await);
    assert!(writer.create_replay_job(&job(1), 10).await.unwrap());
    let made = reader.find_replay_job(id(1), None).await.unwrap().unwrap();
    assert_eq!(
        (made.state, made.is_held, made.expected),
        (JobState::Running, false, Some((50, Exactness::AtMost)))
    );

    let first = writer.claim_replay_job(id(71), OVER).await.unwrap().unwrap();
    assert_eq!(first.progress.reached, RecordedCursor { append_no: 3, offset: Some(7) });
    // Its lease is over at once: another one takes the job, and a third finds none.
    let second = writer.claim_replay_job(id(72), LEASE).await.unwrap().unwrap();
    assert!(writer.claim_replay_job(id(73), LEASE).await.unwrap().is_none());
    let progress = Progress {
        reached: RecordedCursor { append_no: 5, offset: None },
        last: Some(Position { log_id: 1, offset: 42 }),
        sent: 10,
        sent_bytes: 999,
    };
    assert_eq!(writer.save_replay_progress(&first.runner, &progress).await.unwrap(), None);
    assert_eq!(writer.renew_replay_lease(&first.runner, None).await.unwrap(), None);
    assert!(!writer.finish_replay_job(&first.runner, id(2000)).await.unwrap());
    writer.release_replay_job(&first.runner).await.unwrap();
    assert_eq!(
        writer.save_replay_progress(&second.runner, &progress).await.unwrap(),
        Some(JobState::Running)
    );
    assert_eq!(
        writer.renew_replay_lease(&second.runner, Some("Kafka")).await.unwrap(),
        Some(JobState::Running)
    );
    let shown = reader.find_replay_job(id(1), None).await.unwrap().unwrap();
    assert_eq!((shown.is_held, shown.sent, shown.sent_bytes, shown.reached_append), (true, 10, 999, 5));
    assert_eq!((shown.last, shown.trouble.as_deref()), (progress.last, Some("Kafka")));

    // Let go, it goes on where it was saved.
    writer.release_replay_job(&second.runner).await.unwrap();
    let third = writer.claim_replay_job(id(73), LEASE).await.unwrap().unwrap();
    assert_eq!((third.progress.reached, third.progress.sent), (progress.reached, 10));
    assert!(writer.finish_replay_job(&third.runner, id(2001)).await.unwrap());
    let ended = reader.find_replay_job(id(1), None).await.unwrap().unwrap();
    assert_eq!((ended.state, ended.is_held, ended.ended_at.is_some()), (JobState::Finished, false, true));
    assert!(writer.claim_replay_job(id(74), LEASE).await.unwrap().is_none());
}

#[tokio::test]
async fn wishes_move_a_job_only_from_states_that_allow_them_and_leave_a_step_each() {
    let database = TestDatabase::create().await;
    let (writer, reader) = (writer(&database), reader(&database).await);
    let wish = async |number: u128, wish, event: u128| {
        writer.change_replay_job(id(number), None, wish, "petra", id(event)).await.unwrap()
    };
    writer.create_replay_job(&job(1), 10).await.unwrap();
    assert!(!wish(1, Wish::Resume, 1).await, "it runs already");
    let runner = writer.claim_replay_job(id(71), LEASE).await.unwrap().unwrap().runner;
    assert!(wish(1, Wish::Pause, 2).await && !wish(1, Wish::Pause, 3).await);
    // What was on its way is saved all the same, and the runner told.
    let progress = Progress { reached: RecordedCursor::after_append(5), last: None, sent: 1, sent_bytes: 1 };
    assert_eq!(writer.save_replay_progress(&runner, &progress).await.unwrap(), Some(JobState::Paused));
    assert!(!writer.finish_replay_job(&runner, id(4)).await.unwrap(), "not while it is paused");
    writer.release_replay_job(&runner).await.unwrap();
    assert!(writer.claim_replay_job(id(72), LEASE).await.unwrap().is_none());
    assert!(wish(1, Wish::Resume, 5).await);
    let runner = writer.claim_replay_job(id(72), LEASE).await.unwrap().unwrap().runner;
    assert!(writer.fail_replay_job(&runner, "the topic is gone", id(6)).await.unwrap());
    let failed = reader.find_replay_job(id(1), None).await.unwrap().unwrap();
    assert_eq!((failed.state, failed.trouble.as_deref()), (JobState::Failed, Some("the topic is gone")));
    assert!(wish(1, Wish::Resume, 7).await && wish(1, Wish::Cancel, 8).await);
    assert!(
        !wish(1, Wish::Resume, 9).await
            && !wish(1, Wish::Pause, 10).await
            && !wish(2, Wish::Cancel, 11).await
    );

    let steps = writer.unpublished_replay_steps(100).await.unwrap();
    let words: Vec<_> =
        steps.iter().map(|step| (step.version, step.kind.as_str(), step.by_whom.as_str())).collect();
    assert_eq!(
        words,
        [
            (1, "started", "olga"),
            (2, "paused", "petra"),
            (3, "resumed", "petra"),
            (4, "failed", "olga"),
            (5, "resumed", "petra"),
            (6, "cancelled", "petra"),
        ]
    );
    assert_eq!((steps[3].detail.as_str(), steps[3].sent), ("the topic is gone", 1));
    writer.mark_replay_step_published(&steps[0]).await.unwrap();
    assert_eq!(writer.unpublished_replay_steps(100).await.unwrap().len(), 5);
}

#[tokio::test]
async fn an_organisation_has_its_own_jobs_and_only_so_many_may_be_open() {
    let database = TestDatabase::create().await;
    let (writer, reader) = (writer(&database), reader(&database).await);
    for number in 1..=4 {
        assert!(writer.create_replay_job(&job(number), 4).await.unwrap());
    }
    assert!(!writer.create_replay_job(&job(5), 4).await.unwrap());
    let page = async |organization_id: Option<&str>, limit| {
        let request = store::replays::JobRequest {
            organization_id: organization_id.map(str::to_owned),
            limit,
            ..Default::default()
        };
        let (jobs, more) = reader.replay_jobs(&request).await.unwrap();
        (jobs.iter().map(|job| job.job_id.as_u128()).collect::<Vec<_>>(), more)
    };
    assert_eq!(page(None, 3).await, (vec![4, 3, 2], true));
    assert_eq!(page(Some("acme"), 3).await, (vec![4, 2], false));
    assert_eq!(page(Some("other"), 3).await, (vec![], false));
    assert!(reader.find_replay_job(id(1), Some("acme")).await.unwrap().is_none());
    let cancel = writer.change_replay_job(id(1), Some("acme"), Wish::Cancel, "eve", id(9)).await.unwrap();
    assert!(!cancel, "nobody's job but its own");
    assert!(writer.change_replay_job(id(2), Some("acme"), Wish::Cancel, "ana", id(9)).await.unwrap());
    assert!(writer.create_replay_job(&job(5), 4).await.unwrap(), "one has ended");
}

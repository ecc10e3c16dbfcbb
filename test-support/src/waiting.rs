//! Waiting for something to become true, with a deadline and a useful word when it does not.

use std::time::{Duration, Instant};

/// Asks every 50 ms until there is an answer; panics with what was waited for when the deadline passes.
///
/// A single question that hangs counts against the deadline too.
pub async fn wait_until<T, F, R>(what: &str, deadline: Duration, mut ask: F) -> T
where
    F: FnMut() -> R,
    R: Future<Output = Option<T>>,
{
    let started = Instant::now();
    let waiting = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(deadline, waiting)
        .await
        .unwrap_or_else(|_| panic!("waited {:?} in vain until {what}", started.elapsed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_answer_ends_the_wait() {
        let mut asked = 0;
        let answer = wait_until("three", Duration::from_secs(5), || {
            asked += 1;
            let now = asked;
            async move { (now == 3).then_some(now) }
        })
        .await;
        assert_eq!(answer, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "in vain until the cows come home")]
    async fn a_deadline_names_what_was_waited_for() {
        wait_until("the cows come home", Duration::from_millis(120), || async { None::<()> }).await;
    }

    #[tokio::test]
    #[should_panic(expected = "in vain")]
    async fn a_question_that_hangs_ends_too() {
        wait_until("an answer", Duration::from_millis(120), std::future::pending::<Option<()>>).await;
    }
}

//! Hints that something in the store was written: by the system in a directory, by the clock on S3.

use std::time::{Duration, Instant};

use super::directory::Watch;
use super::identity;

/// Between these two times after the last look another one is due where nothing hints at a write.
const SHORTEST_REST: Duration = Duration::from_secs(2);
const LONGEST_REST: Duration = Duration::from_secs(5);
const SPREAD: Duration = LONGEST_REST.saturating_sub(SHORTEST_REST);

/// Wakes its holder soon after something below a prefix was written.
///
/// It promises nothing: it may wake for nothing, for the holder's own writes, or only when the time
/// given is over. What happened, only reading tells.
#[derive(Debug)]
pub struct Changes(Source);

#[derive(Debug)]
enum Source {
    Watched(Watch),
    /// When the next look is due.
    Polled(Instant),
}

impl Changes {
    pub(super) const fn watched(watch: Watch) -> Self {
        Self(Source::Watched(watch))
    }

    /// S3 tells nobody of a write.
    pub(super) fn polled() -> Self {
        Self(Source::Polled(Instant::now() + rest()))
    }

    /// Waits until something may have been written, `at_most` this long. Answers whether a look at the store is
    /// due: always in a directory; every 2 to 5 s where each look is a call, so that who wakes more often for
    /// other reasons need not look each time. Who waits for one document looks whatever the answer is.
    ///
    /// *Cancellation*: safe; the hint is kept for the next call.
    pub async fn changed(&mut self, at_most: Duration) -> bool {
        match &mut self.0 {
            Source::Watched(watch) => {
                watch.changed(at_most).await;
                true
            }
            Source::Polled(due) => {
                let until_due = due.saturating_duration_since(Instant::now());
                tokio::time::sleep(at_most.min(until_due.max(at_most.min(SHORTEST_REST)))).await;
                let is_due = Instant::now() >= *due;
                if is_due {
                    *due = Instant::now() + rest();
                }
                is_due
            }
        }
    }
}

/// A random time, so that the nodes of a cluster do not all look at once.
fn rest() -> Duration {
    let random = identity::random_bytes::<1>().map_or(128, |[random]| u32::from(random));
    SHORTEST_REST + SPREAD * random / 255
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_poll_lasts_as_long_as_it_was_given_and_says_rarely_that_a_look_is_due() {
        let mut changes = Changes::polled();
        let began = Instant::now();
        assert!(!changes.changed(Duration::from_millis(25)).await);
        assert!((25..1_000).contains(&began.elapsed().as_millis()));
        changes.0 = Source::Polled(Instant::now());
        let began = Instant::now();
        assert!(changes.changed(Duration::from_millis(50)).await, "it is due");
        assert!(
            !changes.changed(Duration::from_millis(50)).await,
            "for a while it is not"
        );
        assert!((100..1_900).contains(&began.elapsed().as_millis()));
        changes.0 = Source::Polled(Instant::now() + Duration::from_millis(100));
        let began = Instant::now();
        changes.changed(Duration::from_hours(1)).await;
        assert!(
            began.elapsed() < Duration::from_secs(6),
            "nobody waits longer than a rest"
        );
        for _ in 0..100 {
            assert!((SHORTEST_REST..=LONGEST_REST).contains(&rest()));
        }
    }
}

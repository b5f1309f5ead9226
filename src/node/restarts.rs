//! When a Kafka that died may start again. Pure: the time is an argument.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::store::documents::ProblemCode;

/// The first wait after a death; doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// After a death of a full disk. Each start until there is room is in vain, and costs a JVM's start.
const FULL_DISK_WAIT: Duration = Duration::from_secs(30);
/// This many deaths within [`WINDOW`] are no accident any more: a person has to look.
const TOO_MANY: usize = 5;
/// The window of [`TOO_MANY`]. With waits of 1 to 16 s a Kafka that dies at start reaches it in a minute.
const WINDOW: Duration = Duration::from_mins(10);

/// What to do after a death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Start again after this time.
    StartAfter(Duration),
    /// Stay down until a person or another document says otherwise.
    Hold,
}

/// The deaths of a node's Kafka that nobody asked for.
#[derive(Debug, Default)]
pub(crate) struct Restarts {
    deaths: VecDeque<Timestamp>,
    total: u32,
}

impl Restarts {
    /// Counts a death. `jitter` in 0..=255 spreads the starts of nodes that died together.
    #[must_use]
    pub(crate) fn after_death(&mut self, now: Timestamp, jitter: u8, cause: ProblemCode) -> Verdict {
        self.total = self.total.saturating_add(1);
        if cause == ProblemCode::DiskFull {
            // Whoever makes room need not tell the agent, however long it takes.
            return Verdict::StartAfter(FULL_DISK_WAIT);
        }
        while self
            .deaths
            .front()
            .is_some_and(|death| now.since(*death) > WINDOW)
        {
            self.deaths.pop_front();
        }
        self.deaths.push_back(now);
        if self.deaths.len() >= TOO_MANY {
            return Verdict::Hold;
        }
        let doublings = u32::try_from(self.deaths.len() - 1).unwrap_or(u32::MAX);
        let wait = FIRST_WAIT
            .saturating_mul(2u32.saturating_pow(doublings))
            .min(LONGEST_WAIT);
        // Up to a quarter more.
        Verdict::StartAfter(wait + wait.mul_f64(f64::from(jitter) / 1024.0))
    }

    /// Forgets the deaths so far, after a person or another document asked for a new try.
    pub(crate) fn forget(&mut self) {
        self.deaths.clear();
    }

    /// How often Kafka died since the agent started.
    pub(crate) const fn total(&self) -> u32 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ProblemCode::{DiskFull, Other};

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn waits_double_and_the_fifth_death_in_ten_minutes_holds() {
        let mut restarts = Restarts::default();
        let waits: Vec<_> = (0..5)
            .map(|n| restarts.after_death(at(n * 60), 0, Other))
            .collect();
        let wait = |seconds| Verdict::StartAfter(Duration::from_secs(seconds));
        assert_eq!(waits, [wait(1), wait(2), wait(4), wait(8), Verdict::Hold]);
        assert_eq!(restarts.total(), 5);
        restarts.forget();
        assert_eq!(restarts.after_death(at(301), 0, Other), wait(1));
        assert_eq!(restarts.total(), 6);
    }

    #[test]
    fn deaths_far_apart_never_hold() {
        let mut restarts = Restarts::default();
        for n in 0..100 {
            assert_eq!(
                restarts.after_death(at(n * 601), 0, Other),
                Verdict::StartAfter(FIRST_WAIT)
            );
        }
    }

    #[test]
    fn deaths_of_a_full_disk_never_hold_and_do_not_count_against_others() {
        let mut restarts = Restarts::default();
        for n in 0..100 {
            let verdict = restarts.after_death(at(n), 0, DiskFull);
            assert_eq!(verdict, Verdict::StartAfter(FULL_DISK_WAIT));
        }
        assert_eq!(restarts.total(), 100);
        assert_eq!(
            restarts.after_death(at(100), 0, Other),
            Verdict::StartAfter(FIRST_WAIT)
        );
    }

    #[test]
    fn jitter_adds_at_most_a_quarter() {
        let Verdict::StartAfter(wait) = Restarts::default().after_death(at(0), 255, Other) else {
            panic!("held")
        };
        assert!(wait > FIRST_WAIT && wait < FIRST_WAIT.mul_f64(1.25));
    }
}

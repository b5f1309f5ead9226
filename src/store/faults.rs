//! Failures on demand, for tests of what must survive them.
//!
//! An *effect* is a write or a deletion; they are counted from 1 over all clones of a [`Faults`]. A
//! test first runs without rules to learn how many effects there are, then once for each of them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::backend::{Answer, Backend, Condition, Deleted, Durability, Look, Page, Stored, Version, Written};
use super::changes::Changes;
use super::{Error, Key, Prefix, Store};
use crate::clock::Timestamp;

/// When a failure strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The effect does not happen.
    Before,
    /// The effect happens, but its answer is lost.
    After,
}

/// What a failure does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// This one call answers with [`Error::Injected`].
    Fail,
    /// This call and every later one, reads too, answer so: as if the process had died for the store.
    Crash,
    /// The process kills itself with SIGKILL: for child processes of tests.
    Kill,
}

#[derive(Debug, Default)]
struct State {
    effects: Vec<String>,
    rules: Vec<(u64, Moment, Action)>,
    pause: Duration,
    crashed_at: Option<u64>,
}

/// The plan of failures and the count of effects. Clones share both.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

impl Faults {
    /// No failures; counts alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// Plans a failure at the effect with this number, from 1.
    #[must_use]
    pub fn at(self, effect: u64, moment: Moment, action: Action) -> Self {
        self.with(|state| state.rules.push((effect, moment, action)));
        self
    }

    /// Delays each operation by this time.
    #[must_use]
    pub fn slow(self, pause: Duration) -> Self {
        self.with(|state| state.pause = pause);
        self
    }

    /// The store, seen through these failures.
    pub fn around(&self, store: &Store) -> Store {
        store.behind(|inner| {
            Arc::new(Faulty {
                inner,
                faults: self.clone(),
            })
        })
    }

    /// How many effects were begun so far.
    pub fn count(&self) -> u64 {
        self.with(|state| u64::try_from(state.effects.len()).unwrap_or(u64::MAX))
    }

    /// The effects that were begun so far, as `put KEY` and `delete KEY`.
    pub fn effects(&self) -> Vec<String> {
        self.with(|state| state.effects.clone())
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets a read or a list through, after the pause.
    async fn pass(&self) -> Result<(), Error> {
        let (pause, crashed_at) = self.with(|state| (state.pause, state.crashed_at));
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        crashed_at.map_or(Ok(()), |effect| {
            Err(Error::Injected {
                effect,
                moment: "since",
            })
        })
    }

    async fn effect<T>(&self, name: String, work: Answer<'_, T>) -> Result<T, Error> {
        self.pass().await?;
        let effect = self.with(|state| {
            state.effects.push(name);
            u64::try_from(state.effects.len()).unwrap_or(u64::MAX)
        });
        self.strike(effect, Moment::Before)?;
        let answer = work.await;
        self.strike(effect, Moment::After)?;
        answer
    }

    fn strike(&self, effect: u64, moment: Moment) -> Result<(), Error> {
        let action = self.with(|state| {
            let rule = state
                .rules
                .iter()
                .find(|rule| rule.0 == effect && rule.1 == moment);
            let action = rule.map(|rule| rule.2);
            if action == Some(Action::Crash) {
                state.crashed_at = Some(effect);
            }
            action
        });
        match action {
            None => return Ok(()),
            Some(Action::Kill) => {
                let _ =
                    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            }
            Some(Action::Fail | Action::Crash) => {}
        }
        let moment = if moment == Moment::Before {
            "before"
        } else {
            "after"
        };
        Err(Error::Injected { effect, moment })
    }
}

#[derive(Debug)]
struct Faulty {
    inner: Arc<dyn Backend>,
    faults: Faults,
}

impl Backend for Faulty {
    fn location(&self, key: &Key) -> String {
        self.inner.location(key)
    }

    fn folder_location(&self, prefix: &Prefix) -> String {
        self.inner.folder_location(prefix)
    }

    fn look<'a>(&'a self, key: &'a Key, known: Option<&'a Version>) -> Answer<'a, Look<Stored>> {
        Box::pin(async move {
            self.faults.pass().await?;
            self.inner.look(key, known).await
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a Key,
        bytes: Bytes,
        condition: Condition,
        durability: Durability,
    ) -> Answer<'a, Written> {
        let work = self.inner.put(key, bytes, condition, durability);
        Box::pin(self.faults.effect(format!("put {key}"), work))
    }

    fn delete<'a>(&'a self, key: &'a Key, version: Option<&'a Version>) -> Answer<'a, Deleted> {
        Box::pin(
            self.faults
                .effect(format!("delete {key}"), self.inner.delete(key, version)),
        )
    }

    fn list<'a>(&'a self, prefix: &'a Prefix, after: Option<&'a Key>, page_size: usize) -> Answer<'a, Page> {
        Box::pin(async move {
            self.faults.pass().await?;
            self.inner.list(prefix, after, page_size).await
        })
    }

    fn purge<'a>(&'a self, prefix: &'a Prefix) -> Answer<'a, u64> {
        Box::pin(
            self.faults
                .effect(format!("purge {prefix}"), self.inner.purge(prefix)),
        )
    }

    fn now(&self) -> Answer<'_, Timestamp> {
        self.inner.now()
    }

    fn pace(&self) -> Duration {
        self.inner.pace()
    }

    fn changes(&self, prefix: &Prefix) -> Changes {
        self.inner.changes(prefix)
    }
}

#[cfg(test)]
mod tests;

//! Many small changes of one document, asked for at once by tasks of this process, become one write.
//!
//! Terraform creates topics ten at a time, and all topics of a cluster are one document. Alone each
//! change would cost a write and lose races against the nine others.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::{Change, Document, DocumentError, Documents, Error, Key};
use crate::spec::ids::Generation;

/// Changes one document on behalf of many tasks. Clones share the queue.
#[derive(Debug)]
pub struct Combiner<T> {
    shared: Arc<Shared<T>>,
}

/// What a change came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Combined<R> {
    /// What the closure answered when it was called last.
    pub outcome: R,
    /// The generation that holds the change, or in which nothing was to be changed.
    pub generation: Generation,
}

type Answer = Result<Generation, Arc<DocumentError>>;

/// A change in the queue, with the way back to who asked for it.
trait Job<T>: Send {
    fn apply(&mut self, document: &mut T) -> Change;
    fn answer(self: Box<Self>, answer: Answer);
}

struct Asked<F, R> {
    change: F,
    outcome: Option<R>,
    reply: oneshot::Sender<Result<Combined<R>, Arc<DocumentError>>>,
}

impl<T, F, R> Job<T> for Asked<F, R>
where
    F: FnMut(&mut T) -> (Change, R) + Send,
    R: Send,
{
    fn apply(&mut self, document: &mut T) -> Change {
        let (change, outcome) = (self.change)(document);
        self.outcome = Some(outcome);
        change
    }

    fn answer(self: Box<Self>, answer: Answer) {
        let Self { outcome, reply, .. } = *self;
        let combined = answer.and_then(|generation| match outcome {
            Some(outcome) => Ok(Combined { outcome, generation }),
            None => Err(internal("a change was answered but never made")),
        });
        // Who asked may have been cancelled; the change is made all the same.
        let _ = reply.send(combined);
    }
}

fn internal(what: &'static str) -> Arc<DocumentError> {
    Arc::new(DocumentError::Store(Error::Internal { what }))
}

struct Queue<T> {
    jobs: Vec<Box<dyn Job<T>>>,
    is_worked_on: bool,
}

struct Shared<T> {
    documents: Documents,
    key: Key,
    queue: Mutex<Queue<T>>,
}

impl<T> Shared<T> {
    fn with<R>(&self, work: impl FnOnce(&mut Queue<T>) -> R) -> R {
        work(&mut self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T> std::fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl<T> Clone for Combiner<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T: Document + 'static> Combiner<T> {
    /// Prepares to change this document. Make one per document and process, and clone it.
    pub fn new(documents: Documents, key: Key) -> Self {
        let queue = Mutex::new(Queue {
            jobs: Vec::new(),
            is_worked_on: false,
        });
        Self {
            shared: Arc::new(Shared {
                documents,
                key,
                queue,
            }),
        }
    }

    /// Changes the document, together with what others ask for in the meantime.
    ///
    /// `change` may be called more than once, each time on a fresh document that holds the changes
    /// of those before it in the queue. If it answers [`Change::Keep`] it must have changed nothing.
    ///
    /// *Cancellation*: a change that was asked for is made, whether its answer is waited for or not.
    ///
    /// # Errors
    /// As [`Documents::update`]; those whose changes went together get the same error.
    pub async fn update<R: Send + 'static>(
        &self,
        change: impl FnMut(&mut T) -> (Change, R) + Send + 'static,
    ) -> Result<Combined<R>, Arc<DocumentError>> {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Asked {
            change,
            outcome: None,
            reply,
        });
        let is_first = self.shared.with(|queue| {
            queue.jobs.push(job);
            !mem::replace(&mut queue.is_worked_on, true)
        });
        if is_first {
            // A task of its own: if this caller is cancelled, the others still get their answers.
            tokio::spawn(work(Turn {
                shared: Arc::clone(&self.shared),
                is_over: false,
            }));
        }
        answer
            .await
            .unwrap_or_else(|_| Err(Arc::new(DocumentError::Store(Error::Ending))))
    }
}

/// The right to work on the queue. If the work ends in a panic, the waiting jobs are dropped, which
/// their callers notice, and the next caller starts anew.
struct Turn<T> {
    shared: Arc<Shared<T>>,
    is_over: bool,
}

impl<T> Drop for Turn<T> {
    fn drop(&mut self) {
        // After a turn that ended well another worker may have begun; it must not lose its queue.
        if !self.is_over {
            let left = self.shared.with(|queue| {
                queue.is_worked_on = false;
                mem::take(&mut queue.jobs)
            });
            drop(left);
        }
    }
}

async fn work<T: Document + 'static>(mut turn: Turn<T>) {
    loop {
        let shared = &turn.shared;
        let mut jobs = shared.with(|queue| {
            // In one step with looking, so that nobody queues behind a worker that has left.
            queue.is_worked_on = !queue.jobs.is_empty();
            mem::take(&mut queue.jobs)
        });
        if jobs.is_empty() {
            turn.is_over = true;
            return;
        }
        let all = |document: &mut T| {
            jobs.iter_mut()
                .fold(Change::Keep, |sum, job| match job.apply(document) {
                    Change::Write => Change::Write,
                    Change::Keep => sum,
                })
        };
        let answer = shared.documents.update(&shared.key, all).await;
        let answer = answer.map(|versioned| versioned.generation).map_err(Arc::new);
        for job in jobs {
            job.answer(answer.clone());
        }
    }
}

#[cfg(test)]
mod tests;

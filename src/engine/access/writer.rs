//! Many small changes of one desired document, asked for at once, become one conditional write.
//!
//! Unlike a plain read-change-write this keeps the last version in memory, so a thousand creates do not
//! read and parse a growing document a thousand times; a lost race reads it anew. Every change learns
//! the generation that its write has, since entries carry it.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::error::AccessError;
use super::kind::Kind;
use crate::engine::effects::effect;
use crate::spec::ids::{ClusterUid, Generation};
use crate::store::documents::keys;
use crate::store::{DocumentError, Documents, Key, Put, Store, Versioned};

/// Within this time a look is answered from memory.
const REMEMBER: Duration = Duration::from_millis(500);
/// So many lost races in a row are no chance.
const RACES: u32 = 50;

/// Whether a change changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edit {
    Changed,
    Unchanged,
}

/// One change in the queue; called again after a lost race.
trait Job<D>: Send {
    fn apply(&mut self, document: &mut D, generation: Generation) -> Edit;
    fn answer(self: Box<Self>, answer: Result<Generation, Arc<DocumentError>>);
}

struct Asked<F, R> {
    change: F,
    outcome: Option<R>,
    reply: oneshot::Sender<Result<(R, Generation), Arc<DocumentError>>>,
}

impl<D, F, R> Job<D> for Asked<F, R>
where
    F: FnMut(&mut D, Generation) -> (Edit, R) + Send,
    R: Send,
{
    fn apply(&mut self, document: &mut D, generation: Generation) -> Edit {
        let (edit, outcome) = (self.change)(document, generation);
        self.outcome = Some(outcome);
        edit
    }

    fn answer(self: Box<Self>, answer: Result<Generation, Arc<DocumentError>>) {
        let Self { outcome, reply, .. } = *self;
        let answer = match (answer, outcome) {
            (Ok(generation), Some(outcome)) => Ok((outcome, generation)),
            (Err(error), _) => Err(error),
            // A change is always made before it is answered; dropping the reply says that it was not.
            (Ok(_), None) => return,
        };
        // Whoever asked may have been cancelled; the change is made all the same.
        let _ = reply.send(answer);
    }
}

/// The writer of one desired document.
pub(super) struct Writer<K: Kind> {
    documents: Documents,
    key: Key,
    queue: Mutex<Vec<Box<dyn Job<K::Desired>>>>,
    last: tokio::sync::Mutex<Option<Versioned<K::Desired>>>,
    looked: tokio::sync::Mutex<Option<(Instant, Arc<K::Desired>)>>,
}

impl<K: Kind> Writer<K> {
    pub(super) fn new(store: &Store, uid: &ClusterUid) -> Result<Self, AccessError> {
        Ok(Self {
            documents: Documents::of_cluster(store, uid),
            key: keys::single(uid, K::DESIRED)?,
            queue: Mutex::new(Vec::new()),
            last: tokio::sync::Mutex::new(None),
            looked: tokio::sync::Mutex::new(None),
        })
    }

    /// Reads the document as it is in the store.
    pub(super) async fn read(&self) -> Result<K::Desired, AccessError> {
        let read = self.documents.read::<K::Desired>(&self.key).await?;
        Ok(read.map(|read| read.body).unwrap_or_default())
    }

    /// The document, at most half a second old: a thousand refreshes are one read.
    pub(super) async fn look(&self) -> Result<Arc<K::Desired>, AccessError> {
        let mut looked = self.looked.lock().await;
        if let Some((at, desired)) = &*looked
            && at.elapsed() < REMEMBER
        {
            return Ok(Arc::clone(desired));
        }
        let desired = Arc::new(self.read().await?);
        *looked = Some((Instant::now(), Arc::clone(&desired)));
        Ok(desired)
    }

    /// Changes the document, together with whatever else waits. A change that answers
    /// [`Edit::Unchanged`] must have changed nothing.
    ///
    /// *Cancellation*: a change that was asked for is made, whether its answer is waited for or not.
    pub(super) async fn change<R: Send + 'static>(
        self: &Arc<Self>,
        change: impl FnMut(&mut K::Desired, Generation) -> (Edit, R) + Send + 'static,
    ) -> Result<(R, Generation), AccessError> {
        let (reply, answer) = oneshot::channel();
        self.queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Box::new(Asked {
                change,
                outcome: None,
                reply,
            }));
        let writer = Arc::clone(self);
        // A task of its own: if this caller is cancelled, the others still get their answers.
        tokio::spawn(async move { writer.work().await });
        match answer.await {
            Ok(answer) => answer.map_err(AccessError::Shared),
            Err(_) => Err(AccessError::Internal {
                what: "a change of a desired document was lost",
            }),
        }
    }

    /// Takes what waits, if the task before has not taken it along already.
    async fn work(&self) {
        let mut last = self.last.lock().await;
        let mut jobs = mem::take(&mut *self.queue.lock().unwrap_or_else(PoisonError::into_inner));
        if jobs.is_empty() {
            return;
        }
        let answer = effect("write topics, ACLs or users", self.write(&mut last, &mut jobs))
            .await
            .map_err(Arc::new);
        if answer.is_err() {
            *last = None;
        }
        *self.looked.lock().await = None;
        for job in jobs {
            job.answer(answer.clone());
        }
    }

    async fn write(
        &self,
        last: &mut Option<Versioned<K::Desired>>,
        jobs: &mut [Box<dyn Job<K::Desired>>],
    ) -> Result<Generation, DocumentError> {
        for _ in 0..RACES {
            if last.is_none() {
                *last = self.documents.read(&self.key).await?;
            }
            let before = last.as_ref().map_or(Generation(0), |read| read.generation);
            let mut body = last.as_ref().map(|read| read.body.clone()).unwrap_or_default();
            let mut edit = Edit::Unchanged;
            for job in jobs.iter_mut() {
                if job.apply(&mut body, before.next()) == Edit::Changed {
                    edit = Edit::Changed;
                }
            }
            if edit == Edit::Unchanged {
                return Ok(before);
            }
            let put = match last.as_ref() {
                Some(read) => self.documents.replace(&self.key, read, &body).await?,
                None => self.documents.create(&self.key, &body).await?,
            };
            match put {
                Put::Written(generation, version) => {
                    *last = Some(Versioned {
                        body,
                        generation,
                        version,
                        modified_at: crate::clock::Timestamp::now(),
                    });
                    return Ok(generation);
                }
                Put::Conflict => *last = None,
            }
        }
        Err(DocumentError::Contended {
            location: self.documents.store().location(&self.key),
            races: RACES,
        })
    }
}

impl<K: Kind> std::fmt::Debug for Writer<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

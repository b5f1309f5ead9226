//! Many small changes of one desired document, asked for at once, become one conditional write.
//!
//! Unlike a plain read-change-write this keeps the last version in memory, so a thousand creates do not
//! read and parse a growing document a thousand times; a lost race reads it anew. Every change learns
//! the generation that its write has, since entries carry it.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::REMEMBER;
use super::error::AccessError;
use super::kind::Kind;
use crate::engine::effects::effect;
use crate::spec::ids::{ClusterUid, Generation};
use crate::store::documents::keys;
use crate::store::{DocumentError, Documents, Key, Put, Store, Versioned};

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
    memory: tokio::sync::Mutex<Memory<K>>,
}

/// The document with its version; `None` if nobody has written one yet.
type Shared<K> = Option<Arc<Versioned<<K as Kind>::Desired>>>;

/// The document as it was last read or written, and when it last was compared with the store.
struct Memory<K: Kind> {
    last: Shared<K>,
    compared: Option<Instant>,
}

impl<K: Kind> Writer<K> {
    pub(super) fn new(store: &Store, uid: &ClusterUid) -> Result<Self, AccessError> {
        Ok(Self {
            documents: Documents::of_cluster(store, uid),
            key: keys::single(uid, K::DESIRED)?,
            queue: Mutex::new(Vec::new()),
            memory: tokio::sync::Mutex::new(Memory {
                last: None,
                compared: None,
            }),
        })
    }

    /// Reads the document as it is in the store.
    pub(super) async fn read(&self) -> Result<Shared<K>, AccessError> {
        let mut memory = self.memory.lock().await;
        Ok(self.compare(&mut memory).await?)
    }

    async fn compare(&self, memory: &mut Memory<K>) -> Result<Shared<K>, DocumentError> {
        memory.compared = None;
        memory.last = self.documents.remember(&self.key, memory.last.take()).await?;
        memory.compared = Some(Instant::now());
        Ok(memory.last.clone())
    }

    /// The document, at most half a second old: a thousand refreshes are one read.
    pub(super) async fn look(&self) -> Result<Shared<K>, AccessError> {
        let mut memory = self.memory.lock().await;
        Ok(self.recent(&mut memory).await?)
    }

    async fn recent(&self, memory: &mut Memory<K>) -> Result<Shared<K>, DocumentError> {
        if memory.compared.is_some_and(|at| at.elapsed() < REMEMBER) {
            return Ok(memory.last.clone());
        }
        self.compare(memory).await
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
        let mut memory = self.memory.lock().await;
        let mut jobs = mem::take(&mut *self.queue.lock().unwrap_or_else(PoisonError::into_inner));
        if jobs.is_empty() {
            return;
        }
        let answer = effect("write topics, ACLs or users", self.write(&mut memory, &mut jobs))
            .await
            .map_err(Arc::new);
        // After an error it is unknown what the store has.
        memory.compared = answer.is_ok().then(Instant::now);
        for job in jobs {
            job.answer(answer.clone());
        }
    }

    async fn write(
        &self,
        memory: &mut Memory<K>,
        jobs: &mut [Box<dyn Job<K::Desired>>],
    ) -> Result<Generation, DocumentError> {
        for _ in 0..RACES {
            // A change that refuses or finds nothing to do writes nothing that could find memory to be old.
            let last = self.recent(memory).await?;
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
            let put = match &last {
                Some(read) => self.documents.replace(&self.key, read, &body).await?,
                None => self.documents.create(&self.key, &body).await?,
            };
            match put {
                Put::Written(generation, version) => {
                    memory.last = Some(Arc::new(Versioned {
                        body,
                        generation,
                        version,
                        modified_at: crate::clock::Timestamp::now(),
                    }));
                    return Ok(generation);
                }
                Put::Conflict => memory.compared = None,
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

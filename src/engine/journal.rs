//! The record of what an operation does, kept in the store: uncertain before each effect, known after.
//!
//! It is for people and for tests. An interrupted operation is not resumed from it but from what is
//! observed, so a journal that cannot be written at a step's end costs a warning and not the operation.

use std::sync::{Mutex, PoisonError};

use crate::clock::Timestamp;
use crate::planner::report;
use crate::planner::step::Step;
use crate::spec::ids::{ClusterUid, Generation};
use crate::store::documents::{Journal, JournalEntry, JournalState, keys};
use crate::store::{DocumentError, Documents, Durability, Key, KeyError, Store};

/// How many journals of a cluster are kept.
const KEPT: usize = 20;
/// More journals than this are not ours.
const MAX_LISTED: usize = 10_000;
/// A failure's text is cut here: the whole stands in Terraform's error.
const MAX_TEXT: usize = 2_000;

/// Why a journal could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The store did not take it.
    #[error("write the journal of the operation")]
    Document(#[from] DocumentError),
    /// The cluster's uid is none of ours.
    #[error("name the journal of the operation")]
    Key(#[from] KeyError),
}

/// Writes the journal of one operation.
#[derive(Debug)]
pub struct JournalWriter {
    documents: Documents,
    key: Key,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    journal: Journal,
    generation: Generation,
    /// After the cluster's documents were removed nothing is written, so that nothing is left.
    is_closed: bool,
}

/// A step's place in its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryIndex(usize);

impl JournalWriter {
    /// Begins a journal and removes the oldest ones. Nothing is written before the first step begins.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn begin(store: &Store, uid: &ClusterUid, operation: &str) -> Result<Self, JournalError> {
        let started_at = store.now().await.map_err(DocumentError::from)?;
        let folder = keys::journals(uid)?;
        let mut kept = store
            .list_all(&folder, MAX_LISTED)
            .await
            .map_err(DocumentError::from)?;
        kept.truncate((kept.len() + 1).saturating_sub(KEPT));
        for old in kept {
            store.delete(&old).await.map_err(DocumentError::from)?;
        }
        Ok(Self {
            documents: Documents::of_cluster(store, uid),
            key: keys::journal(uid, started_at)?,
            state: Mutex::new(State {
                journal: Journal {
                    operation: operation.to_owned(),
                    started_at,
                    ended_at: None,
                    entries: Vec::new(),
                },
                generation: Generation(0),
                is_closed: false,
            }),
        })
    }

    /// Records that these steps begin; their effects are uncertain from now on.
    ///
    /// # Errors
    /// [`JournalError`]; the steps must then not begin.
    pub async fn begin_steps(&self, steps: &[Step]) -> Result<Vec<EntryIndex>, JournalError> {
        let indexes = self.change(|journal| {
            let first = journal.entries.len();
            journal.entries.extend(steps.iter().map(|step| JournalEntry {
                order: step.order,
                operation: step.action.operation().to_owned(),
                target: report::target(&step.action),
                started_at: Timestamp::now(),
                ended_at: None,
                state: JournalState::Uncertain,
                progress: String::new(),
            }));
            (first..journal.entries.len()).map(EntryIndex).collect()
        });
        self.save(Durability::Durable).await?;
        Ok(indexes)
    }

    /// Notes how far a step has come; written with the next save.
    pub fn note_progress(&self, entry: EntryIndex, text: &str) {
        self.change(|journal| {
            if let Some(entry) = journal.entries.get_mut(entry.0) {
                entry.progress = cut(text);
            }
        });
    }

    /// Records how a step ended.
    pub async fn end_step(&self, entry: EntryIndex, state: JournalState) {
        self.change(|journal| {
            if let Some(entry) = journal.entries.get_mut(entry.0) {
                entry.ended_at = Some(Timestamp::now());
                entry.state = match state {
                    JournalState::Failed(text) => JournalState::Failed(cut(&text)),
                    other => other,
                };
            }
        });
        self.save_or_warn().await;
    }

    /// Records that the operation ended.
    pub async fn end(&self) {
        self.change(|journal| journal.ended_at = Some(Timestamp::now()));
        self.save_or_warn().await;
    }

    /// Writes nothing from now on: the cluster's documents are being removed.
    pub fn close(&self) {
        self.lock().is_closed = true;
    }

    /// Writes what is noted.
    pub async fn save_or_warn(&self) {
        if let Err(error) = self.save(Durability::Volatile).await {
            tracing::warn!(error = %chain(&error), "the journal was not written");
        }
    }

    async fn save(&self, durability: Durability) -> Result<(), JournalError> {
        let (journal, generation) = {
            let mut state = self.lock();
            if state.is_closed || state.journal.entries.is_empty() {
                return Ok(());
            }
            state.generation = state.generation.next();
            (state.journal.clone(), state.generation)
        };
        self.documents
            .publish(&self.key, generation, &journal, durability)
            .await?;
        Ok(())
    }

    fn change<T>(&self, change: impl FnOnce(&mut Journal) -> T) -> T {
        change(&mut self.lock().journal)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The text of an error with its causes, for logs and journals.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

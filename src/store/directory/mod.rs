//! The store in a directory of this machine.
//!
//! A document is a file of the same name, so that people can read it. Beside the documents lie
//! `~tmp` (files being written) and `~locks`; `~` is no character of keys. Safe between processes:
//! readers always see a whole document, old or new, whatever is killed in between.

mod files;
mod list;
mod lock;
mod root;
mod watch;

use std::sync::Arc;

use bytes::Bytes;
use camino::{Utf8Path, Utf8PathBuf};

use super::backend::{Answer, Backend, Condition, Deleted, Durability, Look, Page, Stored, Version, Written};
use super::changes::Changes;
use super::{Error, Key, MAX_PAGE, Prefix, identity};
use crate::clock::Timestamp;
pub(super) use watch::Watch;

/// Files up to this length are read on the spot; that takes a millisecond or two, and another thread takes memory.
const READ_INLINE_BYTES: u64 = 1 << 20;

/// A directory as a home of the store.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    root: Arc<Utf8Path>,
}

impl Directory {
    /// Checks an existing directory, writes nothing.
    pub(super) fn existing(root: &Utf8Path) -> Result<Self, Error> {
        root::check(root)?;
        root::sweep(root);
        Ok(Self {
            root: Arc::from(root),
        })
    }

    /// Checks a directory; makes it if it is not there.
    pub(super) fn existing_or_new(root: &Utf8Path) -> Result<Self, Error> {
        root::create(root)?;
        Self::existing(root)
    }

    fn path(&self, key: &Key) -> Utf8PathBuf {
        self.root.join(key.as_str())
    }
}

impl Backend for Directory {
    fn location(&self, key: &Key) -> String {
        self.path(key).into_string()
    }

    fn folder_location(&self, prefix: &Prefix) -> String {
        self.root.join(prefix.as_str()).into_string()
    }

    fn look<'a>(&'a self, key: &'a Key, known: Option<&'a Version>) -> Answer<'a, Look<Stored>> {
        Box::pin(async move {
            let Some(opened) = files::open(&self.root, key)? else {
                return Ok(Look::Absent);
            };
            if known.is_some_and(|known| opened.is_still(known)) {
                return Ok(Look::Unchanged);
            }
            if opened.length() <= READ_INLINE_BYTES {
                return opened.read().map(Look::Changed);
            }
            elsewhere(move || opened.read().map(Look::Changed)).await
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a Key,
        bytes: Bytes,
        condition: Condition,
        durability: Durability,
    ) -> Answer<'a, Written> {
        let (root, key) = (Arc::clone(&self.root), key.clone());
        Box::pin(elsewhere(move || {
            files::publish(&root, &key, &bytes, &condition, durability)
        }))
    }

    fn delete<'a>(&'a self, key: &'a Key, version: Option<&'a Version>) -> Answer<'a, Deleted> {
        let (root, key, version) = (Arc::clone(&self.root), key.clone(), version.cloned());
        Box::pin(elsewhere(move || files::remove(&root, &key, version.as_ref())))
    }

    fn list<'a>(&'a self, prefix: &'a Prefix, after: Option<&'a Key>, page_size: usize) -> Answer<'a, Page> {
        let (root, prefix, after) = (Arc::clone(&self.root), prefix.clone(), after.cloned());
        Box::pin(elsewhere(move || {
            list::page(&root, &prefix, after.as_ref(), page_size)
        }))
    }

    fn purge<'a>(&'a self, prefix: &'a Prefix) -> Answer<'a, u64> {
        let (root, prefix) = (Arc::clone(&self.root), prefix.clone());
        Box::pin(elsewhere(move || {
            let mut removed = 0;
            loop {
                let mut page = list::page(&root, &prefix, None, MAX_PAGE)?;
                // Without its identity the store is gone, and nothing more can be listed.
                if page.keys.len() > 1 {
                    page.keys.retain(|key| key.as_str() != identity::FILE);
                }
                for key in &page.keys {
                    files::remove(&root, key, None)?;
                    removed += 1;
                }
                let was_identity = page.keys.iter().any(|key| key.as_str() == identity::FILE);
                if was_identity || page.keys.is_empty() {
                    return Ok(removed);
                }
            }
        }))
    }

    fn now(&self) -> Answer<'_, Timestamp> {
        // Files are stamped with this machine's clock by ourselves (see `files::stamp`).
        Box::pin(async { Ok(Timestamp::now()) })
    }

    fn changes(&self, prefix: &Prefix) -> Changes {
        Changes::watched(Watch::begin(&self.root, prefix))
    }
}

/// Does blocking work on a thread where that disturbs nobody.
async fn elsewhere<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(gone) if gone.is_panic() => Err(Error::Internal {
            what: "a store operation panicked",
        }),
        Err(_) => Err(Error::Ending),
    }
}

#[cfg(test)]
mod tests;

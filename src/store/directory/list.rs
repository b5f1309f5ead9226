//! Listing keys in S3's order without reading more of the tree than a page needs.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};

use super::root;
use crate::store::backend::Page;
use crate::store::{Error, Key, Prefix};

/// Lists one page.
pub(super) fn page(
    store_root: &Utf8Path,
    prefix: &Prefix,
    after: Option<&Key>,
    page_size: usize,
) -> Result<Page, Error> {
    root::ensure_present(store_root)?;
    let mut walk = Walk {
        root: store_root,
        after: after.map(Key::as_str),
        keys: Vec::new(),
        limit: page_size + 1,
    };
    walk.folder(prefix.as_str())?;
    let more = walk.keys.len() > page_size;
    walk.keys.truncate(page_size);
    Ok(Page {
        keys: walk.keys,
        more,
    })
}

struct Walk<'a> {
    root: &'a Utf8Path,
    after: Option<&'a str>,
    keys: Vec<Key>,
    limit: usize,
}

impl Walk<'_> {
    /// Takes a folder's keys in order; `folder` is empty or ends with `/`.
    fn folder(&mut self, folder: &str) -> Result<(), Error> {
        // With the slash at a folder's end, the order of names is the order of whole keys.
        let mut names = self.names(folder)?;
        names.sort_unstable();
        for name in names {
            if self.keys.len() >= self.limit {
                return Ok(());
            }
            let path = format!("{folder}{name}");
            if name.ends_with('/') {
                // All keys of the folder begin with `path`: they lie before `after` unless it is
                // among them, or smaller than they are.
                if self
                    .after
                    .is_none_or(|after| after.starts_with(&path) || after < path.as_str())
                {
                    self.folder(&path)?;
                }
            } else if self.after.is_none_or(|after| path.as_str() > after)
                && let Ok(key) = Key::parse(path)
            {
                self.keys.push(key);
            }
        }
        Ok(())
    }

    /// Names of documents, and of folders with a `/` behind; whatever no key can name is not ours.
    fn names(&self, folder: &str) -> Result<Vec<String>, Error> {
        let path: Utf8PathBuf = self.root.join(folder);
        let failed = |cause| Error::from_io("list", &path, cause);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(cause) if root::is_absence(&cause) => return Ok(Vec::new()),
            Err(cause) => return Err(failed(cause)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let Ok(mut name) = entry.file_name().into_string() else {
                continue;
            };
            if Key::parse(name.as_str()).is_err() {
                continue;
            }
            let kind = match entry.file_type() {
                Ok(kind) => kind,
                Err(cause) if root::is_absence(&cause) => continue,
                Err(cause) => return Err(failed(cause)),
            };
            if kind.is_dir() {
                name.push('/');
            } else if !kind.is_file() {
                continue;
            }
            names.push(name);
        }
        Ok(names)
    }
}

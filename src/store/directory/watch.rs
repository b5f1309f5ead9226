//! Hints that something was written, through inotify; by the clock where that is not to be had.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;

use crate::store::Prefix;

/// Without inotify (its instances are few per user) the caller looks this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Folders below one prefix that are watched; more than any of ours has.
const MAX_FOLDERS: usize = 2_000;

/// Watches one folder of the store.
#[derive(Debug)]
pub(in crate::store) struct Watch {
    folder: Utf8PathBuf,
    root: Utf8PathBuf,
    /// `None`: no inotify here, the clock alone.
    events: Option<AsyncFd<OwnedFd>>,
}

impl Watch {
    /// Begins to watch a folder that may not be there yet.
    pub(super) fn begin(root: &Utf8Path, prefix: &Prefix) -> Self {
        let folder = root.join(prefix.as_str());
        let mut this = Self {
            folder,
            root: root.to_owned(),
            events: None,
        };
        if Handle::try_current().is_ok() {
            let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK);
            this.events = events.ok().and_then(register);
            this.watch_folders();
        }
        if this.events.is_none() {
            tracing::debug!(%this.folder, "no inotify: looking once a second instead");
        }
        this
    }

    /// Waits until something may have been written, `at_most` this long.
    ///
    /// *Cancellation*: safe; the hint is kept for the next call.
    pub(in crate::store) async fn changed(&mut self, at_most: Duration) {
        let Some(events) = &self.events else {
            return tokio::time::sleep(at_most.min(LOOK_EVERY)).await;
        };
        let waited = tokio::time::timeout(at_most, events.readable()).await;
        let Ok(ready) = waited else { return };
        let Ok(mut ready) = ready else {
            self.events = None;
            return;
        };
        let folders_changed = drain(events.get_ref());
        ready.clear_ready();
        drop(ready);
        match folders_changed {
            Ok(false) => {}
            Ok(true) => self.watch_folders(),
            Err(_) => self.events = None,
        }
    }

    /// Watches the folder and all below it, or what is nearest above it. Watching twice does nothing.
    fn watch_folders(&mut self) {
        let mut pending = vec![nearest_folder(&self.root, &self.folder)];
        let is_there = pending.first() == Some(&self.folder);
        let mut count = 0;
        while let Some(folder) = pending.pop() {
            count += 1;
            let Some(events) = &self.events else { return };
            let watch = inotify::add_watch(
                events.get_ref(),
                folder.as_std_path(),
                WatchFlags::CREATE
                    | WatchFlags::MOVED_TO
                    | WatchFlags::DELETE
                    | WatchFlags::DELETE_SELF
                    | WatchFlags::MOVE_SELF
                    | WatchFlags::ONLYDIR,
            );
            match watch {
                Ok(_) => {}
                Err(gone) if gone == rustix::io::Errno::NOENT && folder != self.root => continue,
                Err(_) => {
                    self.events = None;
                    return;
                }
            }
            if count > MAX_FOLDERS {
                self.events = None;
                return;
            }
            if is_there {
                pending.extend(subfolders(&folder));
            }
        }
    }
}

#[expect(
    deprecated,
    reason = "the successor is `unsafe`, for handles that may be closed early; an `OwnedFd` inside is not"
)]
fn register(events: OwnedFd) -> Option<AsyncFd<OwnedFd>> {
    AsyncFd::new(events).ok()
}

fn nearest_folder(root: &Utf8Path, folder: &Utf8Path) -> Utf8PathBuf {
    let mut nearest = folder;
    while nearest != root && !nearest.is_dir() {
        nearest = nearest.parent().unwrap_or(root);
    }
    nearest.to_owned()
}

fn subfolders(folder: &Utf8Path) -> Vec<Utf8PathBuf> {
    let Ok(entries) = folder.read_dir_utf8() else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter(|entry| !entry.file_name().starts_with('~'))
        .map(camino::Utf8DirEntry::into_path)
        .collect()
}

/// Reads all events there are; tells whether folders came or went.
fn drain(events: &OwnedFd) -> Result<bool, rustix::io::Errno> {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = Reader::new(events, &mut buffer);
    let mut folders_changed = false;
    let about_folders = ReadFlags::ISDIR
        | ReadFlags::IGNORED
        | ReadFlags::QUEUE_OVERFLOW
        | ReadFlags::DELETE_SELF
        | ReadFlags::MOVE_SELF;
    loop {
        match reader.next() {
            Ok(event) => folders_changed |= event.events().intersects(about_folders),
            Err(rustix::io::Errno::AGAIN) => return Ok(folders_changed),
            Err(rustix::io::Errno::INTR) => {}
            Err(other) => return Err(other),
        }
    }
}

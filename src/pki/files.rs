//! Private files: written whole, readable by their owner alone. Blocking; the files are small.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};

use camino::{Utf8Path, Utf8PathBuf};
use zeroize::Zeroize;

use crate::secret::Secret;

/// No private file of ours is longer.
const MAX_BYTES: u64 = 1 << 20;

/// Why a private file could not be read or written. No text shows what is in the file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused.
    #[error("failed to {action} `{path}`")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: Utf8PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// Others may read the file.
    #[error(
        "the private file `{path}` is open to others (mode {mode:03o}); \
         run `chmod 600 '{path}'`, and replace what is in it if others had access"
    )]
    OpenToOthers {
        /// The file.
        path: Utf8PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file belongs to another user.
    #[error("the private file `{path}` belongs to the user with id {owner}, this program runs as {runs_as}")]
    OtherUser {
        /// The file.
        path: Utf8PathBuf,
        /// The owner's user id.
        owner: u32,
        /// Our user id.
        runs_as: u32,
    },
    /// The file is longer than any of ours, or not text.
    #[error("the private file `{path}` is damaged: {why}")]
    Damaged {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong.
        why: &'static str,
    },
}

/// Makes a directory, and those above it, open to its owner alone. One that exists stays as it is.
///
/// # Errors
/// [`Error::Io`].
pub fn ensure_private_folder(path: &Utf8Path) -> Result<(), Error> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|cause| Error::Io {
            action: "create the directory",
            path: path.to_owned(),
            cause,
        })
}

/// Writes a private file (mode 0600) in one step: readers see the old or the new text, also after a
/// loss of power. An existing file is replaced, whatever its mode was.
///
/// # Errors
/// [`Error::Io`]; the old file is untouched then, unless only the last sync failed.
pub fn write_private(path: &Utf8Path, text: &Secret<String>) -> Result<(), Error> {
    // One writer per private file; a leftover of a killed one is simply written again.
    Staged::write(path, "new", text)?.place()
}

/// Writes a private file that takes its place later, or never. Any number of processes may do so for one
/// place at once.
///
/// # Errors
/// [`Error::Io`].
pub fn stage_private(path: &Utf8Path, text: &Secret<String>) -> Result<Staged, Error> {
    let mut bytes = [0_u8; 8];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::Io {
        action: "draw a name beside",
        path: path.to_owned(),
        cause: io::ErrorKind::Other.into(),
    })?;
    Staged::write(path, &format!("{:016x}.new", u64::from_be_bytes(bytes)), text)
}

/// Removes a private file, and what killed processes have staged for its place. A file that is gone is fine.
///
/// # Errors
/// [`Error::Io`] if the file is still there.
pub fn remove_private(path: &Utf8Path) -> Result<(), Error> {
    let (folder, name) = split(path)?;
    for entry in folder.read_dir_utf8().into_iter().flatten().flatten() {
        let is_staged = entry.path().extension() == Some("new");
        if is_staged && entry.file_name().starts_with(&format!(".{name}.")) {
            let _ = fs::remove_file(entry.path());
        }
    }
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(Error::Io {
            action: "remove",
            path: path.to_owned(),
            cause,
        }),
        _ => Ok(()),
    }
}

/// A private file that is written and has not taken its place yet. Dropped before, it is removed.
#[derive(Debug)]
pub struct Staged {
    temporary: Utf8PathBuf,
    path: Utf8PathBuf,
}

impl Staged {
    fn write(path: &Utf8Path, suffix: &str, text: &Secret<String>) -> Result<Self, Error> {
        let (folder, name) = split(path)?;
        let staged = Self {
            temporary: folder.join(format!(".{name}.{suffix}")),
            path: path.to_owned(),
        };
        write_new(&staged.temporary, text.expose().as_bytes()).map_err(staged.failed())?;
        Ok(staged)
    }

    /// The place.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Takes the place; what is there is replaced.
    ///
    /// # Errors
    /// [`Error::Io`]; what is there is untouched then, unless only the last sync failed.
    pub fn place(self) -> Result<(), Error> {
        fs::rename(&self.temporary, &self.path).map_err(self.failed())?;
        self.sync_folder()
    }

    /// Takes the place unless a file is there; answers whether it has.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn place_new(self) -> Result<bool, Error> {
        match fs::hard_link(&self.temporary, &self.path) {
            Ok(()) => self.sync_folder().map(|()| true),
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(cause) => Err(self.failed()(cause)),
        }
    }

    fn sync_folder(&self) -> Result<(), Error> {
        let (folder, _) = split(&self.path)?;
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(self.failed())
    }

    fn failed(&self) -> impl Fn(io::Error) -> Error + use<> {
        let path = self.path.clone();
        move |cause| Error::Io {
            action: "write",
            path: path.clone(),
            cause,
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.temporary);
    }
}

/// The folder of a file, and its name.
fn split(path: &Utf8Path) -> Result<(&Utf8Path, &str), Error> {
    let folder = path.parent().filter(|folder| !folder.as_str().is_empty());
    let name = path.file_name().ok_or_else(|| Error::Io {
        action: "write",
        path: path.to_owned(),
        cause: io::ErrorKind::InvalidFilename.into(),
    })?;
    Ok((folder.unwrap_or(Utf8Path::new(".")), name))
}

fn write_new(path: &Utf8Path, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Reads a private file; `None` if there is none.
///
/// # Errors
/// [`Error::OpenToOthers`] and [`Error::OtherUser`] before a byte of it is read.
pub fn read_private(path: &Utf8Path) -> Result<Option<Secret<String>>, Error> {
    let failed = |cause| Error::Io {
        action: "read",
        path: path.to_owned(),
        cause,
    };
    let damaged = |why| Error::Damaged {
        path: path.to_owned(),
        why,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(failed(cause)),
    };
    let about = file.metadata().map_err(failed)?;
    let runs_as = rustix::process::geteuid().as_raw();
    if about.uid() != runs_as {
        return Err(Error::OtherUser {
            path: path.to_owned(),
            owner: about.uid(),
            runs_as,
        });
    }
    if about.mode() & 0o077 != 0 {
        return Err(Error::OpenToOthers {
            path: path.to_owned(),
            mode: about.mode() & 0o777,
        });
    }
    if about.len() > MAX_BYTES {
        return Err(damaged("it is too long"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(about.len() + 1).unwrap_or(0));
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(Secret::new(text))),
        Err(other) => {
            other.into_bytes().zeroize();
            Err(damaged("it is not text"))
        }
    }
}

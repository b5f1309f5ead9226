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
    let failed = |cause| Error::Io {
        action: "write",
        path: path.to_owned(),
        cause,
    };
    let folder = path
        .parent()
        .filter(|folder| !folder.as_str().is_empty())
        .unwrap_or(Utf8Path::new("."));
    let name = path
        .file_name()
        .ok_or_else(|| failed(io::ErrorKind::InvalidFilename.into()))?;
    // One writer per private file; a leftover of a killed one is simply written again.
    let temporary = folder.join(format!(".{name}.new"));
    let written = write_new(&temporary, text.expose().as_bytes()).and_then(|()| fs::rename(&temporary, path));
    if let Err(cause) = written {
        let _ = fs::remove_file(&temporary);
        return Err(failed(cause));
    }
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)
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

//! The unix socket: mode 0600 in a fresh directory of mode 0700, taken away at the end.

use std::fs::{DirBuilder, Permissions, set_permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// Longest path of a socket: 104 bytes with the final zero on macOS, 108 on Linux.
const LONGEST_PATH: usize = 103;
/// Where to go if the temporary directory has too long a path.
const SHORT_DIRECTORIES: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No directory could hold the socket; the cause is that of the last one tried.
    #[error("open a socket in a new directory under {}", .directory.display())]
    Open {
        /// The directory tried last.
        directory: PathBuf,
        /// Why it failed.
        #[source]
        cause: io::Error,
    },
    /// The random generator failed.
    #[error("make a random name for the socket's directory")]
    Random,
}

/// A listening socket. Dropping it removes the file and its directory.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) listener: UnixListener,
    directory: PathBuf,
}

impl Socket {
    /// Opens a socket under `wanted`, else under the temporary directory, else under a short one.
    pub(crate) fn open(wanted: Option<&Path>) -> Result<Self, Error> {
        let temporary = std::env::temp_dir();
        let short = SHORT_DIRECTORIES.iter().map(Path::new);
        let candidates = wanted
            .into_iter()
            .chain(std::iter::once(temporary.as_path()))
            .chain(short);
        let mut failed = Error::Random;
        for parent in candidates {
            let name = random_name()?;
            match open_in(&parent.join(name)) {
                Ok(socket) => return Ok(socket),
                Err(cause) => {
                    failed = Error::Open {
                        directory: parent.to_owned(),
                        cause,
                    }
                }
            }
        }
        Err(failed)
    }

    /// Where the socket is.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.join("s")
    }
}

fn open_in(directory: &Path) -> io::Result<Socket> {
    let path = directory.join("s");
    if path.as_os_str().len() > LONGEST_PATH {
        return Err(io::Error::new(
            io::ErrorKind::InvalidFilename,
            "path is too long for a socket",
        ));
    }
    DirBuilder::new().mode(0o700).create(directory)?;
    let opened = UnixListener::bind(&path).and_then(|listener| {
        set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok(listener)
    });
    match opened {
        Ok(listener) => Ok(Socket {
            listener,
            directory: directory.to_owned(),
        }),
        Err(error) => {
            remove(directory);
            Err(error)
        }
    }
}

fn random_name() -> Result<String, Error> {
    let mut bytes = [0_u8; 8];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::Random)?;
    Ok(format!("plugin-{:016x}", u64::from_be_bytes(bytes)))
}

/// Nothing is lost if this fails: the directory is empty but for the dead socket.
fn remove(directory: &Path) {
    let _ = std::fs::remove_file(directory.join("s"));
    let _ = std::fs::remove_dir(directory);
}

impl Drop for Socket {
    fn drop(&mut self) {
        remove(&self.directory);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_socket_is_private_and_goes_with_its_owner() {
        let home = tempfile::tempdir().unwrap();
        let socket = Socket::open(Some(home.path())).unwrap();
        let (path, directory) = (socket.path(), socket.directory.clone());
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&directory)), (0o600, 0o700));
        drop(socket);
        assert!(!directory.exists());
    }

    #[tokio::test]
    async fn a_directory_with_a_long_path_is_passed_over() {
        let home = tempfile::tempdir().unwrap();
        let long = home.path().join("x".repeat(120));
        std::fs::create_dir(&long).unwrap();
        let socket = Socket::open(Some(&long)).unwrap();
        assert!(!socket.path().starts_with(&long));
        assert_eq!(std::fs::read_dir(&long).unwrap().count(), 0);
    }
}

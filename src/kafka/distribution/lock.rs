//! Lock files: which jars a version of Kafka consists of, to the bit.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};

use aws_lc_rs::digest;
use camino::Utf8Path;

use super::Error;
use crate::hex::hex;
use crate::kafka::versions::KafkaVersion;

/// The content of one lock file.
#[derive(Debug)]
pub(super) struct Lock {
    /// What Maven is asked for: `group:artifact:version`.
    pub(super) roots: Vec<&'static str>,
    /// Digest and size of every jar, by name.
    pub(super) files: BTreeMap<&'static str, Entry>,
}

/// What a jar must be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// SHA-256 in lower-case hex.
    pub(super) sha256: &'static str,
    /// Bytes.
    pub(super) size: u64,
}

fn text(version: KafkaVersion) -> &'static str {
    match version.minor() {
        (3, 9) => include_str!("locks/3.9.2.lock"),
        (4, 0) => include_str!("locks/4.0.2.lock"),
        (4, 1) => include_str!("locks/4.1.2.lock"),
        (4, 2) => include_str!("locks/4.2.2.lock"),
        // A test walks all versions and fails if one has no lock of its own.
        _ => include_str!("locks/4.3.1.lock"),
    }
}

impl Lock {
    /// The lock of a version.
    pub(super) fn of(version: KafkaVersion) -> Self {
        let mut lock = Self {
            roots: Vec::new(),
            files: BTreeMap::new(),
        };
        for line in text(version).lines() {
            let mut words = line.split(' ');
            match (words.next(), words.next(), words.next(), words.next()) {
                (Some("root"), Some(coordinates), None, None) => lock.roots.push(coordinates),
                (Some("file"), Some(name), Some(sha256), Some(size)) => {
                    let size = size.parse().unwrap_or_default();
                    lock.files.insert(name, Entry { sha256, size });
                }
                _ => {}
            }
        }
        lock
    }

    /// Checks that a directory holds exactly these jars, bit by bit (some 50 ms).
    ///
    /// # Errors
    /// [`Error::MissingFile`], [`Error::ForeignFile`] and [`Error::WrongFile`], each naming the file.
    pub(super) fn check(&self, libs: &Utf8Path) -> Result<(), Error> {
        let mut unseen: BTreeMap<String, &Entry> = self
            .files
            .iter()
            .map(|(name, entry)| ((*name).to_owned(), entry))
            .collect();
        for entry in fs::read_dir(libs).map_err(Error::io("list", libs))? {
            let entry = entry.map_err(Error::io("list", libs))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = libs.join(&name);
            let Some(wanted) = unseen.remove(&name) else {
                return Err(Error::ForeignFile { path });
            };
            let size = fs::metadata(&path).map_err(Error::io("look at", &path))?.len();
            if size != wanted.size {
                let (wanted, found) = (format!("{} bytes", wanted.size), format!("{size} bytes"));
                return Err(Error::WrongFile { path, wanted, found });
            }
            let found = hex_digest(&path, &digest::SHA256).map_err(Error::io("read", &path))?;
            if found != wanted.sha256 {
                let (wanted, found) = (format!("SHA-256 {}", wanted.sha256), format!("SHA-256 {found}"));
                return Err(Error::WrongFile { path, wanted, found });
            }
        }
        match unseen.into_keys().next() {
            Some(name) => Err(Error::MissingFile {
                path: libs.join(name),
            }),
            None => Ok(()),
        }
    }
}

/// The digest of a file in lower-case hex, read in pieces.
pub(super) fn hex_digest(path: &Utf8Path, algorithm: &'static digest::Algorithm) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut context = digest::Context::new(algorithm);
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let count = file.read(&mut buffer)?;
        let Some(piece) = buffer.get(..count).filter(|piece| !piece.is_empty()) else {
            break;
        };
        context.update(piece);
    }
    Ok(hex(context.finish().as_ref()))
}

#[cfg(test)]
mod tests {
    use super::Lock;
    use crate::kafka::versions::{KafkaVersion, LoggingBinding};

    #[test]
    fn every_version_has_a_whole_lock_of_its_own() {
        for version in KafkaVersion::all() {
            let lock = Lock::of(version);
            assert!(
                lock.roots
                    .contains(&format!("org.apache.kafka:kafka_2.13:{version}").as_str()),
                "{version}"
            );
            assert!(
                lock.files
                    .contains_key(format!("kafka_2.13-{version}.jar").as_str()),
                "{version}"
            );
            let binding = match version.logging() {
                LoggingBinding::Reload4j => "slf4j-reload4j-",
                LoggingBinding::Log4j2 => "log4j-slf4j-impl-",
            };
            assert!(
                lock.files.keys().any(|name| name.starts_with(binding)),
                "{version}: {binding}"
            );
            assert!(lock.files.len() > 40, "{version}");
            for (name, entry) in lock.files {
                assert_eq!(camino::Utf8Path::new(name).extension(), Some("jar"), "{name}");
                assert!(entry.size > 0 && entry.sha256.len() == 64, "{name}");
                assert!(
                    entry
                        .sha256
                        .bytes()
                        .all(|byte| b"0123456789abcdef".contains(&byte)),
                    "{name}"
                );
            }
        }
    }
}

//! What the node executes: Java, Kafka and the agent itself, by the digests of the signed release.
//!
//! Files are kept on the data volume, unpacked, below their digest: `artifacts/<sha256>/`. Such a folder appears whole
//! or not at all, after its digest was checked. So a machine whose store is away starts with what it has.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use aws_lc_rs::digest::{Context as Digest, SHA256};
use aws_sdk_s3::Client;
use camino::{Utf8Path, Utf8PathBuf};

use super::disk::{self, DiskError};
use crate::aws::{CallError, Service};
use crate::kafka::distribution;
use crate::kafka::versions::KafkaVersion;
use crate::node::home::{make_private_directory, write_private};
use crate::store::boot::BootFile;
use crate::store::release::{self, Artifact, Release, ReleaseError, Sha256};
use crate::store::{KeyError, Store};

/// Java and Kafka have 200 MB at most.
const LARGEST: u64 = 2 << 30;
/// The longest pause between two pieces of a file.
const PIECE_WITHIN: Duration = Duration::from_mins(1);

/// Why the node has not what it should execute.
#[derive(Debug, thiserror::Error)]
pub(super) enum ArtifactError {
    /// A file on the disk.
    #[error("{action} `{path}`")]
    File {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: Utf8PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// A call.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The connection broke.
    #[error("`{key}` broke off")]
    Cut {
        /// The object.
        key: String,
    },
    /// Not what the release names.
    #[error("`{key}` has the digest {found}, the release names {wanted}; it was thrown away")]
    Digest {
        /// The object.
        key: String,
        /// As computed.
        found: Sha256,
        /// As signed.
        wanted: Sha256,
    },
    /// Longer than any of ours.
    #[error("`{key}` is longer than {LARGEST} bytes")]
    TooLong {
        /// The object.
        key: String,
    },
    /// The release does not have it.
    #[error("the release names no {what}; apply again with a provider that has it")]
    NotNamed {
        /// What is missing.
        what: String,
    },
    /// Unpacking.
    #[error(transparent)]
    Unpack(#[from] DiskError),
    /// Not what it should be.
    #[error("`{path}` holds no {what}")]
    Shape {
        /// The folder.
        path: Utf8PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// The release.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// There is none yet, and none is kept.
    #[error("there is no release in the store yet")]
    NoRelease,
    /// The store.
    #[error("read the release")]
    Store(#[source] crate::store::Error),
    /// A name that cannot be.
    #[error("internal: the release has no name")]
    Key(#[from] KeyError),
}

fn file(action: &'static str, path: &Utf8Path) -> impl FnOnce(io::Error) -> ArtifactError {
    let path = path.to_owned();
    move |cause| ArtifactError::File { action, path, cause }
}

/// How EC2 names the architecture of this program.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "arm64",
        other => other,
    }
}

/// The files on the data volume, and where they come from.
#[derive(Debug, Clone)]
pub(super) struct Artifacts {
    pub(super) client: Client,
    pub(super) boot: BootFile,
    /// The data volume's mount point.
    pub(super) point: Utf8PathBuf,
}

/// What is ready to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Java {
    /// The program.
    pub(super) program: Utf8PathBuf,
    /// Its major version.
    pub(super) version: u16,
}

impl Artifacts {
    /// Holds `kafka_2.13-<version>` for every version that was fetched.
    pub(super) fn kafka_directory(&self) -> Utf8PathBuf {
        self.point.join("kafka")
    }

    fn folder(&self) -> Utf8PathBuf {
        self.point.join("artifacts")
    }

    fn kept_release(&self) -> Utf8PathBuf {
        self.point.join("release.json")
    }

    /// The release that counts: the store's if it can be had and is no older than the one that is kept, else that.
    pub(super) async fn release(&self, store: &Store) -> Result<Release, ArtifactError> {
        let kept = self.kept()?;
        let asked = store.get(&release::release_key(&self.boot.cluster_uid)?).await;
        let asked = match (asked, kept) {
            (Ok(Some(stored)), kept) => self
                .opened(&stored.bytes, kept.as_ref())
                .map_err(|error| (error, kept)),
            (Ok(None), kept) => Err((ArtifactError::NoRelease, kept)),
            (Err(cause), kept) => Err((ArtifactError::Store(cause), kept)),
        };
        match asked {
            Ok(release) => Ok(release),
            Err((error, Some(kept))) => {
                let cause = crate::node::problem::with_causes(&error);
                tracing::warn!(
                    cause,
                    "the release in the store is not used; the one that is kept is"
                );
                Ok(kept)
            }
            Err((error, None)) => Err(error),
        }
    }

    fn opened(&self, bytes: &[u8], kept: Option<&Release>) -> Result<Release, ArtifactError> {
        let release = self.boot.release_key.open(bytes)?;
        release.must_follow(kept.map_or(0, |kept| kept.serial))?;
        if kept != Some(&release) {
            let path = self.kept_release();
            write_private(&path, bytes).map_err(file("write", &path))?;
        }
        Ok(release)
    }

    fn kept(&self) -> Result<Option<Release>, ArtifactError> {
        let path = self.kept_release();
        let opened = match File::open(&path) {
            Ok(opened) => opened,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(file("read", &path)(cause)),
        };
        let mut bytes = Vec::new();
        opened
            .take(u64::try_from(release::MAX_BYTES).unwrap_or(u64::MAX))
            .read_to_end(&mut bytes)
            .map_err(file("read", &path))?;
        // One that another key signed is no memory of ours: it is passed over and replaced.
        Ok(self.boot.release_key.open(&bytes).ok())
    }

    /// Java for this machine.
    pub(super) async fn java(&self, release: &Release) -> Result<Java, ArtifactError> {
        let Some(java) = release.java.get(architecture()) else {
            let what = format!("Java for {}", architecture());
            return Err(ArtifactError::NotNamed { what });
        };
        let folder = self.unpacked(&java.artifact).await?;
        let top = only_folder(&folder)?;
        if !top.join("bin/java").is_file() {
            return Err(ArtifactError::Shape {
                path: top,
                what: "bin/java",
            });
        }
        let version = java
            .release
            .split(['.', '+', '-'])
            .next()
            .and_then(|major| major.parse().ok());
        let link = self.point.join("java");
        point_to(&link, &top)?;
        Ok(Java {
            program: link.join("bin/java"),
            version: version.unwrap_or(17),
        })
    }

    /// One version of Kafka.
    pub(super) async fn kafka(&self, release: &Release, version: KafkaVersion) -> Result<(), ArtifactError> {
        let Some(kafka) = release.kafka.get(&version.to_string()) else {
            let what = format!("Kafka {version}");
            return Err(ArtifactError::NotNamed { what });
        };
        let name = distribution::directory_name(version);
        let top = self.unpacked(kafka).await?.join(&name);
        if !top.join("libs").is_dir() {
            return Err(ArtifactError::Shape {
                path: top,
                what: "libs",
            });
        }
        let directory = self.kafka_directory();
        make_private_directory(&directory).map_err(file("make", &directory))?;
        point_to(&directory.join(name), &top)
    }

    /// The agent that the release names for this machine; `None`: it names none.
    pub(super) async fn agent(
        &self,
        release: &Release,
    ) -> Result<Option<(Utf8PathBuf, Sha256)>, ArtifactError> {
        let Some(agent) = release.agents.get(architecture()) else {
            return Ok(None);
        };
        let wanted = &agent.artifact.sha256;
        let folder = self.folder().join(wanted.as_str());
        let program = folder.join("msk-node");
        if !program.exists() {
            let (scratch, fetched) = self.fetch(&agent.artifact).await?;
            let inside = scratch.join("folder");
            fs::create_dir(&inside).map_err(file("make", &inside))?;
            let placed = inside.join("msk-node");
            fs::set_permissions(&fetched, fs::Permissions::from_mode(0o700))
                .and_then(|()| fs::rename(&fetched, &placed))
                .map_err(file("place", &placed))?;
            self.place(&scratch, &inside, &folder)?;
        }
        Ok(Some((program, wanted.clone())))
    }

    /// Removes what the release does not name any more. Not while Kafka runs: it may have files open there.
    pub(super) fn tidy(&self, release: &Release) {
        let used = |name: &str| {
            let kafka = release.kafka.values();
            let java = release.java.values().map(|java| &java.artifact);
            let agents = release.agents.values().map(|agent| &agent.artifact);
            kafka
                .chain(java)
                .chain(agents)
                .any(|artifact| artifact.sha256.as_str() == name)
        };
        let Ok(entries) = self.folder().read_dir_utf8() else {
            return;
        };
        for entry in entries.filter_map(Result::ok) {
            if !used(entry.file_name()) {
                tracing::info!(path = %entry.path(), "removes what is not used any more");
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    /// The folder with what an archive holds.
    async fn unpacked(&self, artifact: &Artifact) -> Result<Utf8PathBuf, ArtifactError> {
        let folder = self.folder().join(artifact.sha256.as_str());
        if folder.is_dir() {
            return Ok(folder);
        }
        let (scratch, archive) = self.fetch(artifact).await?;
        let inside = scratch.join("folder");
        fs::create_dir(&inside).map_err(file("make", &inside))?;
        let arguments = ["-xzf", archive.as_str(), "-C", inside.as_str(), "--no-same-owner"];
        disk::run("tar", &arguments).await?;
        self.place(&scratch, &inside, &folder)?;
        Ok(folder)
    }

    /// Puts a folder in its place, once it is safe on the disk.
    fn place(&self, scratch: &Utf8Path, made: &Utf8Path, folder: &Utf8Path) -> Result<(), ArtifactError> {
        File::open(&self.point)
            .and_then(|point| rustix::fs::syncfs(&point).map_err(io::Error::from))
            .map_err(file("sync", &self.point))?;
        match fs::rename(made, folder) {
            Err(_) if folder.is_dir() => {}
            done => done.map_err(file("place", folder))?,
        }
        let _ = fs::remove_dir_all(scratch);
        Ok(())
    }

    /// Fetches an object to the disk, piece by piece, and checks its digest; answers the scratch folder and the file.
    async fn fetch(&self, artifact: &Artifact) -> Result<(Utf8PathBuf, Utf8PathBuf), ArtifactError> {
        let key = self.boot.object(&artifact.key);
        tracing::info!(%key, "fetches");
        let scratch = self.folder().join(format!(".fetching-{}", artifact.sha256));
        let _ = fs::remove_dir_all(&scratch);
        make_private_directory(&scratch).map_err(file("make", &scratch))?;
        let path = scratch.join("file");
        let fetched = self.stream(&key, artifact, &path).await;
        if fetched.is_err() {
            let _ = fs::remove_dir_all(&scratch);
        }
        fetched.map(|()| (scratch, path))
    }

    async fn stream(&self, key: &str, artifact: &Artifact, path: &Utf8Path) -> Result<(), ArtifactError> {
        let cut = || ArtifactError::Cut { key: key.to_owned() };
        let too_long = || ArtifactError::TooLong { key: key.to_owned() };
        let asked = self
            .client
            .get_object()
            .bucket(&self.boot.bucket)
            .key(key)
            .expected_bucket_owner(&self.boot.bucket_owner)
            .send()
            .await;
        let mut body = asked
            .map_err(|error| CallError::new(Service::S3, "GetObject", &error))?
            .body;
        let mut written = File::create(path).map_err(file("write", path))?;
        let mut digest = Digest::new(&SHA256);
        let mut length = 0_u64;
        loop {
            let piece = match tokio::time::timeout(PIECE_WITHIN, body.try_next()).await {
                Ok(Ok(Some(piece))) => piece,
                Ok(Ok(None)) => break,
                Ok(Err(_)) | Err(_) => return Err(cut()),
            };
            length = length.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
            if length > LARGEST {
                return Err(too_long());
            }
            digest.update(&piece);
            written.write_all(&piece).map_err(file("write", path))?;
        }
        let found = Sha256::finished(digest);
        if found != artifact.sha256 {
            return Err(ArtifactError::Digest {
                key: key.to_owned(),
                found,
                wanted: artifact.sha256.clone(),
            });
        }
        Ok(())
    }
}

/// The digest of a file, read piece by piece.
pub(super) fn digest_of(path: &Utf8Path) -> io::Result<Sha256> {
    let mut opened = File::open(path)?;
    let mut digest = Digest::new(&SHA256);
    let mut piece = vec![0; 256 << 10];
    loop {
        match opened.read(&mut piece)? {
            0 => return Ok(Sha256::finished(digest)),
            length => digest.update(piece.get(..length).unwrap_or_default()),
        }
    }
}

/// The single folder right below another one.
fn only_folder(folder: &Utf8Path) -> Result<Utf8PathBuf, ArtifactError> {
    let entries = folder.read_dir_utf8().map_err(file("list", folder))?;
    let mut folders: Vec<_> = entries
        .filter_map(Result::ok)
        .map(camino::Utf8DirEntry::into_path)
        .filter(|path| path.is_dir())
        .collect();
    match (folders.pop(), folders.pop()) {
        (Some(top), None) => Ok(top),
        _ => Err(ArtifactError::Shape {
            path: folder.to_owned(),
            what: "single top folder",
        }),
    }
}

/// Makes a symbolic link point elsewhere, at once.
fn point_to(link: &Utf8Path, target: &Utf8Path) -> Result<(), ArtifactError> {
    if fs::read_link(link).is_ok_and(|there| there == target.as_std_path()) {
        return Ok(());
    }
    let new = Utf8PathBuf::from(format!("{link}.new"));
    let _ = fs::remove_file(&new);
    std::os::unix::fs::symlink(target, &new)
        .and_then(|()| fs::rename(&new, link))
        .map_err(file("link", link))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temporary() -> (tempfile::TempDir, Utf8PathBuf) {
        let keep = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(keep.path().to_owned()).unwrap();
        (keep, path)
    }

    #[test]
    fn a_link_is_switched_and_never_missing() {
        let (_keep, root) = temporary();
        let link = root.join("java");
        for target in ["a", "b", "b"] {
            point_to(&link, &root.join(target)).unwrap();
            assert_eq!(fs::read_link(&link).unwrap(), root.join(target));
        }
    }

    #[test]
    fn java_is_in_the_only_folder_of_its_archive() {
        let (_keep, root) = temporary();
        assert!(only_folder(&root).is_err());
        fs::create_dir(root.join("jdk-17")).unwrap();
        fs::write(root.join("notes"), "").unwrap();
        assert_eq!(only_folder(&root).unwrap(), root.join("jdk-17"));
        fs::create_dir(root.join("another")).unwrap();
        assert!(only_folder(&root).is_err());
    }

    #[test]
    fn the_digest_of_a_file_is_that_of_its_bytes() {
        let (_keep, root) = temporary();
        let bytes = vec![7; 600_000];
        fs::write(root.join("f"), &bytes).unwrap();
        assert_eq!(digest_of(&root.join("f")).unwrap(), Sha256::of(&bytes));
    }
}

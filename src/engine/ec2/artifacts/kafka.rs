//! Kafka's jars as one archive: `kafka_2.13-<version>/libs/*.jar`.

use camino::Utf8Path;
use flate2::Compression;

use super::cache::{self, Scratch};
use super::pack::{Entry, What, pack};
use super::{ArtifactError, Inputs, Local, blocking, io_error};
use crate::kafka::distribution::{self, Distribution, directory_name};
use crate::kafka::versions::KafkaVersion;
use crate::store::release::{Artifact, Sha256};

/// Ours have 50 MB.
const LARGEST: u64 = 1 << 30;
/// Part of the fingerprint: raise it if the same jars are packed in another way.
const FORM: &str = "kafka 1";

/// The archive of a version, packed unless it is in the cache.
pub(super) async fn ensure(
    inputs: &Inputs,
    version: KafkaVersion,
    say: &(dyn Fn(String) + Send + Sync),
) -> Result<Local, ArtifactError> {
    let found = distribution::ensure(version, &inputs.kafka, say).await?;
    let name = directory_name(version);
    let file_name = format!("{name}.tar.gz");
    let cache = inputs.cache.clone();
    let known = {
        let (found, cache) = (found.clone(), cache.clone());
        blocking(move || {
            let print = fingerprint(&found)?;
            Ok((cache::find(&cache, &print, LARGEST)?, print))
        })
        .await?
    };
    let (path, sha256) = match known {
        (Some(packed), _) => packed,
        (None, print) => {
            say(format!("packs Kafka {version} for the nodes"));
            blocking(move || packed(&cache, &print, &found, &name)).await?
        }
    };
    Ok(Local {
        path,
        title: format!("Kafka {version}"),
        artifact: Artifact::new(&file_name, sha256)?,
    })
}

fn packed(
    cache: &Utf8Path,
    print: &Sha256,
    found: &Distribution,
    name: &str,
) -> Result<(camino::Utf8PathBuf, Sha256), ArtifactError> {
    let entries: Vec<Entry> = found
        .jars
        .iter()
        .filter_map(|jar| {
            Some(Entry {
                name: format!("{name}/libs/{}", jar.file_name()?),
                what: What::File(jar.clone(), false),
            })
        })
        .collect();
    let scratch = Scratch::new(cache)?;
    let to = scratch.path().join("packed");
    // Jars are compressed already.
    pack(&entries, &to, Compression::fast())?;
    cache::keep(cache, print, &to, LARGEST)
}

/// What tells the same jars without reading them: they were checked, and the archive has a digest of its own.
fn fingerprint(of: &Distribution) -> Result<Sha256, ArtifactError> {
    let mut text = format!("{FORM}\n{}\n", of.directory);
    for jar in &of.jars {
        text.push_str(&seen(jar)?);
    }
    Ok(Sha256::of(text.as_bytes()))
}

/// A file's path, length and time.
pub(super) fn seen(path: &Utf8Path) -> Result<String, ArtifactError> {
    let metadata = path.metadata().map_err(io_error("look at", path))?;
    let changed = metadata.modified().map_err(io_error("look at", path))?;
    let changed = changed.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ok(format!("{path}\t{}\t{}\n", metadata.len(), changed.as_nanos()))
}

//! Java for the nodes: an archive that the user names, else the Java of this machine, packed.
//!
//! With `jlink` it is packed with the modules alone that Kafka uses, a third of the whole.

use std::collections::BTreeMap;
use std::ffi::OsString;

use camino::{Utf8Path, Utf8PathBuf};
use flate2::Compression;

use super::cache::{self, Scratch};
use super::inspect::{Inspected, inspect};
use super::pack::{everything_below, pack};
use super::{Architecture, ArtifactError, Inputs, Local, blocking, kafka::seen};
use crate::kafka::distribution;
use crate::kafka::java::{self, Java, Places};
use crate::store::release::{Artifact, JavaArtifact, Sha256};

/// A whole JDK has 200 to 350 MB.
pub(super) const LARGEST: u64 = 1 << 30;
/// Part of the fingerprint: raise it if the same JDK is packed in another way.
const FORM: &str = "java 2";

/// What Kafka 3.9 to 4.3 uses, with what its tools, agents for metrics (`java.instrument`, `jdk.httpserver`) and
/// Kerberos add; tried with clients of every kind. `jdk.crypto.ec` is empty from Java 22 on and may go.
const MODULES: [&str; 24] = [
    "java.base",
    "java.compiler",
    // `java.beans`, which Log4j asks for.
    "java.desktop",
    "java.instrument",
    "java.logging",
    "java.management",
    "java.management.rmi",
    "java.naming",
    "java.net.http",
    "java.rmi",
    "java.security.jgss",
    "java.security.sasl",
    "java.sql",
    "java.xml",
    "jdk.crypto.ec",
    "jdk.httpserver",
    "jdk.management",
    "jdk.management.agent",
    "jdk.naming.dns",
    "jdk.net",
    "jdk.security.auth",
    "jdk.security.jgss",
    "jdk.unsupported",
    "jdk.zipfs",
];

/// An archive that the user names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JavaArchive {
    /// An `https` URL, or an absolute path.
    pub url: String,
    /// Its digest.
    pub sha256: Sha256,
}

/// Where Java is looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JavaPlaces {
    /// `JAVA_HOME`.
    pub environment_home: Option<String>,
    /// `PATH`.
    pub search_path: Option<OsString>,
}

impl JavaPlaces {
    /// Those of this process.
    pub fn of_environment() -> Self {
        Self {
            environment_home: std::env::var("JAVA_HOME").ok(),
            search_path: std::env::var_os("PATH"),
        }
    }
}

/// An archive on this machine.
struct Packed {
    path: Utf8PathBuf,
    sha256: Sha256,
    /// For people: where it comes from.
    place: String,
}

/// The archive for an architecture, packed unless it is in the cache, and what the release says of it.
pub(super) async fn ensure(
    inputs: &Inputs,
    architecture: Architecture,
    say: &(dyn Fn(String) + Send + Sync),
) -> Result<(Local, JavaArtifact), ArtifactError> {
    let packed = match inputs.java.get(&architecture) {
        Some(archive) => named(&inputs.cache, archive, architecture, say).await?,
        None => of_this_machine(inputs, architecture, say).await?,
    };
    let inspected = {
        let (path, sha256) = (packed.path.clone(), packed.sha256.clone());
        let (place, cache) = (packed.place.clone(), inputs.cache.clone());
        blocking(move || inspect(&cache, &path, &sha256, &place)).await?
    };
    inspected.check(&packed.place, architecture, inputs.glibc)?;
    check_versions(&inspected, &packed.place, inputs, architecture)?;
    let Inspected { release, .. } = inspected;
    let artifact = Artifact::new(&format!("java-{release}-{architecture}.tar.gz"), packed.sha256)?;
    let local = Local {
        path: packed.path,
        title: format!("Java {release} for {architecture}"),
        artifact: artifact.clone(),
    };
    Ok((local, JavaArtifact { release, artifact }))
}

fn check_versions(
    inspected: &Inspected,
    place: &str,
    inputs: &Inputs,
    architecture: Architecture,
) -> Result<(), ArtifactError> {
    for version in &inputs.versions {
        let minimum = version.minimum_java();
        if inspected.feature() < minimum {
            return Err(ArtifactError::OldJava {
                architecture,
                place: place.to_owned(),
                release: inspected.release.clone(),
                version: *version,
                minimum,
            });
        }
    }
    Ok(())
}

/// The user's archive: a file as it lies there, or downloaded once.
async fn named(
    cache: &Utf8Path,
    archive: &JavaArchive,
    architecture: Architecture,
    say: &(dyn Fn(String) + Send + Sync),
) -> Result<Packed, ArtifactError> {
    let is_url = archive.url.contains("://");
    let place = if is_url {
        distribution::shown(&archive.url)
    } else {
        archive.url.clone()
    };
    let wanted = archive.sha256.clone();
    if !is_url {
        let path = Utf8PathBuf::from(&archive.url);
        let (sha256, _) = {
            let path = path.clone();
            blocking(move || cache::sha256_of(&path, LARGEST)).await?
        };
        right_digest(&place, architecture, sha256.clone(), wanted)?;
        return Ok(Packed { path, sha256, place });
    }
    // By its digest, so that another URL for the same file is no other one.
    let print = Sha256::of(format!("{FORM} archive {wanted}").as_bytes());
    let known = {
        let (cache, print) = (cache.to_owned(), print.clone());
        blocking(move || cache::find(&cache, &print, LARGEST)).await?
    };
    if let Some((path, sha256)) = known
        && sha256 == wanted
    {
        return Ok(Packed { path, sha256, place });
    }
    say(format!("downloads Java for {architecture} from {place}"));
    let scratch = Scratch::new(cache)?;
    let file = scratch.path().join("archive");
    distribution::download(&archive.url, &file, scratch.path()).await?;
    let cache = cache.to_owned();
    blocking(move || {
        let (found, _) = cache::sha256_of(&file, LARGEST)?;
        right_digest(&place, architecture, found, wanted)?;
        let (path, sha256) = cache::keep(&cache, &print, &file, LARGEST)?;
        drop(scratch);
        Ok(Packed { path, sha256, place })
    })
    .await
}

fn right_digest(
    place: &str,
    architecture: Architecture,
    found: Sha256,
    wanted: Sha256,
) -> Result<(), ArtifactError> {
    if found == wanted {
        return Ok(());
    }
    Err(ArtifactError::WrongDigest {
        place: place.to_owned(),
        architecture,
        found,
        wanted,
    })
}

/// The Java of this machine.
async fn of_this_machine(
    inputs: &Inputs,
    architecture: Architecture,
    say: &(dyn Fn(String) + Send + Sync),
) -> Result<Packed, ArtifactError> {
    if !architecture.is_here() {
        return Err(ArtifactError::NoJava { architecture });
    }
    let places = Places {
        java_home: None,
        environment_home: inputs.java_places.environment_home.as_deref(),
        search_path: inputs.java_places.search_path.as_deref(),
    };
    let found = java::find(places)
        .await
        .map_err(|cause| ArtifactError::FindJava { architecture, cause })?;
    let home = home(&found, architecture)?;
    let place = home.to_string();
    let (print, known) = {
        let (cache, home) = (inputs.cache.clone(), home.clone());
        blocking(move || {
            let print = fingerprint(&home, &found)?;
            let known = cache::find(&cache, &print, LARGEST)?;
            Ok((print, known))
        })
        .await?
    };
    if let Some((path, sha256)) = known {
        return Ok(Packed { path, sha256, place });
    }
    say(format!("packs the Java in {home} for the nodes"));
    let scratch = Scratch::new(&inputs.cache)?;
    let tree = match link(&home, scratch.path()).await? {
        Some(linked) => linked,
        None => home,
    };
    let cache = inputs.cache.clone();
    blocking(move || {
        let top = format!("java-{}-{architecture}", FORM.replace(' ', "-"));
        let entries = everything_below(&tree, &top, &is_ballast)?;
        let to = scratch.path().join("packed");
        pack(&entries, &to, Compression::default())?;
        let (path, sha256) = cache::keep(&cache, &print, &to, LARGEST)?;
        drop(scratch);
        Ok(Packed { path, sha256, place })
    })
    .await
}

/// The folder above `bin/java`, behind the links that distributions have.
fn home(java: &Java, architecture: Architecture) -> Result<Utf8PathBuf, ArtifactError> {
    let program = java.program.canonicalize_utf8();
    let program = program.map_err(super::io_error("find", &java.program))?;
    let home = program.parent().and_then(Utf8Path::parent);
    home.filter(|home| home.join("lib/modules").is_file())
        .map(Utf8Path::to_owned)
        .ok_or_else(|| ArtifactError::NoJavaArchive {
            place: program.to_string(),
            flaw: format!(
                "there is no `lib/modules` in its folder, so it is no whole Java; set `JAVA_HOME` or \
                 `java_archives.{architecture}`"
            ),
        })
}

/// What tells the same JDK without reading all of it.
fn fingerprint(home: &Utf8Path, java: &Java) -> Result<Sha256, ArtifactError> {
    let mut text = format!("{FORM}\n{}\n{}\n", java.build, MODULES.join(" "));
    for file in ["release", "lib/modules", "lib/server/libjvm.so", "bin/java"] {
        let path = home.join(file);
        if path.exists() {
            text.push_str(&seen(&path)?);
        }
    }
    Ok(Sha256::of(text.as_bytes()))
}

/// Parts of a JDK that no server needs, by their names in the archive. Class-data archives have other bytes each time
/// they are made; a node makes its own.
fn is_ballast(name: &str) -> bool {
    let Some((_, below)) = name.split_once('/') else {
        return false;
    };
    matches!(
        below,
        "jmods" | "man" | "include" | "docs" | "demo" | "sample" | "lib/src.zip" | "lib/ct.sym" | "src.zip"
    ) || matches!(Utf8Path::new(below).extension(), Some("debuginfo" | "jsa"))
}

/// A Java with Kafka's modules alone; `None` if this JDK cannot make one.
async fn link(home: &Utf8Path, scratch: &Utf8Path) -> Result<Option<Utf8PathBuf>, ArtifactError> {
    let program = home.join("bin/jlink");
    let jmods = home.join("jmods");
    let is_jdk = program.is_file() && jmods.join("java.base.jmod").is_file();
    if !is_jdk {
        return Ok(None);
    }
    let there = |name: &&&str| jmods.join(format!("{name}.jmod")).is_file();
    let modules: Vec<&str> = MODULES.iter().filter(there).copied().collect();
    let to = scratch.join("linked");
    let arguments = [
        "--add-modules",
        modules.join(",").as_str(),
        "--output",
        to.as_str(),
        "--strip-java-debug-attributes",
        "--no-header-files",
        "--no-man-pages",
    ]
    .map(str::to_owned)
    .to_vec();
    distribution::run(
        program.as_str(),
        arguments,
        scratch,
        "to pack Java for the nodes",
        "name an archive in `java_archives`",
    )
    .await?;
    Ok(Some(to))
}

/// The release of a Java by the text of its file `release`.
pub(super) fn release_of(text: &str) -> Option<String> {
    let members: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim(), value.trim().trim_matches('"')))
        .collect();
    let release = *members.get("JAVA_VERSION")?;
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let fits = (1..=40).contains(&release.len()) && release.bytes().all(is_fine);
    fits.then(|| release.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_read_from_what_java_says_of_itself() {
        let text = "IMPLEMENTOR=\"Debian\"\nJAVA_VERSION=\"17.0.15\"\nMODULES=\"java.base\"\n";
        assert_eq!(release_of(text).as_deref(), Some("17.0.15"));
        for hostile in [
            "",
            "JAVA_VERSION=",
            "JAVA_VERSION=\"../x\"",
            "JAVA_VERSION=\"17/1\"",
        ] {
            assert_eq!(release_of(hostile), None, "{hostile}");
        }
    }

    #[test]
    fn what_no_server_needs_stays_out() {
        for name in ["java/jmods", "java/lib/src.zip", "java/lib/server/classes.jsa"] {
            assert!(is_ballast(name), "{name}");
        }
        for name in [
            "java/lib/modules",
            "java/bin/java",
            "java/legal/java.base/LICENSE",
        ] {
            assert!(!is_ballast(name), "{name}");
        }
    }
}

//! Whether an archive is a Java that starts on the nodes. The archive is read once, in one stream; what was found is
//! kept beside the packed files.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufReader, Read};

use camino::{Utf8Path, Utf8PathBuf};
use flate2::read::GzDecoder;
use serde::{Deserialize, Serialize};

use super::{Architecture, ArtifactError, Glibc, cache, elf, io_error, java};
use crate::store::release::Sha256;

/// The newest `GLIBCXX_3.4.N` of GCC 11, which Amazon Linux 2023 has.
const AMAZON_LINUX_LIBSTDCXX: u32 = 29;

/// What Amazon Linux 2023 has of what Javas need; it has no X11, fonts or sound.
const THERE: [&str; 10] = [
    "libc.so.6",
    "libm.so.6",
    "libdl.so.2",
    "libpthread.so.0",
    "librt.so.1",
    "libz.so.1",
    "libstdc++.so.6",
    "libgcc_s.so.1",
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
];

/// What a server without a screen loads; the rest of a JDK may need what it likes.
const LOADED: [&str; 13] = [
    "java",
    "libjvm.so",
    "libjli.so",
    "libjava.so",
    "libverify.so",
    "libjimage.so",
    "libzip.so",
    "libnet.so",
    "libnio.so",
    "libmanagement.so",
    "libmanagement_ext.so",
    "libextnet.so",
    "libinstrument.so",
];

/// More files than any JDK has.
const MAX_FILES: usize = 20_000;
/// libjvm has 25 MB.
const LARGEST_LIBRARY: u64 = 128 << 20;
const LARGEST_RELEASE: u64 = 64 << 10;
/// The bytes of a whole JDK, unpacked.
const LARGEST_CONTENT: u64 = 4 << 30;

/// What an archive holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Inspected {
    /// `17.0.15`.
    pub(super) release: String,
    /// EC2's name of the architecture of `bin/java`.
    machine: String,
    /// The library that needs the newest glibc.
    glibc: Option<(String, u32, u32)>,
    /// Libraries with what they need beyond the archive and [`THERE`].
    missing: Vec<(String, String)>,
}

impl Inspected {
    /// 17 for `17.0.15`, 8 for `1.8.0`.
    pub(super) fn feature(&self) -> u16 {
        let mut numbers = self.release.split(['.', '_', '-']).map(|part| part.parse().ok());
        match (numbers.next().flatten(), numbers.next().flatten()) {
            (Some(1), Some(second)) => second,
            (first, _) => first.unwrap_or_default(),
        }
    }

    /// Refuses what does not start on the nodes. Of the user's own image nothing is known, so there all is taken.
    pub(super) fn check(
        &self,
        place: &str,
        architecture: Architecture,
        offered: Option<Glibc>,
    ) -> Result<(), ArtifactError> {
        let place = place.to_owned();
        if self.machine != architecture.name() {
            return Err(ArtifactError::OtherArchitecture {
                path: Utf8PathBuf::from(place),
                architecture,
            });
        }
        let Some(offered) = offered else { return Ok(()) };
        if let Some((file, major, minor)) = &self.glibc
            && Glibc(*major, *minor) > offered
        {
            return Err(ArtifactError::TooNew {
                place,
                file: file.clone(),
                needed: Glibc(*major, *minor),
                offered,
                architecture,
            });
        }
        match self.missing.first() {
            None => Ok(()),
            Some((file, library)) => Err(ArtifactError::NeedsLibrary {
                place,
                file: file.clone(),
                library: library.clone(),
                architecture,
            }),
        }
    }
}

/// Reads an archive, or what was found when it was read before.
pub(super) fn inspect(
    cache: &Utf8Path,
    archive: &Utf8Path,
    sha256: &Sha256,
    place: &str,
) -> Result<Inspected, ArtifactError> {
    let note = cache.join(format!("{sha256}.java.json"));
    if let Ok(text) = fs::read(&note)
        && let Ok(known) = serde_json::from_slice(&text)
    {
        return Ok(known);
    }
    let file = File::open(archive).map_err(io_error("open", archive))?;
    let found = read(BufReader::new(file)).map_err(|flaw| ArtifactError::NoJavaArchive {
        place: place.to_owned(),
        flaw,
    })?;
    cache::make_folder(cache)?;
    if let Ok(text) = serde_json::to_vec(&found) {
        // Half a note does not parse, and is written again.
        fs::write(&note, text).map_err(io_error("write", &note))?;
    }
    Ok(found)
}

/// What was seen while the stream went by.
#[derive(Default)]
struct Seen {
    top: Option<String>,
    names: BTreeSet<String>,
    needs: Vec<(String, elf::Needs)>,
    machine: Option<Architecture>,
    release: Option<String>,
    has_virtual_machine: bool,
}

fn read(stream: impl Read) -> Result<Inspected, String> {
    let bounded = GzDecoder::new(stream).take(LARGEST_CONTENT);
    let mut archive = tar::Archive::new(bounded);
    let mut seen = Seen::default();
    let entries = archive
        .entries()
        .map_err(|error| format!("it is no `.tar.gz` ({error})"))?;
    for (number, entry) in entries.enumerate() {
        if number > MAX_FILES {
            return Err(format!("it has more than {MAX_FILES} files"));
        }
        let mut entry = entry.map_err(|error| format!("it is no whole `.tar.gz` ({error})"))?;
        let path = entry.path().map_err(|_| "a name in it is no text".to_owned())?;
        let Some(path) = Utf8Path::from_path(&path).map(Utf8Path::to_owned) else {
            return Err("a name in it is no text".to_owned());
        };
        seen.look(&path, entry.header().entry_type().is_file(), &mut entry)?;
    }
    seen.judge()
}

impl Seen {
    fn look(&mut self, path: &Utf8Path, is_file: bool, content: &mut impl Read) -> Result<(), String> {
        let mut parts = Vec::new();
        for part in path.components() {
            match part {
                camino::Utf8Component::Normal(name) => parts.push(name),
                camino::Utf8Component::CurDir => {}
                _ => return Err(format!("the name `{path}` leads out of it")),
            }
        }
        let Some((top, below)) = parts.split_first() else {
            return Ok(());
        };
        match &self.top {
            None => self.top = Some((*top).to_owned()),
            Some(known) if known == top => {}
            Some(known) => return Err(format!("it has more than one top folder (`{known}`, `{top}`)")),
        }
        let Some(name) = below.last().filter(|_| is_file) else {
            return Ok(());
        };
        let below = below.join("/");
        if name.contains(".so") {
            self.names.insert((*name).to_owned());
        }
        if below == "release" {
            let mut text = String::new();
            let read = content.take(LARGEST_RELEASE).read_to_string(&mut text);
            read.map_err(|error| format!("its file `release` cannot be read ({error})"))?;
            self.release = java::release_of(&text);
        } else if LOADED.contains(name) && (below == "bin/java" || below.starts_with("lib/")) {
            let mut bytes = Vec::new();
            let read = content.take(LARGEST_LIBRARY).read_to_end(&mut bytes);
            read.map_err(|error| format!("`{below}` cannot be read ({error})"))?;
            if below == "bin/java" {
                self.machine = elf::architecture(&bytes);
            }
            self.has_virtual_machine |= below == "lib/server/libjvm.so";
            self.needs.push((below, elf::needs(&bytes)));
        }
        Ok(())
    }

    fn judge(self) -> Result<Inspected, String> {
        let top = self.top.unwrap_or_default();
        let machine = self.machine.ok_or_else(|| {
            format!(
                "there is no program `bin/java` for Linux on x86_64 or arm64 in its folder `{top}` (the `.tar.gz` of a JDK \
                 or JRE for Linux has one)"
            )
        })?;
        if !self.has_virtual_machine {
            return Err(format!(
                "there is no `lib/server/libjvm.so` in its folder `{top}`"
            ));
        }
        let release = self
            .release
            .ok_or_else(|| format!("its folder `{top}` has no file `release` that tells `JAVA_VERSION`"))?;
        let mut missing = Vec::new();
        let mut newest: Option<(String, Glibc)> = None;
        for (file, needs) in &self.needs {
            for library in &needs.libraries {
                if !THERE.contains(&library.as_str()) && !self.names.contains(library) {
                    missing.push((file.clone(), library.clone()));
                }
            }
            if let Some(number) = needs
                .libstdcxx()
                .filter(|number| *number > AMAZON_LINUX_LIBSTDCXX)
            {
                missing.push((file.clone(), format!("libstdc++.so.6 with GLIBCXX_3.4.{number}")));
            }
            if let Some(glibc) = needs.glibc()
                && newest.as_ref().is_none_or(|(_, known)| *known < glibc)
            {
                newest = Some((file.clone(), glibc));
            }
        }
        Ok(Inspected {
            release,
            machine: machine.name().to_owned(),
            glibc: newest.map(|(file, Glibc(major, minor))| (file, major, minor)),
            missing,
        })
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(u64::try_from(content.len()).unwrap());
            header.set_mode(0o755);
            // As a hostile archive has them: `append_data` would refuse some.
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            builder.append(&header, *content).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    fn refused(files: &[(&str, &[u8])], words: &str) {
        let flaw = read(archive(files).as_slice()).unwrap_err();
        assert!(flaw.contains(words), "{flaw}");
    }

    #[test]
    fn what_is_no_java_is_refused_with_what_is_wrong() {
        let program: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0";
        let release: &[u8] = b"JAVA_VERSION=\"21.0.2\"\n";
        refused(&[], "no program `bin/java`");
        refused(&[("a/x", b""), ("b/x", b"")], "more than one top folder");
        refused(&[("a/../../x", b"")], "leads out");
        refused(&[("/etc/passwd", b"")], "leads out");
        refused(&[("jdk/bin/java", b"#!/bin/sh")], "no program `bin/java`");
        refused(&[("jdk/bin/java", program)], "libjvm.so");
        let jvm = ("jdk/lib/server/libjvm.so", program);
        refused(&[("jdk/bin/java", program), jvm], "`release`");
        let whole = [("jdk/bin/java", program), jvm, ("jdk/release", release)];
        let found = read(archive(&whole).as_slice()).unwrap();
        assert_eq!((found.release.as_str(), found.feature()), ("21.0.2", 21));
        let error = found.check("x", Architecture::Arm, None).unwrap_err();
        assert!(matches!(error, ArtifactError::OtherArchitecture { .. }));
        assert!(found.check("x", Architecture::X86, Some(Glibc(2, 34))).is_ok());

        let mut cut = archive(&whole);
        cut.truncate(cut.len() / 2);
        assert!(read(cut.as_slice()).is_err());
        assert!(read(b"no archive at all".as_slice()).is_err());
    }

    #[test]
    fn a_java_for_newer_systems_is_refused_for_amazons_image_alone() {
        let of = |release: &str| Inspected {
            release: release.to_owned(),
            machine: "arm64".to_owned(),
            glibc: Some(("lib/server/libjvm.so".to_owned(), 2, 38)),
            missing: Vec::new(),
        };
        let error = of("21").check("/opt/java", Architecture::Arm, Some(Glibc(2, 34)));
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains("2.38") && text.contains("java_archives.arm64"),
            "{text}"
        );
        assert!(of("21").check("/opt/java", Architecture::Arm, None).is_ok());
        assert!(
            of("21")
                .check("/opt/java", Architecture::Arm, Some(Glibc(2, 39)))
                .is_ok()
        );
        assert_eq!(of("1.8.0_292").feature(), 8);
        let needs = Inspected {
            missing: vec![("lib/libx.so".to_owned(), "libX11.so.6".to_owned())],
            ..of("17")
        };
        let error = needs.check("x", Architecture::Arm, Some(Glibc(2, 38)));
        assert!(matches!(error, Err(ArtifactError::NeedsLibrary { .. })));
    }
}

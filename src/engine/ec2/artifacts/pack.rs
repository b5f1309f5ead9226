//! Archives that are the same, byte by byte, for the same names, modes and contents: no times, no owners, sorted.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write as _};
use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

use super::{ArtifactError, io_error};

/// Deeper than any JDK; a link that leads in a circle is never followed anyway.
const DEEPEST: usize = 32;

/// A file that goes into an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its name in the archive.
    pub(super) name: String,
    /// The file, or what a link says.
    pub(super) what: What,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// A file and whether it can be executed.
    File(Utf8PathBuf, bool),
    /// A symbolic link.
    Link(Utf8PathBuf),
}

/// Everything below a folder, named below `top`. Links that lead out of the folder become what they lead to, as the
/// JDKs of distributions have them.
pub(super) fn everything_below(
    folder: &Utf8Path,
    top: &str,
    skips: &dyn Fn(&str) -> bool,
) -> Result<Vec<Entry>, ArtifactError> {
    let root = folder.canonicalize_utf8().map_err(io_error("find", folder))?;
    let mut entries = Vec::new();
    collect(&root, &root, top, skips, &mut entries, 0)?;
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

fn collect(
    root: &Utf8Path,
    folder: &Utf8Path,
    name: &str,
    skips: &dyn Fn(&str) -> bool,
    entries: &mut Vec<Entry>,
    depth: usize,
) -> Result<(), ArtifactError> {
    if depth > DEEPEST {
        return Err(io_error("pack", folder)(std::io::Error::other(
            "its folders are too deep",
        )));
    }
    for entry in folder.read_dir_utf8().map_err(io_error("list", folder))? {
        let path = entry.map_err(io_error("list", folder))?.into_path();
        let Some(own) = path.file_name() else { continue };
        let name = format!("{name}/{own}");
        if skips(&name) {
            continue;
        }
        let kind = path.symlink_metadata().map_err(io_error("look at", &path))?;
        if kind.is_dir() {
            collect(root, &path, &name, skips, entries, depth + 1)?;
            continue;
        }
        if !kind.is_symlink() {
            entries.push(file(name, path, &kind));
            continue;
        }
        // One that leads to nothing is worth nothing.
        let Ok(target) = path.canonicalize_utf8() else {
            continue;
        };
        let followed = target.metadata().map_err(io_error("look at", &target))?;
        if target.starts_with(root) {
            let says = path.read_link_utf8().map_err(io_error("read", &path))?;
            entries.push(Entry {
                name,
                what: What::Link(says),
            });
        } else if followed.is_dir() {
            collect(root, &target, &name, skips, entries, depth + 1)?;
        } else {
            entries.push(file(name, target, &followed));
        }
    }
    Ok(())
}

fn file(name: String, path: Utf8PathBuf, metadata: &fs::Metadata) -> Entry {
    let executable = metadata.permissions().mode() & 0o111 != 0;
    Entry {
        name,
        what: What::File(path, executable),
    }
}

/// Writes the archive.
pub(super) fn pack(entries: &[Entry], to: &Utf8Path, level: Compression) -> Result<(), ArtifactError> {
    let refused = || io_error("write", to);
    let target = File::create(to).map_err(refused())?;
    // The encoder writes neither a time nor a name into its header.
    let encoder = GzEncoder::new(BufWriter::new(target), level);
    let mut builder = Builder::new(encoder);
    for entry in entries {
        let mut header = Header::new_gnu();
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        match &entry.what {
            What::Link(says) => {
                header.set_entry_type(EntryType::Symlink);
                header.set_mode(0o777);
                header.set_size(0);
                builder
                    .append_link(&mut header, &entry.name, says)
                    .map_err(refused())?;
            }
            What::File(path, executable) => {
                let source = File::open(path).map_err(io_error("open", path))?;
                let length = source.metadata().map_err(io_error("look at", path))?.len();
                header.set_entry_type(EntryType::Regular);
                header.set_mode(if *executable { 0o755 } else { 0o644 });
                header.set_size(length);
                // A file that grows meanwhile must not shift what follows.
                let source = std::io::Read::take(BufReader::new(source), length);
                builder
                    .append_data(&mut header, &entry.name, source)
                    .map_err(io_error("pack", path))?;
            }
        }
    }
    let encoder = builder.into_inner().map_err(refused())?;
    let mut target = encoder.finish().map_err(refused())?;
    target.flush().map_err(refused())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn tree(at: &Utf8Path) {
        fs::create_dir_all(at.join("bin")).unwrap();
        fs::create_dir_all(at.join("lib")).unwrap();
        fs::write(at.join("bin/java"), "program").unwrap();
        fs::set_permissions(at.join("bin/java"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(at.join("lib/modules"), "modules").unwrap();
        symlink("modules", at.join("lib/inside")).unwrap();
        symlink("/etc/passwd", at.join("lib/outside")).unwrap();
        symlink("nothing", at.join("lib/dangling")).unwrap();
        symlink("..", at.join("lib/circle")).unwrap();
    }

    #[test]
    fn the_same_tree_gives_the_same_bytes_wherever_and_whenever_it_lies() {
        let outer = tempfile::tempdir().unwrap();
        let outer = Utf8Path::from_path(outer.path()).unwrap();
        let mut packed = Vec::new();
        for place in ["one", "two"] {
            let at = outer.join(place);
            tree(&at);
            let entries = everything_below(&at, "java", &|_| false).unwrap();
            let to = outer.join(format!("{place}.tar.gz"));
            pack(&entries, &to, Compression::fast()).unwrap();
            packed.push(fs::read(&to).unwrap());
        }
        assert!(packed[0] == packed[1] && !packed[0].is_empty());
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(packed[0].as_slice()));
        let found: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let kind = entry.header().entry_type();
                let path = entry.path().unwrap().to_str().unwrap().to_owned();
                (path, kind, entry.header().mode().unwrap())
            })
            .collect();
        let expected = [
            ("java/bin/java", EntryType::Regular, 0o755),
            ("java/lib/circle", EntryType::Symlink, 0o777),
            ("java/lib/inside", EntryType::Symlink, 0o777),
            ("java/lib/modules", EntryType::Regular, 0o644),
            ("java/lib/outside", EntryType::Regular, 0o644),
        ];
        let expected = expected.map(|(name, kind, mode)| (name.to_owned(), kind, mode));
        assert_eq!(found, expected);
    }
}

//! Looks for secrets wherever they must not be, and for files that others may read.

use std::fs;
use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use camino::Utf8Path;
use msk::kafka::client::ScramMechanism;
use msk::secret::Secret;

use crate::node_agent::cluster::Cluster;

/// Every file below a directory; links are not followed.
pub(super) fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        // Kafka and agents go on working meanwhile: what is gone by now is no finding.
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found
}

/// No file and no folder below has a bit for group or others.
pub(super) fn nothing_is_open_to_others(root: &Utf8Path) {
    let mut open = Vec::new();
    let mut look = |path: &Path| {
        if let Ok(about) = fs::symlink_metadata(path)
            && about.permissions().mode() & 0o077 != 0
            && !about.file_type().is_symlink()
        {
            open.push(format!("{:o} {}", about.permissions().mode(), path.display()));
        }
    };
    let files = files_below(root.as_std_path());
    assert!(files.len() > 50, "{files:?}");
    for file in &files {
        look(file);
        for folder in file
            .ancestors()
            .skip(1)
            .take_while(|folder| folder.starts_with(root))
        {
            look(folder);
        }
    }
    open.sort();
    open.dedup();
    assert!(open.is_empty(), "open to others:\n{}", open.join("\n"));
}

/// Where each secret stands that must not be there; `needles` are names and bytes.
pub(super) fn findings(
    places: impl IntoIterator<Item = (String, Vec<u8>)>,
    needles: &[(String, Vec<u8>)],
) -> Vec<String> {
    let mut found = Vec::new();
    for (place, bytes) in places {
        for (name, needle) in needles {
            assert!(needle.len() >= 8, "{name} is too short to look for");
            if bytes
                .windows(needle.len())
                .any(|window| window == needle.as_slice())
            {
                found.push(format!("{name} is in {place}"));
            }
        }
    }
    found
}

/// The first lines of every private key in a file: enough to know it by.
pub(super) fn keys_in(path: &Path) -> Vec<(String, Vec<u8>)> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let parts = text.split("PRIVATE KEY-----").skip(1).step_by(2);
    parts
        .filter_map(|part| {
            let line = part.lines().nth(2)?;
            Some((format!("the key of {}", path.display()), line.as_bytes().to_vec()))
        })
        .collect()
}

/// What arguments and environments of the processes on a directory hold.
pub(super) fn processes_on(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let needle = directory.to_str().unwrap().to_owned();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let path = entry.path();
        let line = fs::read(path.join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(&needle) {
            let environment = fs::read(path.join("environ")).unwrap_or_default();
            found.push((path.join("cmdline").display().to_string(), line));
            found.push((path.join("environ").display().to_string(), environment));
        }
    }
    assert!(!found.is_empty(), "nothing runs on {needle}");
    found
}

/// Passwords and keys of a running cluster stand in their own files and nowhere else.
pub(super) fn no_secret_is_out(cluster: &Cluster, passwords: &[&str]) {
    let root = cluster.root().into_std_path_buf();
    let files = files_below(&root);
    let is_private = |path: &Path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let folder = path
            .parent()
            .unwrap()
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        folder == "private" || folder == "tls" || name.ends_with(".secret.json")
    };
    let mut needles: Vec<(String, Vec<u8>)> = passwords
        .iter()
        .map(|password| (format!("the password `{password}`"), password.as_bytes().to_vec()))
        .collect();
    let mut keys = 0;
    for file in files.iter().filter(|file| is_private(file)) {
        keys += keys_in(file).len();
        needles.extend(keys_in(file));
        let text = fs::read_to_string(file).unwrap_or_default();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if let Some(password) = text.trim().strip_prefix("password=") {
            needles.push((format!("the password of {name}"), password.as_bytes().to_vec()));
            let user = format!("__msk-{}", name.trim_end_matches(".password"));
            let salt = format!("{}/{user}", cluster.uid);
            let secret = Secret::new(password.to_owned());
            let rounds = NonZeroU32::new(4096).unwrap();
            let salted = ScramMechanism::Sha512.salt(&secret, salt.as_bytes(), rounds);
            let text = STANDARD.encode(salted.expose());
            needles.push((format!("the salted password of {name}"), salted.expose().clone()));
            needles.push((
                format!("the salted password of {name} in base64"),
                text.into_bytes(),
            ));
        }
    }
    assert!(keys >= 4, "two authorities, and two keys per node: {keys}");
    let places = files
        .iter()
        .filter(|file| !is_private(file))
        .map(|file| (file.display().to_string(), fs::read(file).unwrap_or_default()))
        .chain(processes_on(&root));
    let found = findings(places, &needles);
    assert!(found.is_empty(), "{found:#?}");
    let documents = files
        .iter()
        .filter(|file| file.starts_with(root.join("data/store")));
    assert!(documents.count() > 5);
}

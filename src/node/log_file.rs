//! Log files that cannot fill a disk, and their last lines.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};

/// What a log file may hold before it is set aside.
const MAX_BYTES: u64 = 8 * 1024 * 1024;
/// How much of its end is looked at for last lines.
const TAIL_BYTES: u64 = 32 * 1024;

/// Opens a log for a process that appends to it for its whole life.
///
/// # Errors
/// What the system says.
pub(crate) fn open(path: &Utf8Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

/// Sets a log aside as `<name>.1` when it has grown too large. The writer keeps its descriptor: it
/// appends, so emptying the file under it is safe, and at most a few lines are lost in between. On a full
/// disk, which it may have filled itself, it is emptied without a copy.
///
/// # Errors
/// What the system says.
pub(crate) fn bound(path: &Utf8Path) -> io::Result<()> {
    let length = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(cause) => return Err(cause),
    };
    if length <= MAX_BYTES {
        return Ok(());
    }
    let aside = Utf8PathBuf::from(format!("{path}.1"));
    let copied = copy_end(path, length, &aside);
    if copied.is_err() {
        let _ = fs::remove_file(&aside);
    }
    OpenOptions::new().write(true).open(path)?.set_len(0)?;
    copied
}

fn copy_end(path: &Utf8Path, length: u64, aside: &Utf8Path) -> io::Result<()> {
    let _ = fs::remove_file(aside);
    let mut copy = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(aside)?;
    let mut log = File::open(path)?;
    log.seek(SeekFrom::Start(length - MAX_BYTES))?;
    io::copy(&mut log.take(MAX_BYTES), &mut copy)?;
    Ok(())
}

/// How long a log is now; 0 if there is none.
pub(crate) fn length(path: &Utf8Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// The last lines of a log behind `from`, oldest first; empty if there are none.
pub(crate) fn last_lines(path: &Utf8Path, from: u64, count: usize) -> Vec<String> {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        // A log that is shorter than it was has been set aside meanwhile.
        let from = if from > length { 0 } else { from };
        file.seek(SeekFrom::Start(from.max(length.saturating_sub(TAIL_BYTES))))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let skip = lines.len().saturating_sub(count);
    lines.into_iter().skip(skip).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_log_is_bounded_under_its_writer_and_the_end_is_kept() {
        let keep = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(keep.path().join("kafka.log")).unwrap();
        bound(&path).unwrap();
        let mut log = open(&path).unwrap();
        let line = format!("{}\n", "x".repeat(1023));
        for _ in 0..(MAX_BYTES / 1024) {
            log.write_all(line.as_bytes()).unwrap();
        }
        bound(&path).unwrap();
        assert_eq!(length(&path), MAX_BYTES, "not too large yet");
        log.write_all(b"the end\n").unwrap();
        bound(&path).unwrap();
        assert_eq!(length(&path), 0);
        let aside = format!("{path}.1");
        assert!(fs::read(&aside).unwrap().ends_with(b"the end\n"));
        log.write_all(b"on we go\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "on we go\n");
    }

    #[test]
    fn last_lines_begin_where_this_life_began() {
        let keep = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(keep.path().join("kafka.log")).unwrap();
        assert!(last_lines(&path, 0, 5).is_empty());
        fs::write(&path, "old\na\n\nb\nc\n").unwrap();
        assert_eq!(last_lines(&path, 4, 2), ["b", "c"]);
        assert_eq!(last_lines(&path, 4, 9), ["a", "b", "c"]);
        assert_eq!(last_lines(&path, 4_000, 1), ["c"]);
    }
}

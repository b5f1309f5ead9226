//! This process and others of the machine: identity, life, command line, end.
//!
//! A process id alone proves nothing, since ids are used again: a process is meant only together with
//! its start time. Nothing here signals a process whose start time was not read right before.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::clock::Timestamp;
use crate::store::documents::{Holder, ProcessIdentity};

/// `/proc/<pid>/stat` and `/proc/<pid>/cmdline` of a process with a longer command line are cut here.
const MAX_PROC_FILE: u64 = 256 * 1024;
/// How often a wait for a process's end looks.
const END_POLL: Duration = Duration::from_millis(10);

/// A process of this machine, as `/proc` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id and start time.
    pub identity: ProcessIdentity,
    /// The user that runs it.
    pub user_id: u32,
    /// Its arguments, the program first.
    pub arguments: Vec<Vec<u8>>,
}

/// The boot id of this machine; empty where the kernel does not tell it.
pub fn boot_id() -> &'static str {
    static BOOT_ID: OnceLock<String> = OnceLock::new();
    BOOT_ID.get_or_init(|| {
        std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .map(|text| text.trim().to_owned())
            .unwrap_or_default()
    })
}

/// This process as a holder of work, with its heartbeat at `now`.
///
/// # Errors
/// What reading `/proc/self/stat` says.
pub fn own_holder(now: Timestamp) -> io::Result<Holder> {
    let process_id = std::process::id();
    let process_start =
        start_time(process_id)?.ok_or_else(|| io::Error::other("/proc does not show this process itself"))?;
    Ok(Holder {
        boot_id: boot_id().into(),
        process_id,
        process_start,
        heartbeat_at: now,
    })
}

/// Whether the process behind a holder of this machine still lives.
///
/// After a reboot it does not, whatever its id says.
pub fn holder_lives(holder: &Holder) -> bool {
    *holder.boot_id == *boot_id()
        && lives(&ProcessIdentity {
            process_id: holder.process_id,
            process_start: holder.process_start,
        })
}

/// Whether this very process is there and has not ended. What cannot be read counts as alive.
pub fn lives(identity: &ProcessIdentity) -> bool {
    match start_time(identity.process_id) {
        Ok(Some(start)) => start == identity.process_start,
        Ok(None) => false,
        Err(_) => true,
    }
}

/// The living process with this id; `None` if there is none, it has ended or cannot be looked at.
pub fn identify(process_id: u32) -> Option<ProcessIdentity> {
    let process_start = start_time(process_id).ok()??;
    Some(ProcessIdentity {
        process_id,
        process_start,
    })
}

/// This process.
pub fn own() -> ProcessIdentity {
    let process_id = std::process::id();
    identify(process_id).unwrap_or(ProcessIdentity {
        process_id,
        process_start: 0,
    })
}

/// The start time of a process in clock ticks since boot; `None` if there is none or it has ended and
/// only waits for its parent to take notice.
fn start_time(process_id: u32) -> io::Result<Option<u64>> {
    let bytes = match read_bounded(&format!("/proc/{process_id}/stat")) {
        Ok(bytes) => bytes,
        Err(error) if is_gone(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(parse_stat(&bytes))
}

/// Field 3 is the state, field 22 the start time; field 2, the name in brackets, may hold anything.
fn parse_stat(stat: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(stat);
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X" | "x") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// Every process of this machine that this user runs and may look at.
///
/// # Errors
/// What listing `/proc` says; a process that ends meanwhile is left out.
pub fn list_own() -> io::Result<Vec<Process>> {
    let own_user = std::fs::metadata("/proc/self")?.uid();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Ok(entry) = entry else { continue };
        let Some(process_id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        if metadata.uid() != own_user {
            continue;
        }
        if let Some(process) = read(process_id, own_user) {
            found.push(process);
        }
    }
    Ok(found)
}

/// A process with its arguments; `None` if there is none or it cannot be looked at.
fn read(process_id: u32, user_id: u32) -> Option<Process> {
    Some(Process {
        identity: identify(process_id)?,
        user_id,
        arguments: command_line(process_id)?,
    })
}

/// The arguments of a process, the program first; `None` if it is gone or cannot be looked at.
pub fn command_line(process_id: u32) -> Option<Vec<Vec<u8>>> {
    let bytes = read_bounded(&format!("/proc/{process_id}/cmdline")).ok()?;
    let arguments = bytes.split(|byte| *byte == 0);
    Some(
        arguments
            .filter(|argument| !argument.is_empty())
            .map(<[u8]>::to_vec)
            .collect(),
    )
}

impl Process {
    /// The file name of the program; for an interpreter (`sh script`) that of the script comes second.
    pub fn program_names(&self) -> impl Iterator<Item = &OsStr> {
        self.arguments
            .iter()
            .take(2)
            .filter_map(|argument| Path::new(OsStr::from_bytes(argument)).file_name())
    }

    /// Whether an argument is this path, lies below it, or is `…=path` of such.
    pub fn names_path(&self, path: &Path) -> bool {
        let path = path.as_os_str().as_bytes();
        self.arguments.iter().any(|argument| {
            let value = argument
                .iter()
                .position(|byte| *byte == b'=')
                .and_then(|at| argument.get(at + 1..));
            is_at_or_below(argument, path) || value.is_some_and(|value| is_at_or_below(value, path))
        })
    }
}

fn is_at_or_below(argument: &[u8], path: &[u8]) -> bool {
    argument
        .strip_prefix(path)
        .is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
}

/// Sends a signal to this very process; does nothing if it has ended.
///
/// # Errors
/// What the kernel says, such as "not permitted".
pub fn signal(identity: &ProcessIdentity, signal: Signal) -> io::Result<()> {
    if !lives(identity) {
        return Ok(());
    }
    let Some(pid) = i32::try_from(identity.process_id).ok().and_then(Pid::from_raw) else {
        return Ok(());
    };
    match kill_process(pid, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Waits until none of these processes lives; answers those that still do when the time is over.
pub async fn wait_for_end(identities: &[ProcessIdentity], patience: Duration) -> Vec<ProcessIdentity> {
    let deadline = tokio::time::Instant::now() + patience;
    let mut left: Vec<ProcessIdentity> = identities.to_vec();
    loop {
        left.retain(lives);
        if left.is_empty() || tokio::time::Instant::now() >= deadline {
            return left;
        }
        tokio::time::sleep(END_POLL).await;
    }
}

fn read_bounded(path: &str) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(MAX_PROC_FILE)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A process may end between the opening and the reading of its files.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
        || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use rustix::process::Signal;

    use super::{Process, holder_lives, list_own, lives, own_holder, parse_stat, signal, wait_for_end};
    use crate::clock::Timestamp;
    use crate::store::documents::ProcessIdentity;

    #[test]
    fn this_process_lives_and_another_with_its_id_does_not() {
        let mut holder = own_holder(Timestamp::now()).unwrap();
        assert!(holder_lives(&holder));
        holder.process_start += 1;
        assert!(!holder_lives(&holder));
        holder.process_start -= 1;
        holder.boot_id = "another boot".into();
        assert!(!holder_lives(&holder));
    }

    #[test]
    fn a_name_with_brackets_and_blanks_does_not_shift_the_fields() {
        let stat = b"7 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 424242 20";
        assert_eq!(parse_stat(stat), Some(424_242));
        assert_eq!(
            parse_stat(b"7 (x) Z 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4"),
            None
        );
        assert_eq!(parse_stat(b"garbage"), None);
    }

    #[test]
    fn a_path_is_found_whole_and_not_as_the_start_of_another() {
        let process = Process {
            identity: ProcessIdentity {
                process_id: 1,
                process_start: 1,
            },
            user_id: 0,
            arguments: vec![
                b"/bin/java".to_vec(),
                b"-Dx=/d/node-1/x".to_vec(),
                b"/d/node-2".to_vec(),
            ],
        };
        assert!(process.names_path(Path::new("/d/node-1")));
        assert!(process.names_path(Path::new("/d/node-2")));
        assert!(!process.names_path(Path::new("/d/node")));
        assert!(process.names_path(Path::new("/d")));
    }

    #[tokio::test]
    async fn a_child_is_listed_ended_and_waited_for() {
        let mut child = std::process::Command::new("sleep").arg("61").spawn().unwrap();
        let found = list_own()
            .unwrap()
            .into_iter()
            .find(|process| process.identity.process_id == child.id())
            .unwrap();
        assert!(lives(&found.identity));
        assert!(
            !wait_for_end(std::slice::from_ref(&found.identity), Duration::from_millis(1))
                .await
                .is_empty()
        );
        let mut stranger = found.identity.clone();
        stranger.process_start += 1;
        signal(&stranger, Signal::KILL).unwrap();
        assert!(lives(&found.identity));
        signal(&found.identity, Signal::KILL).unwrap();
        // Not reaped yet: a zombie counts as ended.
        assert!(
            wait_for_end(&[found.identity], Duration::from_secs(5))
                .await
                .is_empty()
        );
        child.wait().unwrap();
    }
}

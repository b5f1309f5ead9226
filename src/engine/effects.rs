//! Numbers every effect on the world, so that a test can cut a run before or after each of them.
//!
//! Two environment variables, read once and inert when they are not set (`docs/developing.md`):
//!
//! * `MSK_TEST_EFFECTS_FILE=path`: each effect adds the line `<number> <name>` to this file; of lines with one number
//!   the last counts.
//! * `MSK_TEST_STOP_AT_EFFECT=<number>:before|after[:parent]`: the process kills itself with SIGKILL
//!   right before or right after that effect; with `parent` its parent (Terraform) is killed first.
//!
//! Effects are what a killed run leaves behind: a document written or removed, a file or directory
//! made or removed, a process started or ended, a call that changes something in an AWS account. Heartbeats and the
//! journal's own writes do not count, since how many there are depends on time.

use std::io::Write;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Signal, getpid, getppid, kill_process};

const STOP_VARIABLE: &str = "MSK_TEST_STOP_AT_EFFECT";
const FILE_VARIABLE: &str = "MSK_TEST_EFFECTS_FILE";

/// On which side of an effect the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

/// Where to end, and whether the parent ends too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct StopAt {
    number: u64,
    side: Side,
    with_parent: bool,
}

#[derive(Debug, Default)]
struct Hook {
    count: AtomicU64,
    stop: Option<StopAt>,
    file: Option<PathBuf>,
}

static HOOK: OnceLock<Hook> = OnceLock::new();

fn hook() -> &'static Hook {
    HOOK.get_or_init(|| Hook {
        count: AtomicU64::new(0),
        stop: std::env::var(STOP_VARIABLE).ok().and_then(|text| parse(&text)),
        file: std::env::var_os(FILE_VARIABLE).map(PathBuf::from),
    })
}

fn parse(text: &str) -> Option<StopAt> {
    let mut parts = text.split(':');
    let number = parts.next()?.parse().ok()?;
    let side = match parts.next()? {
        "before" => Side::Before,
        "after" => Side::After,
        _ => return None,
    };
    let with_parent = match parts.next() {
        None => false,
        Some("parent") => true,
        Some(_) => return None,
    };
    Some(StopAt {
        number,
        side,
        with_parent,
    })
}

/// Does one effect under its number.
///
/// # Errors
/// What `work` says.
pub async fn effect<T, E>(name: &str, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let number = begin(name);
    let result = work.await;
    end(number);
    result
}

/// Begins an effect and answers its number, for what cannot be put into a future.
pub fn begin(name: &str) -> u64 {
    let hook = hook();
    let number = hook.count.fetch_add(1, Ordering::Relaxed) + 1;
    if let Some(file) = &hook.file {
        note(file, number, name);
    }
    hook.stop_if(number, Side::Before);
    number
}

/// Ends the effect with this number.
pub fn end(number: u64) {
    hook().stop_if(number, Side::After);
}

/// Takes back the number of a call that was refused: it left nothing behind, and how often a young object is not known
/// yet depends on time. The next effect gets the number again.
pub fn refused() {
    hook().count.fetch_sub(1, Ordering::Relaxed);
}

/// A test hook's file that cannot be written makes the test fail by its missing lines.
fn note(file: &PathBuf, number: u64, name: &str) {
    let opened = std::fs::OpenOptions::new().create(true).append(true).open(file);
    if let Ok(mut opened) = opened {
        let _ = opened.write_all(format!("{number} {name}\n").as_bytes());
    }
}

impl Hook {
    fn stop_if(&self, number: u64, side: Side) {
        let Some(stop) = self.stop else { return };
        if stop.number != number || stop.side != side {
            return;
        }
        if stop.with_parent
            && let Some(parent) = getppid()
        {
            let _ = kill_process(parent, Signal::KILL);
        }
        let _ = kill_process(getpid(), Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::{Side, StopAt, parse};

    #[test]
    fn the_place_to_stop_is_read_from_its_text() {
        assert_eq!(
            parse("3:before"),
            Some(StopAt {
                number: 3,
                side: Side::Before,
                with_parent: false
            })
        );
        assert_eq!(
            parse("12:after:parent"),
            Some(StopAt {
                number: 12,
                side: Side::After,
                with_parent: true
            })
        );
        for wrong in ["", "3", "x:before", "3:during", "3:after:child"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}

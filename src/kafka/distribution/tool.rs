//! Running a program of the user's to its end, and keeping its last words.

use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::process::Stdio;
use std::time::Duration;

use camino::Utf8Path;
use tokio::process::Command;

use super::Error;

/// A run of a program.
#[derive(Debug)]
pub(super) struct Run<'a> {
    /// The program, a name in PATH or a path.
    pub(super) program: &'a str,
    pub(super) arguments: Vec<String>,
    /// Where it runs.
    pub(super) directory: &'a Utf8Path,
    /// What it reads: settings that must not stand among the arguments.
    pub(super) input: String,
    /// What it is to do, as half a sentence behind "failed", for the error.
    pub(super) task: String,
    /// What to do if it is not installed.
    pub(super) way_out: &'static str,
}

/// A download that takes longer than this is stuck.
const PATIENCE: Duration = Duration::from_mins(30);

/// Of what a failed program printed, this much of the end is shown.
const LAST_WORDS: u64 = 3000;
const LAST_LINES: usize = 12;

impl Run<'_> {
    /// Runs to the end; dropping the future kills the program.
    pub(super) async fn to_end(&self) -> Result<(), Error> {
        let refused = Error::io("write in", self.directory);
        let mut output = tempfile_in(self.directory).map_err(refused)?;
        let mut command = Command::new(self.program);
        command
            .args(&self.arguments)
            .current_dir(self.directory)
            // Java opens no path with letters beyond ASCII without it.
            .env("LC_ALL", "C.UTF-8")
            .stdout(self.stream(&output)?)
            .stderr(self.stream(&output)?)
            .kill_on_drop(true);
        // Terraform's own variables may hold secrets, and are none of this program's business.
        for (name, _) in std::env::vars_os() {
            if name
                .to_str()
                .is_some_and(|name| name.starts_with("TF_") || name.starts_with("PLUGIN_"))
            {
                command.env_remove(name);
            }
        }
        command.stdin(self.stdin()?);
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::NoProgram {
                    program: self.program.to_owned(),
                    way_out: self.way_out,
                });
            }
            Err(source) => {
                return Err(Error::Start {
                    program: self.program.to_owned(),
                    source,
                });
            }
        };
        let status = match tokio::time::timeout(PATIENCE, child.wait()).await {
            Ok(Ok(status)) if status.success() => return Ok(()),
            Ok(Ok(status)) => status.to_string(),
            Ok(Err(source)) => {
                return Err(Error::Start {
                    program: self.program.to_owned(),
                    source,
                });
            }
            Err(_) => "no end after 30 minutes".to_owned(),
        };
        Err(Error::Failed {
            program: self.program.to_owned(),
            task: self.task.clone(),
            status,
            last_words: last_words(&mut output),
        })
    }

    fn stream(&self, output: &std::fs::File) -> Result<Stdio, Error> {
        output
            .try_clone()
            .map(Stdio::from)
            .map_err(Error::io("write in", self.directory))
    }

    /// The input as a file that has no name, so that no one else reads it and no pipe fills up.
    fn stdin(&self) -> Result<Stdio, Error> {
        if self.input.is_empty() {
            return Ok(Stdio::null());
        }
        let write = || {
            let mut file = tempfile_in(self.directory)?;
            file.write_all(self.input.as_bytes())?;
            file.seek(SeekFrom::Start(0))?;
            Ok(file)
        };
        write()
            .map(Stdio::from)
            .map_err(Error::io("write in", self.directory))
    }
}

/// A private file that is gone from the directory at once and lives as long as it is open.
fn tempfile_in(directory: &Utf8Path) -> io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let path = directory.join(format!(".tool-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// The last lines of what was printed, as text behind the error.
fn last_words(output: &mut std::fs::File) -> String {
    let mut bytes = Vec::new();
    let length = output.metadata().map_or(0, |metadata| metadata.len());
    let start = SeekFrom::Start(length.saturating_sub(LAST_WORDS));
    if output.seek(start).is_err() || output.take(LAST_WORDS).read_to_end(&mut bytes).is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let clean = |line: &str| {
        line.chars()
            .filter(|letter| !letter.is_control())
            .collect::<String>()
    };
    let lines: Vec<String> = text
        .lines()
        .map(clean)
        .filter(|line| !line.trim().is_empty())
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    let shown = lines
        .get(lines.len().saturating_sub(LAST_LINES)..)
        .unwrap_or_default();
    format!("; its last words:\n  {}", shown.join("\n  "))
}

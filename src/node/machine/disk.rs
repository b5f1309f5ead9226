//! The volume as a disk of this machine: found by its id, looked at, formatted, mounted, grown.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::process::Stdio;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use tokio::process::Command;

use super::rules::Content;
use crate::spec::ids::NodeId;

/// How much at either end must be zeros.
const ENDS: u64 = 1 << 20;
/// A program that takes longer hangs on the disk.
const PATIENCE: Duration = Duration::from_mins(5);

/// Why something could not be done with the disk.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiskError {
    /// A file or the device.
    #[error("{action} `{path}`")]
    Access {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: Utf8PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// A program could not be run.
    #[error("run `{program}`")]
    Run {
        /// The program.
        program: &'static str,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// A program failed.
    #[error("`{program}` failed ({status}): {words}")]
    Failed {
        /// The program.
        program: &'static str,
        /// How it ended.
        status: String,
        /// What it said.
        words: String,
    },
    /// Something else is mounted there.
    #[error("`{path}` is the mount point of something else; it was left alone")]
    Occupied {
        /// The mount point.
        path: Utf8PathBuf,
    },
    /// A program said what cannot be.
    #[error("`{program}` says what cannot be")]
    Answer {
        /// The program.
        program: &'static str,
    },
}

fn access(action: &'static str, path: &Utf8Path) -> impl FnOnce(io::Error) -> DiskError {
    let path = path.to_owned();
    move |cause| DiskError::Access { action, path, cause }
}

/// Where the device of a volume appears, whatever the kernel calls it.
pub(super) fn device(volume_id: &str) -> Utf8PathBuf {
    let id = volume_id.replace('-', "");
    Utf8PathBuf::from(format!("/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{id}"))
}

/// Whether the device is there.
pub(super) fn is_there(device: &Utf8Path) -> bool {
    fs::metadata(device).is_ok_and(|about| about.file_type().is_block_device())
}

/// The label of a node's file system; XFS takes 12 characters.
pub(super) fn label(node: NodeId) -> String {
    format!("msk-{node}")
}

/// What is on a device.
pub(super) async fn content(device: &Utf8Path, label: &str) -> Content {
    let signature = match probe(device).await {
        Ok(signature) => signature,
        Err(cause) => return Content::Unreadable(crate::node::problem::with_causes(&cause)),
    };
    if !signature.is_empty() {
        return judge_signature(&signature, label);
    }
    match ends_are_zero(device) {
        Ok(true) => Content::Blank,
        Ok(false) => Content::Foreign("bytes that no tool knows".to_owned()),
        Err(cause) => Content::Unreadable(cause.to_string()),
    }
}

/// What `blkid` finds at the disk itself, without its cache; empty: nothing.
async fn probe(device: &Utf8Path) -> Result<String, DiskError> {
    let arguments = ["-p", "-o", "export", device.as_str()];
    let output = output("blkid", &arguments).await?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    // 2 is "nothing found" and "could not look" alike, which its words tell apart.
    match output.status.code() {
        Some(0) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Some(2) if output.stdout.is_empty() && said.is_empty() => Ok(String::new()),
        _ => Err(DiskError::Failed {
            program: "blkid",
            status: output.status.to_string(),
            words: said,
        }),
    }
}

fn judge_signature(signature: &str, label: &str) -> Content {
    let value = |name: &str| {
        signature
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
    };
    if let (Some("xfs"), Some(id)) = (value("TYPE"), value("UUID"))
        && value("LABEL") == Some(label)
        && id.len() <= 40
        && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
    {
        return Content::OurFileSystem { id: id.to_owned() };
    }
    let words: Vec<&str> = ["TYPE", "LABEL", "UUID", "PTTYPE"]
        .into_iter()
        .filter_map(value)
        .collect();
    let words: String = words.join(" ").chars().take(200).collect();
    Content::Foreign(format!("something else ({words})"))
}

fn ends_are_zero(device: &Utf8Path) -> io::Result<bool> {
    let mut file = File::open(device)?;
    let length = file.seek(SeekFrom::End(0))?;
    for start in [0, length.saturating_sub(ENDS)] {
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.by_ref().take(ENDS).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).unwrap_or(0) != ENDS.min(length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if bytes.iter().any(|&byte| byte != 0) {
            return Ok(false);
        }
    }
    Ok(length > 0)
}

/// Makes the file system. Without `-f`: the tool's own look is one guard more.
pub(super) async fn format(device: &Utf8Path, label: &str) -> Result<(), DiskError> {
    run("mkfs.xfs", &["-q", "-L", label, device.as_str()]).await?;
    Ok(())
}

/// Mounts the file system with this UUID, unless it is mounted already; answers whether that was so.
pub(super) async fn mount(device: &Utf8Path, id: &str, point: &Utf8Path) -> Result<bool, DiskError> {
    fs::create_dir_all(point).map_err(access("make", point))?;
    if is_mounted(device, point)? {
        return Ok(true);
    }
    let parent = point.parent().unwrap_or(point);
    let of = |path: &Utf8Path| fs::metadata(path).map(|about| about.dev());
    if of(point).map_err(access("look at", point))? != of(parent).map_err(access("look at", parent))? {
        return Err(DiskError::Occupied {
            path: point.to_owned(),
        });
    }
    // By UUID where there is such a name; what is looked at below is the device itself in any case.
    let by_id = Utf8PathBuf::from(format!("/dev/disk/by-uuid/{id}"));
    let same = |path: &Utf8Path| fs::metadata(path).ok().map(|about| about.rdev());
    let source = if same(&by_id) == same(device) && is_there(&by_id) {
        by_id.as_path()
    } else {
        device
    };
    let arguments = ["-t", "xfs", "-o", "noatime", source.as_str(), point.as_str()];
    run("mount", &arguments).await?;
    if !is_mounted(device, point)? {
        return Err(DiskError::Occupied {
            path: point.to_owned(),
        });
    }
    Ok(false)
}

/// Whether exactly this device is mounted there.
pub(super) fn is_mounted(device: &Utf8Path, point: &Utf8Path) -> Result<bool, DiskError> {
    let device = fs::metadata(device).map_err(access("look at", device))?;
    let mounted = fs::metadata(point).map_err(access("look at", point))?;
    Ok(device.rdev() == mounted.dev())
}

/// Takes the file system away again.
pub(super) async fn unmount(point: &Utf8Path) -> Result<(), DiskError> {
    run("umount", &[point.as_str()]).await.map(|_| ())
}

/// The size of a device.
pub(super) fn size(device: &Utf8Path) -> Result<u64, DiskError> {
    File::open(device)
        .and_then(|mut file| file.seek(SeekFrom::End(0)))
        .map_err(access("look at", device))
}

/// Lets the mounted file system have all of its device; answers its size. Nothing happens if it has it.
pub(super) async fn grow(point: &Utf8Path) -> Result<u64, DiskError> {
    let said = run("xfs_growfs", &["-d", point.as_str()]).await?;
    geometry(&said).ok_or(DiskError::Answer {
        program: "xfs_growfs",
    })
}

/// Block size times blocks of the data section, and what they were changed to.
fn geometry(said: &str) -> Option<u64> {
    let number = |text: &str, name: &str| {
        let rest = text.split_once(name)?.1;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u64>().ok()
    };
    let data = said.lines().find(|line| line.starts_with("data "))?;
    let changed = said
        .lines()
        .find(|line| line.starts_with("data blocks changed"))
        .and_then(|line| number(line, " to "));
    let blocks = changed.or_else(|| number(data, "blocks="))?;
    number(data, "bsize=")?.checked_mul(blocks)
}

/// Runs a program to its end; answers what it printed.
pub(super) async fn run(program: &'static str, arguments: &[&str]) -> Result<String, DiskError> {
    let output = output(program, arguments).await?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(DiskError::Failed {
        program,
        status: output.status.to_string(),
        words: words
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .chars()
            .take(600)
            .collect(),
    })
}

async fn output(program: &'static str, arguments: &[&str]) -> Result<std::process::Output, DiskError> {
    let run = |cause| DiskError::Run { program, cause };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    match tokio::time::timeout(PATIENCE, command.output()).await {
        Ok(output) => output.map_err(run),
        Err(_) => Err(run(io::ErrorKind::TimedOut.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_has_the_volumes_id_without_its_dash() {
        assert_eq!(
            device("vol-0123456789abcdef0"),
            "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0"
        );
        assert!(label(NodeId(10_003)).len() <= 12);
    }

    #[tokio::test]
    async fn a_file_with_zeros_is_blank_and_one_byte_at_either_end_is_not() {
        let keep = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(keep.path().join("disk")).unwrap();
        let file = File::create(&path).unwrap();
        file.set_len(64 << 20).unwrap();
        assert_eq!(content(&path, "msk-1").await, Content::Blank);
        for place in [0, (64 << 20) - 1] {
            std::os::unix::fs::FileExt::write_at(&file, b"x", place).unwrap();
            assert!(matches!(content(&path, "msk-1").await, Content::Foreign(_)));
            std::os::unix::fs::FileExt::write_at(&file, b"\0", place).unwrap();
        }
        assert!(matches!(
            content(&path.with_extension("gone"), "msk-1").await,
            Content::Unreadable(_)
        ));
    }

    #[tokio::test]
    async fn a_file_system_is_this_nodes_by_its_label_and_is_not_formatted_twice() {
        let keep = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(keep.path().join("disk")).unwrap();
        File::create(&path).unwrap().set_len(512 << 20).unwrap();
        format(&path, "msk-1").await.unwrap();
        assert!(matches!(
            content(&path, "msk-1").await,
            Content::OurFileSystem { .. }
        ));
        assert!(matches!(content(&path, "msk-2").await, Content::Foreign(_)));
        let error = format(&path, "msk-1").await.unwrap_err();
        assert!(matches!(error, DiskError::Failed { .. }), "{error}");
    }

    #[test]
    fn the_size_of_a_file_system_is_read_from_what_the_tool_says() {
        let said = "meta-data=/dev/x isize=512 agcount=4, agsize=65536 blks\n\
                    data     =                       bsize=4096   blocks=262144, imaxpct=25\n\
                    log      =internal               bsize=4096   blocks=16384, version=2\n";
        assert_eq!(geometry(said), Some(1 << 30));
        let grown = format!("{said}data blocks changed from 262144 to 524288\n");
        assert_eq!(geometry(&grown), Some(2 << 30));
        assert_eq!(geometry("nonsense"), None);
    }
}

//! Kafka as a systemd unit: a control group of its own, so that nothing that happens to the agent reaches it.
//!
//! The unit's text never changes with the cluster; what does is in a script beside `server.properties`. systemd
//! starts Kafka and no more: when, and whether again, is the agent's choice, as on one machine.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};

use super::home::{NodeDirectory, write_private};
use crate::kafka::launch::CommandLine;

/// The unit's name.
pub(crate) const NAME: &str = "msk-kafka.service";

const FILE: &str = "/etc/systemd/system/msk-kafka.service";

/// The file system that must be mounted.
pub(crate) const DATA: &str = "/var/lib/msk/data";

/// The unit's text.
pub(crate) fn text(directory: &NodeDirectory) -> String {
    let (script, logs, output) = (script_path(directory), directory.logs(), directory.kafka_log());
    format!(
        "# Written by msk-node; changes are lost.\n\
         [Unit]\n\
         Description=Kafka\n\
         After=network-online.target\n\
         RequiresMountsFor={DATA}\n\
         StartLimitIntervalSec=0\n\
         [Service]\n\
         Type=exec\n\
         ExecStart=/bin/sh {script}\n\
         WorkingDirectory={logs}\n\
         StandardOutput=append:{output}\n\
         StandardError=inherit\n\
         Restart=no\n\
         TimeoutStopSec=330\n\
         SuccessExitStatus=143\n\
         LimitNOFILE=1048576\n\
         LimitCORE=0\n\
         UMask=0077\n\
         OOMScoreAdjust=-500\n"
    )
}

fn script_path(directory: &NodeDirectory) -> Utf8PathBuf {
    directory.configuration().join("kafka.sh")
}

/// The script: the variables, then Kafka in the place of the shell.
fn script(line: &CommandLine) -> String {
    let mut text = "# Written by msk-node; changes are lost.\nexec env -i".to_owned();
    for (name, value) in &line.environment {
        let _ = write!(text, " {name}={}", quoted(value));
    }
    let _ = write!(text, " {}", quoted(line.program.as_str()));
    for argument in &line.arguments {
        let _ = write!(text, " {}", quoted(argument));
    }
    text.push('\n');
    text
}

/// A word that every shell takes as it is.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Starts Kafka and answers its process id.
///
/// # Errors
/// What the system or systemd says.
pub(crate) fn start(directory: &NodeDirectory, line: &CommandLine) -> io::Result<u32> {
    write_private(&script_path(directory), script(line).as_bytes())?;
    install(Utf8Path::new(FILE), &text(directory))?;
    systemctl(&["start", NAME])?;
    let shown = systemctl(&["show", "-p", "MainPID", "--value", NAME])?;
    match shown.trim().parse() {
        Ok(pid) if pid > 0 => Ok(pid),
        _ => Err(io::Error::other(format!(
            "Kafka's unit ended at once: {}",
            ending()
        ))),
    }
}

fn install(path: &Utf8Path, text: &str) -> io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    write_private(path, text.as_bytes())?;
    systemctl(&["daemon-reload"]).map(|_| ())
}

/// How Kafka's last process ended, as far as systemd tells.
pub(crate) fn ending() -> String {
    let properties = "Result,ExecMainCode,ExecMainStatus";
    systemctl(&["show", "-p", properties, NAME]).map_or_else(
        |_| "its end was not seen".to_owned(),
        |shown| shown.split_whitespace().collect::<Vec<_>>().join(" "),
    )
}

/// Runs `systemctl`; what it says on its error output becomes the error.
pub(crate) fn systemctl(arguments: &[&str]) -> io::Result<String> {
    let output = Command::new("systemctl").args(arguments).output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words: String = String::from_utf8_lossy(&output.stderr)
        .trim()
        .chars()
        .take(400)
        .collect();
    let what = arguments.join(" ");
    Err(io::Error::other(format!("systemctl {what}: {words}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> NodeDirectory {
        NodeDirectory::new(Utf8Path::new(DATA).join("node"))
    }

    #[test]
    fn the_unit_lets_kafka_stop_slowly_and_leaves_every_restart_to_the_agent() {
        let text = text(&directory());
        for directive in [
            "RequiresMountsFor=/var/lib/msk/data",
            "TimeoutStopSec=330",
            "SuccessExitStatus=143",
            "LimitCORE=0",
            "LimitNOFILE=1048576",
            "Restart=no",
        ] {
            assert!(text.lines().any(|line| line == directive), "{directive}");
        }
        assert!(!text.contains("WantedBy"), "only the agent starts it");
        assert!(
            !text.contains('%') && !text.contains('$'),
            "systemd would read these"
        );
    }

    #[test]
    fn systemd_finds_nothing_to_say_about_both_units() {
        let keep = tempfile::tempdir().unwrap();
        let agent = include_str!("../engine/ec2/templates/msk-node.service");
        // The program that is not there is the only thing that may be missing.
        let agent = agent.replace("/usr/local/sbin/msk-boot", "/bin/true");
        let units = [(NAME, text(&directory())), ("msk-node.service", agent)];
        for (name, text) in &units {
            fs::write(keep.path().join(name), text).unwrap();
        }
        for (name, _) in &units {
            let checked = Command::new("systemd-analyze")
                .args(["verify", "--man=no"])
                .arg(keep.path().join(name))
                .env("SYSTEMD_LOG_LEVEL", "warning")
                .output();
            let Ok(checked) = checked else {
                assert!(std::env::var_os("CI").is_none(), "CI needs systemd-analyze");
                return;
            };
            let said = String::from_utf8_lossy(&checked.stderr).into_owned();
            let ours: Vec<_> = said.lines().filter(|line| line.contains("msk-")).collect();
            assert!(ours.is_empty(), "{said}");
        }
    }

    #[test]
    fn a_shell_reads_the_script_word_by_word_whatever_is_in_it() {
        let line = CommandLine {
            program: "/bin/echo".into(),
            arguments: ["-n", "a b", "it's", "$HOME", "`id`", "\"", "%p"]
                .map(str::to_owned)
                .to_vec(),
            environment: vec![("LC_ALL", "C.UTF-8")],
        };
        let output = Command::new("sh").arg("-c").arg(script(&line)).output().unwrap();
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            "a b it's $HOME `id` \" %p"
        );
    }
}

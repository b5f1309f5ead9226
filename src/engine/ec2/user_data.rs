//! User data of a node's machine: the boot file, the script that fetches the agent, and the agent's unit.
//!
//! cloud-init carries it out once for each instance; after that the unit starts with every boot. Nothing in it is
//! secret, and nothing in it changes while the cluster lives, except with another agent.

use super::error::Ec2Error;
use crate::store::boot::BootFile;

/// The most that user data may come to; EC2 itself takes four times as much.
pub const LONGEST: usize = 4 << 10;

/// Where the boot file lies on the machine.
pub const BOOT_FILE: &str = "/etc/msk/boot.json";

const SCRIPT: &str = include_str!("templates/boot.sh");
const UNIT: &str = include_str!("templates/msk-node.service");

/// The text of user data.
///
/// # Errors
/// [`Ec2Error::Boot`] for values that cannot be, [`Ec2Error::UserData`] if it comes to more than [`LONGEST`].
pub fn user_data(boot: &BootFile) -> Result<String, Ec2Error> {
    boot.check()?;
    let json = serde_json::to_string(boot).map_err(crate::store::boot::BootError::Damaged)?;
    let files = [
        file(BOOT_FILE, "0600", &json),
        file("/usr/local/sbin/msk-boot", "0700", &script(boot)),
        file("/etc/systemd/system/msk-node.service", "0644", UNIT),
    ];
    let text = format!(
        "#cloud-config\nwrite_files:\n{}runcmd:\n- systemctl daemon-reload\n- systemctl enable --now --no-block msk-node\n",
        files.concat()
    );
    if text.len() > LONGEST {
        return Err(Ec2Error::UserData { length: text.len() });
    }
    Ok(text)
}

fn script(boot: &BootFile) -> String {
    // The partition shows in the Region alone; China's has another domain.
    let suffix = if boot.region.starts_with("cn-") { ".cn" } else { "" };
    SCRIPT
        .replace("@REGION@", &boot.region)
        .replace("@BUCKET@", &boot.bucket)
        .replace("@KEY@", &boot.object(&boot.agent.key))
        .replace("@OWNER@", &boot.bucket_owner)
        .replace("@SHA256@", boot.agent.sha256.as_str())
        .replace(
            "@S3@",
            &format!("https://s3.{}.amazonaws.com{suffix}", boot.region),
        )
}

/// One entry of `write_files`; the content is a literal block, so nothing in it needs quotes.
fn file(path: &str, permissions: &str, content: &str) -> String {
    let mut text = format!("- path: {path}\n  permissions: \"{permissions}\"\n  content: |\n");
    for line in content.lines() {
        if !line.is_empty() {
            text.push_str("   ");
            text.push_str(line);
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::store::boot::tests::longest;

    #[test]
    fn user_data_with_the_longest_names_has_less_than_4_kib_and_no_placeholder() {
        let text = user_data(&longest()).unwrap();
        assert!(text.starts_with("#cloud-config\n"));
        assert!(!text.contains('@'), "{text}");
        let mut boot = longest();
        boot.prefix = format!("{}/{}/", "p".repeat(127), "q".repeat(127));
        let length = user_data(&boot).unwrap().len();
        assert!(length <= LONGEST, "{length}");
        boot.bucket = "`id`".to_owned();
        assert!(matches!(user_data(&boot), Err(Ec2Error::Boot(_))));
    }

    #[test]
    fn the_boot_script_is_one_for_every_shell() {
        for shell in ["sh", "bash"] {
            let mut child = Command::new(shell)
                .arg("-n")
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            child
                .stdin
                .take()
                .unwrap()
                .write_all(script(&longest()).as_bytes())
                .unwrap();
            assert!(child.wait().unwrap().success(), "{shell}");
        }
    }

    #[test]
    fn cloud_init_finds_nothing_to_say_about_it() {
        let keep = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(keep.path(), user_data(&longest()).unwrap()).unwrap();
        let arguments = ["schema", "--config-file"];
        let checked = Command::new("cloud-init")
            .args(arguments)
            .arg(keep.path())
            .output();
        let Ok(checked) = checked else {
            assert!(std::env::var_os("CI").is_none(), "CI needs cloud-init");
            return;
        };
        let said = [checked.stdout, checked.stderr].concat();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&said));
    }

    #[test]
    fn what_cloud_init_writes_is_what_was_meant() {
        // A literal block, read as YAML does: the indentation of its first line goes from every line.
        let boot = longest();
        let text = user_data(&boot).unwrap();
        let blocks: Vec<String> = text
            .split("  content: |\n")
            .skip(1)
            .map(|rest| {
                let lines = rest
                    .lines()
                    .take_while(|line| line.is_empty() || line.starts_with("   "))
                    .map(|line| line.strip_prefix("   ").unwrap_or_default());
                lines.collect::<Vec<_>>().join("\n") + "\n"
            })
            .collect();
        assert_eq!(blocks.len(), 3);
        assert_eq!(BootFile::read(blocks[0].as_bytes()).unwrap(), boot);
        assert_eq!(blocks[1], script(&boot));
        assert_eq!(blocks[2], UNIT);
    }
}

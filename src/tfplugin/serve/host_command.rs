//! Which command the host was started for, as far as its command line tells.
//!
//! Before it plans a destroy, Core plans the configuration as usual (`destroyPlan` in Terraform's
//! `context_plan.go`, the same in `OpenTofu`): only to refresh, and the plan is thrown away. Yet an error in it
//! ends the whole destroy, so that a change that a provider refuses would keep everybody from destroying.
//! Nothing in the protocol tells that plan from another one; the host's own command line does.

use std::io::Read as _;

/// Longer command lines are not read to their end.
const LONGEST: u64 = 128 * 1024;

/// Whether the host that started this process is going to destroy everything. False if that cannot be told.
pub(super) fn is_destroy() -> bool {
    let parent = std::os::unix::process::parent_id();
    let mut line = Vec::new();
    let read = std::fs::File::open(format!("/proc/{parent}/cmdline"))
        .and_then(|file| file.take(LONGEST).read_to_end(&mut line));
    if read.is_err() {
        return false;
    }
    let arguments: Vec<String> = line
        .split(|byte| *byte == 0)
        .skip(1)
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .collect();
    destroys(&arguments, |name| std::env::var(name).ok())
}

/// Reads the arguments behind the program's name, and those that Core takes from the environment.
fn destroys(arguments: &[String], variable: impl Fn(&str) -> Option<String>) -> bool {
    let mut rest = arguments
        .iter()
        .map(String::as_str)
        .skip_while(|argument| argument.starts_with('-'));
    let command = match rest.next() {
        Some("destroy") => return true,
        Some(command @ ("apply" | "plan")) => command,
        _ => return false,
    };
    // Core puts the environment's arguments before the written ones, and the last one holds.
    let global = variable("TF_CLI_ARGS").unwrap_or_default();
    let own = variable(&format!("TF_CLI_ARGS_{command}")).unwrap_or_default();
    own.split_whitespace()
        .chain(global.split_whitespace())
        .chain(rest)
        .filter_map(destroy_flag)
        .last()
        .unwrap_or(false)
}

/// The value of `-destroy` in one of the spellings that Go's flags have.
fn destroy_flag(argument: &str) -> Option<bool> {
    let flag = argument
        .strip_prefix("--")
        .or_else(|| argument.strip_prefix('-'))?;
    match flag.strip_prefix("destroy")? {
        "" | "=true" | "=t" | "=T" | "=1" | "=TRUE" | "=True" => Some(true),
        value if value.starts_with('=') => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::destroys;

    fn of(line: &str, variables: &[(&str, &str)]) -> bool {
        let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
        destroys(&arguments, |name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_destroy_is_told_from_every_other_command() {
        for line in [
            "destroy",
            "-chdir=live destroy -auto-approve",
            "plan -destroy -out=x",
            "apply -auto-approve --destroy",
            "plan -destroy=true",
        ] {
            assert!(of(line, &[]), "{line}");
        }
        for line in [
            "",
            "plan",
            "apply destroy",
            "apply -auto-approve",
            "plan -destroy=false",
            "plan -destroyer",
            "refresh -destroy",
            "test",
            "-version",
        ] {
            assert!(!of(line, &[]), "{line}");
        }
    }

    #[test]
    fn arguments_of_the_environment_count_and_written_ones_win() {
        assert!(of("plan", &[("TF_CLI_ARGS_plan", "-input=false -destroy")]));
        assert!(of("plan -lock=false", &[("TF_CLI_ARGS", "-destroy")]));
        assert!(!of("apply", &[("TF_CLI_ARGS_plan", "-destroy")]));
        assert!(!of("plan -destroy=false", &[("TF_CLI_ARGS_plan", "-destroy")]));
    }
}

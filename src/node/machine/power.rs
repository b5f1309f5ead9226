//! When a machine gives up, so that its group tries another one.
//!
//! Only who never had anything to lose: no Kafka has run on this instance, and its volume is not attached. The boot
//! script has the same rule for an agent that cannot be fetched.

use std::fs;
use std::time::Duration;

use camino::Utf8Path;

use crate::node::unit::systemctl;

/// How long the volume is waited for.
const PATIENCE: Duration = Duration::from_mins(45);
/// The least between two machines that give up. What one did is lost with its root disk, so each stays up this long:
/// that is once an hour at most, whatever the one before it did.
const UP_AT_LEAST: Duration = Duration::from_hours(1);

/// Whether to give up.
fn is_due(waited: Duration, up: Duration, has_run: bool, is_attached: bool) -> bool {
    !has_run && !is_attached && waited >= PATIENCE && up >= UP_AT_LEAST
}

/// Seconds since the boot script first ran in this boot, as it wrote them down in seconds of uptime.
fn up(began: &Utf8Path) -> Option<Duration> {
    let seconds = |text: &str| text.split(['.', ' ', '\n']).next()?.parse::<u64>().ok();
    let began = seconds(&fs::read_to_string(began).ok()?)?;
    let now = seconds(&fs::read_to_string("/proc/uptime").ok()?)?;
    Some(Duration::from_secs(now.saturating_sub(began)))
}

/// Ends this machine if it should give up; `waited` is how long the volume has been waited for.
pub(super) fn give_up_if_due(waited: Duration, began: &Utf8Path, ran_mark: &Utf8Path) {
    let up = up(began).unwrap_or(waited);
    if is_due(waited.max(up), up, ran_mark.exists(), false) {
        tracing::warn!("the volume was waited for in vain; this machine ends, for another one to try");
        if let Err(cause) = systemctl(&["poweroff"]) {
            tracing::error!(%cause, "the machine cannot be ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_gives_up_after_its_patience_once_an_hour_and_never_with_data() {
        let minutes = Duration::from_mins;
        assert!(is_due(minutes(60), minutes(60), false, false));
        for (waited, up, has_run, is_attached) in [
            (44, 90, false, false),
            (50, 50, false, false),
            (90, 90, true, false),
            (90, 90, false, true),
        ] {
            assert!(!is_due(minutes(waited), minutes(up), has_run, is_attached));
        }
    }

    #[test]
    fn the_time_since_the_boot_is_read_from_what_the_script_wrote() {
        let keep = tempfile::tempdir().unwrap();
        let path = camino::Utf8PathBuf::from_path_buf(keep.path().join("began")).unwrap();
        assert_eq!(up(&path), None);
        fs::write(&path, "0\n").unwrap();
        assert!(up(&path).unwrap() > Duration::ZERO);
        fs::write(&path, "999999999999\n").unwrap();
        assert_eq!(up(&path), Some(Duration::ZERO));
    }
}

//! Secrets that lie in Secrets Manager: read together, and looked at again and again, so that a password that is changed
//! there reaches the brokers with nobody else around.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::node::secrets::{Answer, PAGE, Read, Secrets};
use crate::store::documents::{SecretReference, UsersDesired, UsersStatus};

/// How often all secrets are looked at, if one call is enough: a change is in force within a minute.
const SHORT_ROUND: Duration = Duration::from_secs(40);
/// The same for many: within five minutes. Each look is paid for.
const LONG_ROUND: Duration = Duration::from_mins(4);

/// What was read lately, and what is looked at next.
#[derive(Debug, Default)]
pub(super) struct Rotation {
    /// The user after whom to go on.
    after: Option<String>,
    looked_at: Option<Instant>,
    /// Users whose secret has another version than the one that they were given.
    pub(super) changed: BTreeMap<String, Read>,
    /// What was said of a secret that cannot be read: once.
    told: BTreeMap<String, String>,
}

impl Rotation {
    /// When to look again.
    pub(super) fn next(&self, users: usize) -> Option<Instant> {
        let pause = pause(users)?;
        Some(self.looked_at.map_or_else(Instant::now, |at| at + pause))
    }

    /// Looks at the next page, if that is due.
    pub(super) async fn look(&mut self, secrets: &Secrets, desired: &UsersDesired, status: &UsersStatus) {
        let managed = managed(desired);
        if self.next(managed.len()).is_none_or(|at| at > Instant::now()) {
            return;
        }
        self.looked_at = Some(Instant::now());
        self.told.retain(|user, _| managed.contains_key(user.as_str()));
        let page = page(&managed, self.after.as_deref());
        self.after = page.last().map(|(user, _)| (*user).to_owned());
        let arns: Vec<&str> = page.iter().map(|(_, arn)| *arn).collect();
        let answers = match secrets.read(&arns).await {
            Ok(answers) => answers,
            Err(error) => {
                tracing::warn!(error, "users' secrets cannot be looked at");
                return;
            }
        };
        for (user, arn) in page {
            let Some(answer) = answers.iter().find(|answer| answer.arn == arn) else {
                continue;
            };
            match &answer.read {
                Ok(read) => {
                    self.told.remove(user);
                    if is_other(user, &read.version, desired, status) {
                        self.changed.insert(user.to_owned(), read.clone());
                    }
                }
                Err(error) => {
                    if self.told.get(user) != Some(error) {
                        tracing::warn!(
                            user,
                            arn,
                            error,
                            "a user's secret cannot be read; its password stays"
                        );
                        self.told.insert(user.to_owned(), error.clone());
                    }
                }
            }
        }
    }
}

/// Whether a user that was set has another version than this one. One whose entry waits to be applied is read then.
fn is_other(user: &str, version: &str, desired: &UsersDesired, status: &UsersStatus) -> bool {
    let (Some(entry), Some(seen)) = (desired.keep.get(user), status.users.get(user)) else {
        return false;
    };
    seen.applied_generation == Some(entry.generation) && seen.applied_version.as_deref() != Some(version)
}

/// The users whose secret lies in Secrets Manager.
fn managed(desired: &UsersDesired) -> BTreeMap<&str, &str> {
    let mut all = BTreeMap::new();
    for (user, entry) in &desired.keep {
        if let SecretReference::SecretsManager(arn) = &entry.secret {
            all.insert(user.as_str(), arn.as_str());
        }
    }
    all
}

/// The page after a user, from the beginning once the end is reached.
fn page<'a>(managed: &BTreeMap<&'a str, &'a str>, after: Option<&str>) -> Vec<(&'a str, &'a str)> {
    let rest: Vec<_> = managed
        .iter()
        .filter(|(user, _)| after.is_none_or(|after| **user > after))
        .take(PAGE)
        .map(|(user, arn)| (*user, *arn))
        .collect();
    if rest.is_empty() && after.is_some() {
        return page(managed, None);
    }
    rest
}

/// The time between two pages; `None` if there is nothing to look at.
fn pause(users: usize) -> Option<Duration> {
    let pages = u32::try_from(users.div_ceil(PAGE))
        .ok()
        .filter(|pages| *pages > 0)?;
    Some((SHORT_ROUND * pages).min(LONG_ROUND) / pages)
}

/// Reads many secrets together; what became of each, by ARN.
pub(super) async fn read_all(secrets: &Secrets, arns: &[&str]) -> BTreeMap<String, Result<Read, String>> {
    let mut all = BTreeMap::new();
    for page in arns.chunks(PAGE) {
        match secrets.read(page).await {
            Ok(answers) => {
                all.extend(answers.into_iter().map(|Answer { arn, read }| (arn, read)));
            }
            Err(error) => {
                all.extend(page.iter().map(|arn| ((*arn).to_owned(), Err(error.clone()))));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_users_are_looked_at_each_minute_and_a_thousand_within_five() {
        assert_eq!(pause(0), None);
        assert_eq!(pause(1), Some(Duration::from_secs(40)));
        assert_eq!(pause(20), Some(Duration::from_secs(40)));
        for users in [21, 100, 121, 1_000, 5_000] {
            let round = pause(users).unwrap() * u32::try_from(users.div_ceil(PAGE)).unwrap();
            assert!(
                round <= Duration::from_mins(4) && round > Duration::from_mins(1),
                "{users}"
            );
        }
    }

    #[test]
    fn pages_go_round_and_leave_nobody_out() {
        let names: Vec<String> = (0..45).map(|user| format!("user-{user:02}")).collect();
        let managed: BTreeMap<&str, &str> = names.iter().map(|name| (name.as_str(), "arn")).collect();
        let mut after: Option<String> = None;
        let mut seen = Vec::new();
        for expected in [20, 20, 5, 20] {
            let page = page(&managed, after.as_deref());
            assert_eq!(page.len(), expected);
            after = page.last().map(|(user, _)| (*user).to_owned());
            seen.extend(page.into_iter().map(|(user, _)| user.to_owned()));
        }
        assert_eq!(seen[..45], names);
        assert_eq!(seen[45..], names[..20]);
        // One that went does not end the round.
        assert_eq!(page(&managed, Some("user-99")).len(), 20);
        assert!(page(&BTreeMap::new(), Some("a")).is_empty());
    }
}

//! Whether the user's bucket can hold the control store. Pure: what was read is judged, nothing is asked.

/// One sentence about a bucket, with the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether nothing can be made in it; else it could be better.
    pub is_error: bool,
    /// The sentence.
    pub text: String,
}

/// A lifecycle rule, as far as it can do harm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub id: String,
    /// Whether it is in force.
    pub is_enabled: bool,
    /// The keys that it speaks of.
    pub prefix: String,
    /// Whether it speaks of tagged objects only; ours have no tags.
    pub has_tags: bool,
    /// Whether it ends current versions.
    pub expires_current: bool,
    /// Whether it moves current versions to where they cannot be read at once.
    pub archives_current: bool,
    /// Whether it ends versions that are no longer current.
    pub ends_noncurrent: bool,
}

/// The rules; `None` if there never were any.
pub type Lifecycle = Option<Vec<Rule>>;

impl Rule {
    /// Whether it speaks of an object of ours. Sizes are not looked at: ours have any.
    fn is_about(&self, prefix: &str) -> bool {
        self.is_enabled
            && !self.has_tags
            && (prefix.starts_with(&self.prefix) || self.prefix.starts_with(prefix))
    }
}

/// Everything at once. `versioning` is `None` if it was never switched on, `Some(false)` if it was switched off.
pub fn judge(prefix: &str, versioning: Option<bool>, lifecycle: &Lifecycle) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut say = |is_error, text: String| found.push(Finding { is_error, text });
    if versioning != Some(true) {
        let state = if versioning.is_some() {
            "was switched off"
        } else {
            "was never switched on"
        };
        say(
            true,
            format!(
                "Its versioning {state}: what is deleted or written over by mistake would be lost. Switch it on \
                 (`aws s3api put-bucket-versioning --versioning-configuration Status=Enabled`)."
            ),
        );
    }
    let rules = lifecycle.as_deref().unwrap_or_default();
    for rule in rules.iter().filter(|rule| rule.is_about(prefix)) {
        let (id, scope) = (&rule.id, &rule.prefix);
        let what = match (rule.expires_current, rule.archives_current) {
            (true, _) => "expires current versions",
            (false, true) => "moves current versions to where they cannot be read at once",
            (false, false) => continue,
        };
        say(
            true,
            format!(
                "Its lifecycle rule `{id}` (prefix `{scope}`) {what}, those of the control store below `{prefix}` too, \
                 without which no node starts. Take it out, narrow it, or set another `control_prefix`."
            ),
        );
    }
    let ends =
        |rule: &Rule| rule.is_about(prefix) && rule.ends_noncurrent && prefix.starts_with(&rule.prefix);
    if !rules.iter().any(ends) {
        say(
            false,
            format!(
                "No lifecycle rule of the control bucket ends noncurrent versions below `{prefix}`. Each node writes its \
                 status every minute, half a million versions in a year. Add a rule with NoncurrentDays 7 and \
                 NewerNoncurrentVersions 100, and one with NoncurrentDays 90."
            ),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(prefix: &str) -> Rule {
        Rule {
            id: "r".to_owned(),
            is_enabled: true,
            prefix: prefix.to_owned(),
            ..Rule::default()
        }
    }

    fn cleans() -> Rule {
        Rule {
            ends_noncurrent: true,
            ..rule("")
        }
    }

    #[test]
    fn a_bucket_with_versions_and_an_end_to_old_ones_has_no_findings() {
        assert_eq!(judge("msk/", Some(true), &Some(vec![cleans()])), []);
        let found = judge("msk/", Some(true), &None);
        assert!(found.len() == 1 && !found[0].is_error, "{found:?}");
    }

    #[test]
    fn missing_versioning_is_an_error_with_the_command() {
        for state in [None, Some(false)] {
            let found = judge("msk/", state, &Some(vec![cleans()]));
            assert!(found.len() == 1 && found[0].is_error);
            assert!(found[0].text.contains("put-bucket-versioning"));
        }
    }

    #[test]
    fn a_rule_that_ends_our_current_versions_is_an_error_wherever_it_begins() {
        for prefix in ["", "m", "msk/", "msk/0123"] {
            for (expires_current, archives_current) in [(true, false), (false, true)] {
                let bad = Rule {
                    expires_current,
                    archives_current,
                    ..rule(prefix)
                };
                let found = judge("msk/", Some(true), &Some(vec![cleans(), bad]));
                assert!(found.len() == 1 && found[0].is_error, "{prefix}: {found:?}");
            }
        }
    }

    #[test]
    fn rules_about_others_and_rules_out_of_force_do_no_harm() {
        let expires = |rule: Rule| Rule {
            expires_current: true,
            ..rule
        };
        let harmless = [
            expires(rule("logs/")),
            expires(Rule {
                is_enabled: false,
                ..rule("")
            }),
            expires(Rule {
                has_tags: true,
                ..rule("msk/")
            }),
        ];
        for rule in harmless {
            assert_eq!(judge("msk/", Some(true), &Some(vec![rule, cleans()])), []);
        }
        let elsewhere = Rule {
            ends_noncurrent: true,
            ..rule("msk/one/")
        };
        assert_eq!(judge("msk/", Some(true), &Some(vec![elsewhere])).len(), 1);
    }
}

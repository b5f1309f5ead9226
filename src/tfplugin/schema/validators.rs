//! Rules that known values must keep. Unknown values pass; Terraform asks again when they are known.
//!
//! Each finding names the attribute, the value, the rule and the way out. Values of sensitive
//! attributes are not shown.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::tfplugin::diagnostics::Diagnostics;
use crate::tfplugin::value::{AttributePath, Object, Value};

/// A value under a rule, and where it is.
#[derive(Clone, Copy)]
pub struct Check<'a> {
    /// The value: never null, never unknown; parts of it may be.
    pub value: &'a Value,
    /// Where it is.
    pub path: &'a AttributePath,
    pub(crate) sensitive: bool,
}

/// A rule for one attribute.
#[derive(Clone)]
pub struct Validator(Arc<Rule>);

type Rule = dyn Fn(Check<'_>, &mut Diagnostics) + Send + Sync;

impl Validator {
    pub(crate) fn run(&self, check: Check<'_>, diagnostics: &mut Diagnostics) {
        (self.0)(check, diagnostics);
    }
}

impl Check<'_> {
    /// Adds the finding that the value breaks `rule`, which fits behind "must" ("be 1 to 20").
    pub fn fail(&self, diagnostics: &mut Diagnostics, rule: &str) {
        let detail = format!("`{}` {} must {rule}.", self.path, self.shown());
        diagnostics.error(self.path, "Invalid value", detail);
    }

    /// The value for a message: in words, cut, never that of a sensitive attribute.
    fn shown(&self) -> String {
        if self.sensitive {
            return "(sensitive value)".to_owned();
        }
        match self.value {
            Value::String(text) => {
                let cut: String = text.chars().take(100).collect();
                let more = if cut.len() < text.len() { "…" } else { "" };
                format!("is \"{}{more}\" and", cut.escape_debug())
            }
            Value::Number(number) => format!("is {number} and"),
            Value::Bool(value) => format!("is {value} and"),
            Value::List(items) | Value::Set(items) => format!("has {} elements and", items.len()),
            Value::Map(items) => format!("has {} elements and", items.len()),
            _ => String::new(),
        }
    }
}

/// Any rule: called for values that are set; add findings with [`Check::fail`] or on your own.
pub fn custom(rule: impl Fn(Check<'_>, &mut Diagnostics) + Send + Sync + 'static) -> Validator {
    Validator(Arc::new(rule))
}

/// A rule for text: the error says what it must do or be ("be a host name").
pub fn text(rule: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static) -> Validator {
    custom(move |check, diagnostics| {
        if let Value::String(text) = check.value
            && let Err(broken) = rule(text)
        {
            check.fail(diagnostics, &broken);
        }
    })
}

/// Text for which `fits` is true; `rule` says in words what that is ("be letters and digits").
pub fn pattern(rule: impl Into<String>, fits: impl Fn(&str) -> bool + Send + Sync + 'static) -> Validator {
    let rule = rule.into();
    text(move |text| if fits(text) { Ok(()) } else { Err(rule.clone()) })
}

/// A whole number in `allowed`.
pub fn range(allowed: RangeInclusive<i64>) -> Validator {
    custom(move |check, diagnostics| {
        if let Value::Number(number) = check.value
            && !number.as_i64().is_some_and(|number| allowed.contains(&number))
        {
            let rule = format!("be a whole number from {} to {}", allowed.start(), allowed.end());
            check.fail(diagnostics, &rule);
        }
    })
}

/// A number without a fraction that fits 64 bits.
pub fn whole_number() -> Validator {
    custom(|check, diagnostics| {
        if let Value::Number(number) = check.value
            && number.as_i64().is_none()
        {
            check.fail(diagnostics, "be a whole number");
        }
    })
}

/// Text of so many characters.
pub fn length(allowed: RangeInclusive<usize>) -> Validator {
    text(move |text| {
        let length = text.chars().count();
        if allowed.contains(&length) {
            Ok(())
        } else {
            Err(format!(
                "have {} to {} characters, not {length}",
                allowed.start(),
                allowed.end()
            ))
        }
    })
}

/// A list, set or map of so many elements.
pub fn items(allowed: RangeInclusive<usize>) -> Validator {
    custom(move |check, diagnostics| {
        let count = match check.value {
            // A set with unknown elements may shrink when they become known.
            Value::Set(_) if !check.value.is_wholly_known() => return,
            Value::List(items) | Value::Set(items) => items.len(),
            Value::Map(items) => items.len(),
            _ => return,
        };
        if !allowed.contains(&count) {
            let rule = if *allowed.end() == usize::MAX {
                format!("have at least {}", allowed.start())
            } else {
                format!("have {} to {}", allowed.start(), allowed.end())
            };
            check.fail(diagnostics, &rule);
        }
    })
}

/// Text out of a list, exactly as written there.
pub fn one_of<T: Into<String>>(allowed: impl IntoIterator<Item = T>) -> Validator {
    let allowed: Vec<String> = allowed.into_iter().map(Into::into).collect();
    text(move |text| {
        if allowed.iter().any(|one| one == text) {
            return Ok(());
        }
        let near = allowed.iter().find(|one| one.eq_ignore_ascii_case(text));
        let hint = near.map(|near| format!("; write \"{near}\"")).unwrap_or_default();
        let names: Vec<String> = allowed.iter().map(|one| format!("\"{one}\"")).collect();
        Err(format!("be one of {}{hint}", names.join(", ")))
    })
}

/// Applies `rule` to each element of a list, set or map.
pub fn each(rule: Validator) -> Validator {
    custom(move |check, diagnostics| {
        let mut run = |value: &Value, path: &AttributePath| {
            if !value.is_null() && !value.is_unknown() {
                rule.run(
                    Check {
                        value,
                        path,
                        sensitive: check.sensitive,
                    },
                    diagnostics,
                );
            }
        };
        match check.value {
            Value::List(items) => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(at, item)| run(item, &check.path.index(at)));
            }
            Value::Set(items) => items.iter().for_each(|item| run(item, check.path)),
            Value::Map(items) => items
                .iter()
                .for_each(|(key, item)| run(item, &check.path.key(key))),
            _ => {}
        }
    })
}

/// Applies `rule` to each key of a map.
pub fn keys(rule: Validator) -> Validator {
    custom(move |check, diagnostics| {
        if let Value::Map(items) = check.value {
            for key in items.keys() {
                let value = Value::from(key);
                rule.run(
                    Check {
                        value: &value,
                        path: &check.path.key(key),
                        sensitive: false,
                    },
                    diagnostics,
                );
            }
        }
    })
}

/// A duration such as `45m` or `1h30m`.
pub fn duration() -> Validator {
    pattern("be a duration such as \"30s\", \"45m\" or \"1h30m\"", |text| {
        parse_duration(text).is_some()
    })
}

/// Reads `1h30m`, `1.5h`, `300ms`: numbers with the units `h`, `m`, `s`, `ms`, `us`, `ns`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?;
        total = total.checked_add(part)?;
        rest = tail;
    }
    Some(total)
}

impl Object {
    /// The duration for `operation` in this resource's `timeouts` block, else `fallback`.
    pub fn timeout(&self, operation: &str, fallback: Duration) -> Duration {
        let Some(Value::Object(timeouts)) = self.try_get("timeouts") else {
            return fallback;
        };
        match timeouts.try_get(operation) {
            Some(Value::String(text)) => parse_duration(text).unwrap_or(fallback),
            _ => fallback,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(rule: &Validator, value: impl Into<Value>) -> Vec<String> {
        let (value, path, mut found) = (value.into(), AttributePath::of("x"), Diagnostics::new());
        rule.run(
            Check {
                value: &value,
                path: &path,
                sensitive: false,
            },
            &mut found,
        );
        found.into_iter().map(|finding| finding.detail).collect()
    }

    #[test]
    fn each_finding_names_attribute_value_and_rule() {
        assert_eq!(
            findings(&range(1..=20), 21),
            ["`x` is 21 and must be a whole number from 1 to 20."]
        );
        assert_eq!(findings(&range(1..=20), 20), [""; 0]);
        let short = findings(&length(1..=3), "");
        assert_eq!(short, ["`x` is \"\" and must have 1 to 3 characters, not 0."]);
        let case = findings(&one_of(["TLS", "PLAINTEXT"]), "tls");
        assert_eq!(
            case,
            ["`x` is \"tls\" and must be one of \"TLS\", \"PLAINTEXT\"; write \"TLS\"."]
        );
        let both = findings(&each(range(1..=2)), Value::list([0, 1, 3]));
        assert_eq!(both.len(), 2);
        assert!(both[1].starts_with("`x[2]` is 3"), "{both:?}");
    }

    #[test]
    fn a_sensitive_value_is_not_shown() {
        let (value, path, mut found) = (Value::from("hunter2"), AttributePath::of("x"), Diagnostics::new());
        length(20..=30).run(
            Check {
                value: &value,
                path: &path,
                sensitive: true,
            },
            &mut found,
        );
        assert!(!format!("{found:?}").contains("hunter2"));
    }

    #[test]
    fn durations_are_read_as_in_other_providers() {
        let seconds = |text| parse_duration(text).map(|duration| duration.as_millis());
        assert_eq!(seconds("45m"), Some(2_700_000));
        assert_eq!(seconds("1h30m"), Some(5_400_000));
        assert_eq!(seconds("1.5s"), Some(1_500));
        assert_eq!(seconds("300ms"), Some(300));
        for bad in [
            "",
            "45",
            "m",
            "1d",
            "-1s",
            "1h 30m",
            "99999999999999999999999999h",
        ] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}

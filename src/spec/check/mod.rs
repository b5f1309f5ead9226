//! From what was written to what is wanted: every rule of the interface, all findings at once.
//!
//! Each function takes the configuration as the user wrote it (null where nothing is written, which means
//! the default), reports every finding with its path, value, rule and way out, and returns the checked
//! form, or `None` if there was an error or something needed is not known yet. Unknown values are passed
//! over: they are checked in the next call, when they are known.

/// What concerns an AWS account alone.
mod account;

/// `msk_acl`.
pub mod acl;

/// The configuration of a cluster.
mod attached;

/// `msk_cluster`.
pub mod cluster;

/// `msk_configuration`.
pub mod configuration;

/// Addresses, keys, tags, certificates.
mod forms;

/// The listeners of a cluster.
mod listeners;

/// `msk_topic`.
pub mod topic;

/// `msk_scram_secret`.
pub mod user;

#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::tfplugin::{Attr, AttributePath, Diagnostics, Object};

/// The longest piece of a user's text that an error shows.
const SHOWN: usize = 80;

/// Collects findings about one object, and whether everything needed was known.
struct Check<'a> {
    diagnostics: &'a mut Diagnostics,
    is_complete: bool,
}

impl<'a> Check<'a> {
    const fn new(diagnostics: &'a mut Diagnostics) -> Self {
        Self {
            diagnostics,
            is_complete: true,
        }
    }

    /// An error: the object has no checked form.
    fn error(&mut self, path: &AttributePath, summary: &str, detail: impl Into<String>) {
        self.is_complete = false;
        self.diagnostics.error(path, summary, detail);
    }

    /// The value breaks a rule: "`path` is `value`, but must be `rule`."
    fn breaks(&mut self, path: &AttributePath, value: impl Display, rule: impl Display) {
        let detail = format!("`{path}` is {}, but must be {rule}.", shorten(&value.to_string()));
        self.error(path, "Invalid value", detail);
    }

    /// The known value; `fallback` for null; `None` if unknown.
    fn known<T>(&mut self, value: Attr<T>, fallback: Option<T>) -> Option<T> {
        match value {
            Attr::Known(value) => Some(value),
            Attr::Null if fallback.is_some() => fallback,
            Attr::Null | Attr::Unknown => {
                self.is_complete = false;
                None
            }
        }
    }

    fn boolean(&mut self, object: &Object, name: &str, fallback: bool) -> Option<bool> {
        self.known(object.boolean(name), Some(fallback))
    }

    /// A whole number in a range.
    fn number(
        &mut self,
        object: &Object,
        name: &str,
        range: &RangeInclusive<u32>,
        fallback: Option<u32>,
    ) -> Option<u32> {
        let path = AttributePath::of(name);
        let fallback = fallback.map(i64::from);
        let value = self.known(object.integer(name), fallback)?;
        match u32::try_from(value) {
            Ok(number) if range.contains(&number) => Some(number),
            _ => {
                let rule = format!("a whole number from {} to {}", range.start(), range.end());
                self.breaks(&path, value, rule);
                None
            }
        }
    }

    /// A whole number in a range, or nothing: an inner `None` is null.
    #[expect(
        clippy::option_option,
        reason = "the outer one is `cannot tell`, the inner one is null"
    )]
    fn optional_number(
        &mut self,
        object: &Object,
        name: &str,
        range: &RangeInclusive<u32>,
    ) -> Option<Option<u32>> {
        if object.integer(name).is_null() {
            return Some(None);
        }
        self.number(object, name, range, None).map(Some)
    }

    /// Text that follows a rule.
    fn text(
        &mut self,
        object: &Object,
        name: &str,
        rule: impl Display,
        follows: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let text = self.known(object.string(name), None)?;
        if follows(&text) {
            return Some(text);
        }
        self.breaks(&AttributePath::of(name), quoted(&text), rule);
        None
    }

    /// Text that follows a rule, or nothing: an inner `None` is null.
    #[expect(
        clippy::option_option,
        reason = "the outer one is `cannot tell`, the inner one is null"
    )]
    fn optional_text(
        &mut self,
        object: &Object,
        name: &str,
        rule: impl Display,
        follows: impl Fn(&str) -> bool,
    ) -> Option<Option<String>> {
        if object.str(name).is_null() {
            return Some(None);
        }
        self.text(object, name, rule, follows).map(Some)
    }

    /// The texts of a set or list that follow a rule; empty for null; `None` if not all are known.
    fn texts(
        &mut self,
        object: &Object,
        name: &str,
        rule: impl Display,
        follows: impl Fn(&str) -> bool,
    ) -> Option<Vec<String>> {
        let path = AttributePath::of(name);
        let elements = self.known(object.elements(name), Some(&[][..]))?;
        let mut texts = Vec::new();
        let mut all_known = true;
        for element in elements {
            match element.as_str() {
                Attr::Known(text) if follows(text) => texts.push(text.to_owned()),
                Attr::Known(text) => self.breaks(&path, quoted(text), &rule),
                Attr::Null => self.breaks(&path, "null", &rule),
                Attr::Unknown => all_known = false,
            }
        }
        self.is_complete &= all_known;
        all_known.then_some(texts)
    }

    /// The checked form, if everything needed was known and right.
    fn finish<T>(self, made: Option<T>) -> Option<T> {
        if self.is_complete { made } else { None }
    }
}

/// A user's text in quotes, cut to a readable length.
fn quoted(text: &str) -> String {
    format!("{:?}", shorten(text))
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    let head: String = text.chars().take(SHOWN).collect();
    format!("{head}…")
}

/// The rule of names: 1 to 64 of `[0-9A-Za-z-]`, not starting with `-`.
fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && !text.starts_with('-')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

const NAME_RULE: &str = "1 to 64 letters, digits and hyphens, not starting with a hyphen";

//! What went wrong, in the words of the user's world.
//!
//! A summary is a title (sentence case, no period, no values in it if possible). A detail says what
//! happened, why, and what to do next. Callers collect findings and return after each stage.

use std::error::Error;
use std::fmt::Write as _;

use super::value::AttributePath;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The operation failed or must not start.
    Error,
    /// Worth knowing; nothing stops.
    Warning,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// The title.
    pub summary: String,
    /// What happened, why, and the way out.
    pub detail: String,
    /// The place in the configuration; the root for none.
    pub path: AttributePath,
}

/// Findings in the order in which they were made, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// No findings.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds an error at `path`.
    pub fn error(&mut self, path: &AttributePath, summary: impl Into<String>, detail: impl Into<String>) {
        self.add(Diagnostic {
            severity: Severity::Error,
            summary: summary.into(),
            detail: detail.into(),
            path: path.clone(),
        });
    }

    /// Adds a warning at `path`.
    pub fn warning(&mut self, path: &AttributePath, summary: impl Into<String>, detail: impl Into<String>) {
        self.add(Diagnostic {
            severity: Severity::Warning,
            summary: summary.into(),
            detail: detail.into(),
            path: path.clone(),
        });
    }

    /// Adds an error that has no place in the configuration.
    pub fn general_error(&mut self, summary: impl Into<String>, detail: impl Into<String>) {
        self.error(&AttributePath::root(), summary, detail);
    }

    /// Adds a warning that has no place in the configuration.
    pub fn general_warning(&mut self, summary: impl Into<String>, detail: impl Into<String>) {
        self.warning(&AttributePath::root(), summary, detail);
    }

    /// Adds an error whose detail is `failure` and its causes, as [`chain`] prints them.
    pub fn failure(&mut self, summary: impl Into<String>, failure: &dyn Error) {
        self.general_error(summary, chain(failure));
    }

    /// Adds a finding, unless the same is there already.
    pub fn add(&mut self, diagnostic: Diagnostic) {
        if !self.0.contains(&diagnostic) {
            self.0.push(diagnostic);
        }
    }

    /// Adds all findings of `other`.
    pub fn extend(&mut self, other: Self) {
        other.0.into_iter().for_each(|diagnostic| self.add(diagnostic));
    }

    /// True if one of the findings is an error.
    pub fn has_errors(&self) -> bool {
        self.0
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// The same findings, none of them an error.
    #[must_use]
    pub fn into_warnings(self) -> Self {
        let mut all = Self::new();
        for mut diagnostic in self.0 {
            diagnostic.severity = Severity::Warning;
            all.add(diagnostic);
        }
        all
    }

    /// True if there are no findings.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The findings.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.iter()
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Prints an error and its causes in one line: `write plan: open /x: permission denied`.
///
/// Each error of this crate says its own part only; this is the one place that puts them together.
pub fn chain(failure: &dyn Error) -> String {
    let mut text = failure.to_string();
    let mut cause = failure.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("write plan")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn an_error_is_printed_with_its_causes() {
        let error = Outer(std::io::Error::other("disk full"));
        assert_eq!(chain(&error), "write plan: disk full");
    }

    #[test]
    fn the_same_finding_is_kept_once() {
        let mut found = Diagnostics::new();
        let path = AttributePath::of("name");
        found.warning(&path, "Odd", "x");
        found.warning(&path, "Odd", "x");
        assert!(!found.has_errors());
        found.error(&path, "Odd", "x");
        assert_eq!(found.iter().count(), 2);
        assert!(found.has_errors());
    }
}

//! Problems for people: bounded, with every cause, without secrets.

use std::error::Error;
use std::io;

use crate::store::documents::{Problem, ProblemCode};

/// Documents stay small, whatever Kafka printed.
const MAX_CHARACTERS: usize = 2_000;

/// A problem with a bounded text.
pub(crate) fn problem(code: ProblemCode, text: impl AsRef<str>) -> Problem {
    let text = text.as_ref();
    let mut bounded: String = text.chars().take(MAX_CHARACTERS).collect();
    if bounded.len() < text.len() {
        bounded.pop();
        bounded.push('…');
    }
    Problem { code, text: bounded }
}

/// An error with all its causes, each once.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let own = cause.to_string();
        if !text.ends_with(&own) {
            text.push_str(": ");
            text.push_str(&own);
        }
        next = cause.source();
    }
    text
}

/// Which problem it is when a file of the node cannot be read or written.
pub(crate) fn code_of(cause: &io::Error) -> ProblemCode {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ProblemCode::DiskFull,
        _ => ProblemCode::DataUnusable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_end_is_cut() {
        let cut = problem(ProblemCode::Other, "ä".repeat(5_000));
        assert_eq!(cut.text.chars().count(), MAX_CHARACTERS);
        assert!(cut.text.ends_with('…'));
        assert_eq!(problem(ProblemCode::Other, "ä").text, "ä");
    }

    #[test]
    fn every_cause_is_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("read the key")]
        struct Outer(#[source] io::Error);
        let error = Outer(io::Error::other("disk on fire"));
        assert_eq!(with_causes(&error), "read the key: disk on fire");
    }
}

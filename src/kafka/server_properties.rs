//! The text format of Java `.properties` files: rendering and reading. What stands in them is decided
//! elsewhere. Pure.
//!
//! The format is that of `java.util.Properties.load`: logical lines, `\` continues a line, `#` and `!`
//! begin comments, key and value are parted by `=`, `:` or blanks, `\uXXXX` is a UTF-16 unit.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Renders lines in the order of their names, so that equal content gives equal bytes.
///
/// The result is pure ASCII: Kafka reads these files as ISO 8859-1, others as UTF-8.
pub fn render(properties: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    for (name, value) in properties {
        escape(&mut text, name, Part::Name);
        text.push('=');
        escape(&mut text, value, Part::Value);
        text.push('\n');
    }
    text
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Name,
    Value,
}

fn escape(out: &mut String, text: &str, part: Part) {
    for (index, letter) in text.chars().enumerate() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{c}' => out.push_str("\\f"),
            // Blanks at the start of a value would be taken as part of the separator.
            ' ' if part == Part::Name || index == 0 => out.push_str("\\ "),
            '=' | ':' | '#' | '!' if part == Part::Name => {
                out.push('\\');
                out.push(letter);
            }
            ' '..='~' => out.push(letter),
            _ => {
                let mut units = [0_u16; 2];
                for unit in letter.encode_utf16(&mut units) {
                    // Writing to a `String` cannot fail.
                    let _ = write!(out, "\\u{unit:04X}");
                }
            }
        }
    }
}

/// Why a text is not a properties file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Longer than any real file.
    #[error("the properties file has {length} bytes; at most {LONGEST} are read")]
    TooLong {
        /// How long it is.
        length: usize,
    },
    /// `\u` without four hex digits behind it, or half of a UTF-16 pair.
    #[error("broken \\u escape in line {line}")]
    BrokenEscape {
        /// The number of the natural line, from 1.
        line: usize,
    },
}

/// The longest text that is read.
const LONGEST: usize = 1024 * 1024;

/// Reads a properties file. Of a name that stands there twice the last counts, as in Java.
///
/// # Errors
/// [`ParseError`]; never panics, and never holds more than a few times the text's length.
pub fn parse(text: &str) -> Result<BTreeMap<String, String>, ParseError> {
    if text.len() > LONGEST {
        return Err(ParseError::TooLong { length: text.len() });
    }
    let mut properties = BTreeMap::new();
    let mut natural = natural_lines(text).enumerate();
    while let Some((index, first)) = natural.next() {
        let first = first.trim_start_matches(is_blank);
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = first.to_owned();
        while ends_with_continuation(&logical) {
            logical.pop();
            let Some((_, next)) = natural.next() else { break };
            logical.push_str(next.trim_start_matches(is_blank));
        }
        let (name, value) = split(&logical);
        let line = index + 1;
        properties.insert(unescape(name, line)?, unescape(value, line)?);
    }
    Ok(properties)
}

/// Lines as Java sees them: ended by CR, LF or both.
fn natural_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n')
        .flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\u{c}')
}

/// Whether a line ends with an odd number of backslashes.
fn ends_with_continuation(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Parts a logical line at the first separator that is not escaped.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    for (at, letter) in line.char_indices() {
        if escaped {
            escaped = false;
        } else if letter == '\\' {
            escaped = true;
        } else if is_blank(letter) || matches!(letter, '=' | ':') {
            let (name, rest) = line.split_at(at);
            let rest = rest.trim_start_matches(is_blank);
            let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
            return (name, rest.trim_start_matches(is_blank));
        }
    }
    (line, "")
}

fn unescape(text: &str, line: usize) -> Result<String, ParseError> {
    let broken = ParseError::BrokenEscape { line };
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut buffer = [0_u16; 2];
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let meant = match letter {
            '\\' => match letters.next() {
                None => continue,
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('f') => '\u{c}',
                Some('u') => {
                    let mut unit = 0_u16;
                    for _ in 0..4 {
                        let digit = letters
                            .next()
                            .and_then(|digit| digit.to_digit(16))
                            .ok_or(broken)?;
                        unit = (unit << 4) | u16::try_from(digit).map_err(|_| broken)?;
                    }
                    units.push(unit);
                    continue;
                }
                Some(other) => other,
            },
            other => other,
        };
        units.extend_from_slice(meant.encode_utf16(&mut buffer));
    }
    String::from_utf16(&units).map_err(|_| broken)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::{LONGEST, ParseError, parse, render};

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn rendering_is_sorted_and_escaped() {
        let text = render(&map(&[
            ("node.id", "1"),
            ("log.dirs", "/data/ä b"),
            ("a b=c", " x\ny\\z "),
            ("emoji", "😀#!=:"),
        ]));
        assert_eq!(
            text,
            "a\\ b\\=c=\\ x\\ny\\\\z \nemoji=\\uD83D\\uDE00#!=:\nlog.dirs=/data/\\u00E4 b\nnode.id=1\n"
        );
    }

    #[test]
    fn the_forms_that_java_takes_are_read() {
        let cases = [
            ("a=1", "a", "1"),
            ("a = 1", "a", "1"),
            ("a:1", "a", "1"),
            ("a 1", "a", "1"),
            ("  a\t=\t1 ", "a", "1 "),
            ("a", "a", ""),
            ("a==b", "a", "=b"),
            ("a = = b", "a", "= b"),
            ("a\\=b=c", "a=b", "c"),
            ("a=one,\\\n    two", "a", "one,two"),
            ("a=one\\\\", "a", "one\\"),
            ("a=one\\", "a", "one"),
            ("a=\\u00e4", "a", "ä"),
            ("a=\\uD83D\\uDE00", "a", "😀"),
            ("a=\\q", "a", "q"),
            ("a=1\r\n", "a", "1"),
            ("# c \\\na=1", "a", "1"),
            ("! c\ra=1", "a", "1"),
            ("a=0\na=1", "a", "1"),
        ];
        for (text, name, value) in cases {
            assert_eq!(parse(text), Ok(map(&[(name, value)])), "{text:?}");
        }
    }

    #[test]
    fn broken_escapes_name_their_line() {
        for text in ["a=1\nb=\\u12", "a=1\nb=\\uZZZZ", "a=1\nb=\\uD83D", "\nb\\uDE00=1"] {
            assert_eq!(parse(text), Err(ParseError::BrokenEscape { line: 2 }), "{text:?}");
        }
    }

    #[test]
    fn a_text_beyond_the_limit_is_refused() {
        let text = " ".repeat(LONGEST + 1);
        assert_eq!(parse(&text), Err(ParseError::TooLong { length: LONGEST + 1 }));
    }

    proptest! {
        #[test]
        fn what_is_rendered_is_read_back(
            properties in proptest::collection::btree_map(any::<String>(), any::<String>(), 0..8)
        ) {
            let text = render(&properties);
            prop_assert_eq!(text.is_ascii(), true);
            prop_assert_eq!(parse(&text), Ok(properties));
        }

        #[test]
        fn reading_never_panics(text in "[ -~\\\\\n\r\t\u{c}=:#!uü]{0,80}") {
            let _ = parse(&text);
        }
    }
}

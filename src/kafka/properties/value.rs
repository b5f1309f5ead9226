//! Kinds of values and their rules, as Kafka's `ConfigDef` checks them (4.3).

use std::fmt;

use super::Property;

/// What the values of a property look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`, in any case of letters.
    Boolean,
    /// A whole number of 16 bits.
    Short,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits.
    Long,
    /// A number.
    Double,
    /// Any text.
    Text,
    /// Texts between commas.
    List,
    /// The name of a Java class.
    Class,
    /// A secret.
    Password,
}

impl Kind {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "boolean" => Self::Boolean,
            "short" => Self::Short,
            "int" => Self::Int,
            "long" => Self::Long,
            "double" => Self::Double,
            "string" => Self::Text,
            "list" => Self::List,
            "class" => Self::Class,
            "password" => Self::Password,
            _ => return None,
        })
    }
}

/// Which values of the kind are allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Valid {
    /// All.
    Any,
    /// Numbers from `minimum` to `maximum`, and `besides`.
    Range {
        /// The lowest, inclusive.
        minimum: f64,
        /// The highest, inclusive.
        maximum: Option<f64>,
        /// One value outside the range.
        besides: Option<i64>,
    },
    /// One of these texts (of a list: each entry). Between `, `.
    OneOf {
        /// The texts.
        choices: &'static str,
        /// Whether upper and lower case count as the same.
        ignores_case: bool,
    },
    /// Not empty.
    NotEmpty,
    /// `partition:broker` entries, or `*`.
    ThrottledReplicas,
}

impl Valid {
    /// Reads the notation of Kafka's documentation.
    pub(super) fn parse(text: &'static str) -> Option<Self> {
        // Two thread pools of 3.9 describe their default of -1 in a sentence.
        if text.is_empty() || text == "non-null string" || text.starts_with("The default value of -1") {
            return Some(Self::Any);
        }
        if text.starts_with("non-empty") {
            return Some(Self::NotEmpty);
        }
        if text.starts_with("[partitionId]") {
            return Some(Self::ThrottledReplicas);
        }
        let (text, ignores_case) = match text.strip_prefix("(case insensitive) ") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let (inner, after) = text.strip_prefix('[')?.split_once(']')?;
        if !inner.contains(",...") {
            return after.is_empty().then_some(Self::OneOf {
                choices: inner,
                ignores_case,
            });
        }
        let (low, high) = inner.split_once(",...")?;
        let maximum = match high.strip_prefix(',') {
            Some(number) => Some(number.parse().ok()?),
            None => None,
        };
        let besides = match after.strip_prefix(" or ") {
            Some(number) => Some(number.parse().ok()?),
            None => None,
        };
        Some(Self::Range {
            minimum: low.parse().ok()?,
            maximum,
            besides,
        })
    }
}

/// What is allowed, as text behind "must be ".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule(String);

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn rule(text: impl Into<String>) -> Rule {
    Rule(text.into())
}

/// The longest value that is taken at all; Kafka has no limit of its own.
const LONGEST: usize = 16 * 1024;

/// Checks a value; the error says what is allowed.
pub(super) fn check(property: &Property, value: &str) -> Result<(), Rule> {
    if value.len() > LONGEST {
        return Err(rule(format!("at most {LONGEST} bytes long")));
    }
    // With `in_cluster = false` brokers have a file provider: what it reads would end in Kafka's log.
    if value.contains("${") {
        return Err(rule("plain text: `${…}` is not replaced by anything here"));
    }
    // Kafka trims every value but a password before it reads it.
    let trimmed = trim(value);
    match property.kind {
        Kind::Boolean
            if ["true", "false"]
                .iter()
                .any(|word| trimmed.eq_ignore_ascii_case(word)) =>
        {
            Ok(())
        }
        Kind::Boolean => Err(rule("`true` or `false`")),
        Kind::Short => number(property, trimmed, i64::from(i16::MIN), i64::from(i16::MAX)),
        Kind::Int => number(property, trimmed, i64::from(i32::MIN), i64::from(i32::MAX)),
        Kind::Long => number(property, trimmed, i64::MIN, i64::MAX),
        Kind::Double => match trimmed.parse::<f64>() {
            Ok(number) if number.is_finite() => in_range(property, number, None),
            _ => Err(rule(format!("a number{}", range_text(&property.valid)))),
        },
        Kind::Text => text(property, trimmed),
        Kind::List => list(property, trimmed),
        Kind::Class => class(trimmed),
        Kind::Password => Ok(()),
    }
}

/// Java's `String.trim`: takes all control characters, unlike Rust's, and no other Unicode blanks.
fn trim(text: &str) -> &str {
    text.trim_matches(|letter| letter <= ' ')
}

fn number(property: &Property, text: &str, lowest: i64, highest: i64) -> Result<(), Rule> {
    match text.parse::<i64>() {
        Ok(number) if (lowest..=highest).contains(&number) =>
        {
            #[expect(
                clippy::cast_precision_loss,
                reason = "the bounds in the tables are small whole numbers"
            )]
            in_range(property, number as f64, Some(number))
        }
        _ => {
            let text = range_text(&property.valid);
            Err(rule(if text.is_empty() {
                format!("a whole number from {lowest} to {highest}")
            } else {
                format!("a whole number{text}")
            }))
        }
    }
}

fn in_range(property: &Property, number: f64, whole: Option<i64>) -> Result<(), Rule> {
    let Valid::Range {
        minimum,
        maximum,
        besides,
    } = property.valid
    else {
        return Ok(());
    };
    let inside = number >= minimum && maximum.is_none_or(|maximum| number <= maximum);
    if inside || (besides.is_some() && besides == whole) {
        return Ok(());
    }
    Err(rule(format!("a number{}", range_text(&property.valid))))
}

fn range_text(valid: &Valid) -> String {
    let Valid::Range {
        minimum,
        maximum,
        besides,
    } = valid
    else {
        return String::new();
    };
    let mut text = match maximum {
        Some(maximum) => format!(" from {minimum} to {maximum}"),
        None => format!(" not below {minimum}"),
    };
    if let Some(besides) = besides {
        text = format!("{text}, or {besides}");
    }
    text
}

fn text(property: &Property, value: &str) -> Result<(), Rule> {
    match property.valid {
        Valid::OneOf {
            choices,
            ignores_case,
        } => one_of(choices, ignores_case, value),
        Valid::NotEmpty if value.is_empty() => Err(rule("not empty")),
        _ => Ok(()),
    }
}

fn one_of(choices: &'static str, ignores_case: bool, value: &str) -> Result<(), Rule> {
    let found = choices.split(", ").any(|choice| {
        if ignores_case {
            choice.eq_ignore_ascii_case(value)
        } else {
            choice == value
        }
    });
    if found {
        Ok(())
    } else {
        Err(rule(format!("one of `{}`", choices.replace(", ", "`, `"))))
    }
}

fn list(property: &Property, value: &str) -> Result<(), Rule> {
    let entries: Vec<&str> = if value.is_empty() {
        Vec::new()
    } else {
        value.split(',').map(trim).collect()
    };
    if property.strict_lists {
        if entries.iter().any(|entry| entry.is_empty()) {
            return Err(rule("a list without empty entries"));
        }
        let mut sorted = entries.clone();
        sorted.sort_unstable();
        if sorted
            .windows(2)
            .any(|pair| matches!(pair, [left, right] if left == right))
        {
            return Err(rule("a list without duplicates"));
        }
    }
    match property.valid {
        Valid::OneOf {
            choices,
            ignores_case,
        } => entries
            .iter()
            .try_for_each(|entry| one_of(choices, ignores_case, entry))
            .map_err(|Rule(inner)| rule(format!("a list, each entry {inner}"))),
        Valid::NotEmpty if entries.is_empty() => Err(rule("a list with at least one entry")),
        Valid::ThrottledReplicas if value != "*" && !entries.iter().all(|entry| is_replica(entry)) => {
            Err(rule("`*` or a list of `partition:broker`"))
        }
        _ => Ok(()),
    }
}

fn is_replica(entry: &str) -> bool {
    let is_id = |text: &str| text.parse::<i32>().is_ok_and(|id| id >= 0);
    entry
        .split_once(':')
        .is_some_and(|(partition, broker)| is_id(partition) && is_id(broker))
}

/// Whether the class can be loaded is known to the broker alone; a name that cannot be one is refused.
fn class(value: &str) -> Result<(), Rule> {
    let is_part = |part: &str| {
        let mut letters = part.chars();
        letters
            .next()
            .is_some_and(|first| first.is_alphabetic() || first == '_' || first == '$')
            && letters.all(|letter| letter.is_alphanumeric() || letter == '_' || letter == '$')
    };
    if value.is_empty() || value.split('.').all(is_part) {
        return Ok(());
    }
    Err(rule("the full name of a Java class"))
}

/// Whether two spellings of a value mean the same to Kafka: case of booleans, blanks around a value and
/// around list entries, signs and zeros before numbers.
pub fn same_value(property: &Property, left: &str, right: &str) -> bool {
    let (left, right) = (trim(left), trim(right));
    if left == right {
        return true;
    }
    match property.kind {
        Kind::Boolean => left.eq_ignore_ascii_case(right),
        Kind::Short | Kind::Int | Kind::Long => {
            matches!((left.parse::<i64>(), right.parse::<i64>()), (Ok(left), Ok(right)) if left == right)
        }
        Kind::Double => {
            let bits = |text: &str| text.parse::<f64>().ok().map(f64::to_bits);
            bits(left).is_some() && bits(left) == bits(right)
        }
        Kind::List => left.split(',').map(trim).eq(right.split(',').map(trim)),
        Kind::Text | Kind::Class | Kind::Password => false,
    }
}

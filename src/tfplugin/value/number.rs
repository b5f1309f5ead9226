//! Numbers, kept exactly as they were received.
//!
//! Terraform's numbers are decimal texts of any length. Nothing here does arithmetic: a number is
//! compared, narrowed to a Rust type, and sent back as the token that came in.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

/// Longest decimal text that is taken; 512-bit numbers need far less.
const LONGEST_TEXT: usize = 16 * 1024;

/// A number in the form in which it came.
#[derive(Clone)]
pub enum Number {
    /// A whole number that fits `i64`.
    Int(i64),
    /// A whole number above `i64::MAX` that came as an unsigned integer.
    UInt(u64),
    /// A finite float that came as a float.
    Float(f64),
    /// Decimal text, checked: digits with optional sign, point and exponent.
    Decimal(Box<str>),
}

/// What is wrong with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// NaN or infinity: no Terraform number.
    #[error("number is not finite")]
    NotFinite,
    /// The text is no decimal number.
    #[error("text is not a decimal number")]
    NotDecimal,
    /// The text is longer than any number that Terraform makes.
    #[error("number has more than {LONGEST_TEXT} characters")]
    TooLong,
}

impl Number {
    /// Takes a float; NaN and infinity crash Terraform, so they are refused here.
    ///
    /// # Errors
    /// [`Error::NotFinite`].
    pub const fn from_float(value: f64) -> Result<Self, Error> {
        if value.is_finite() {
            Ok(Self::Float(value))
        } else {
            Err(Error::NotFinite)
        }
    }

    /// Takes an unsigned integer.
    pub fn from_unsigned(value: u64) -> Self {
        i64::try_from(value).map_or(Self::UInt(value), Self::Int)
    }

    /// Takes decimal text, as JSON and msgpack carry it. The text is kept.
    ///
    /// # Errors
    /// [`Error::NotDecimal`] or [`Error::TooLong`].
    pub fn from_text(text: &str) -> Result<Self, Error> {
        if text.len() > LONGEST_TEXT {
            return Err(Error::TooLong);
        }
        Normal::parse(text).ok_or(Error::NotDecimal)?;
        Ok(Self::Decimal(text.into()))
    }

    /// The value as `i64`, if it is a whole number in that range.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::UInt(_) => None,
            Self::Float(_) | Self::Decimal(_) => self.normal().to_i128().and_then(|v| i64::try_from(v).ok()),
        }
    }

    /// The value as `u64`, if it is a whole number in that range.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Int(value) => u64::try_from(*value).ok(),
            Self::UInt(value) => Some(*value),
            Self::Float(_) | Self::Decimal(_) => self.normal().to_i128().and_then(|v| u64::try_from(v).ok()),
        }
    }

    /// The nearest float.
    #[expect(clippy::cast_precision_loss, reason = "the caller asks for the nearest float")]
    pub fn as_f64(&self) -> f64 {
        match self {
            Self::Int(value) => *value as f64,
            Self::UInt(value) => *value as f64,
            Self::Float(value) => *value,
            Self::Decimal(text) => text.parse().unwrap_or(f64::MAX),
        }
    }

    fn normal(&self) -> Normal {
        let text: Cow<'_, str> = match self {
            Self::Int(value) => value.to_string().into(),
            Self::UInt(value) => value.to_string().into(),
            Self::Float(value) => value.to_string().into(),
            Self::Decimal(text) => Cow::Borrowed(text),
        };
        Normal::parse(&text).unwrap_or_default()
    }

    /// Orders by value, whatever the form.
    pub fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::UInt(a), Self::UInt(b)) => a.cmp(b),
            _ => self.normal().compare(&other.normal()),
        }
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

/// Equal in value: `1`, `1.0` and the text `1e0` are one number.
impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.compare(other) == Ordering::Equal
    }
}

impl Eq for Number {}

/// Plain decimal text.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => value.fmt(f),
            Self::UInt(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Decimal(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `0.DIGITS × 10^exponent`, without zeros at either end of the digits; zero has no digits.
#[derive(Default)]
struct Normal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Normal {
    fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (negative, rest) = match bytes.split_first() {
            Some((b'-', rest)) => (true, rest),
            Some((b'+', rest)) => (false, rest),
            _ => (false, bytes),
        };
        let (mantissa, exponent) = match rest.iter().position(|b| matches!(b, b'e' | b'E')) {
            Some(at) => {
                let text = std::str::from_utf8(rest.get(at + 1..)?).ok()?;
                (rest.get(..at)?, text.parse::<i32>().ok()?)
            }
            None => (rest, 0),
        };
        let point = mantissa.iter().position(|b| *b == b'.');
        let whole = mantissa.get(..point.unwrap_or(mantissa.len()))?;
        let fraction = point.map_or(Some(&b""[..]), |at| mantissa.get(at + 1..))?;
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        if !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
            return None;
        }
        let all: Vec<u8> = whole.iter().chain(fraction).copied().collect();
        let Some(leading) = all.iter().position(|b| *b != b'0') else {
            return Some(Self::default());
        };
        let end = all.iter().rposition(|b| *b != b'0')? + 1;
        let digits = all.get(leading..end)?.to_vec();
        let shift = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()?;
        Some(Normal {
            negative,
            digits,
            exponent: shift + i64::from(exponent),
        })
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self.sign(), other.sign()) {
            (a, b) if a != b => a.cmp(&b),
            (0, _) => Ordering::Equal,
            (1, _) => self.compare_size(other),
            _ => other.compare_size(self),
        }
    }

    fn compare_size(&self, other: &Self) -> Ordering {
        self.exponent
            .cmp(&other.exponent)
            .then_with(|| self.digits.cmp(&other.digits))
    }

    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }

    fn to_i128(&self) -> Option<i128> {
        if self.digits.is_empty() {
            return Some(0);
        }
        let places = usize::try_from(self.exponent).ok()?;
        if places > 30 || places < self.digits.len() {
            return None;
        }
        let mut value: i128 = 0;
        for place in 0..places {
            let digit = self.digits.get(place).map_or(0, |b| i128::from(b - b'0'));
            value = value.checked_mul(10)?.checked_add(digit)?;
        }
        Some(if self.negative { -value } else { value })
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, Number};

    fn text(text: &str) -> Number {
        Number::from_text(text).unwrap()
    }

    #[test]
    fn numbers_are_equal_by_value_whatever_their_form() {
        assert_eq!(Number::Int(1), Number::Float(1.0));
        assert_eq!(text("1e0"), Number::Int(1));
        assert_eq!(text("0.1"), Number::Float(0.1));
        assert_eq!(text("-0.0"), Number::Int(0));
        assert_eq!(
            text("9223372036854775808"),
            Number::UInt(9_223_372_036_854_775_808)
        );
        assert_eq!(text("1200"), text("12e2"));
        assert_ne!(text("0.1"), text("0.10000000000000000001"));
        assert_ne!(Number::Int(-1), Number::Int(1));
        assert_ne!(text("9007199254740993"), Number::Float(9_007_199_254_740_992.0));
    }

    #[test]
    fn numbers_are_ordered_by_value() {
        let mut sorted = [
            text("10"),
            Number::Int(9),
            text("-3.5"),
            Number::Float(0.25),
            text("1e-9"),
        ];
        sorted.sort_by(Number::compare);
        let texts: Vec<String> = sorted.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["-3.5", "1e-9", "0.25", "9", "10"]);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for bad in [
            "",
            "-",
            ".",
            "1e",
            "0x10",
            "1 ",
            "NaN",
            "inf",
            "1.2.3",
            "1e99999999999",
        ] {
            assert_eq!(Number::from_text(bad).unwrap_err(), Error::NotDecimal, "{bad}");
        }
        assert!(Number::from_float(f64::NAN).is_err());
        assert!(Number::from_float(f64::INFINITY).is_err());
    }

    #[test]
    fn whole_numbers_narrow_and_others_do_not() {
        assert_eq!(text("5.00").as_i64(), Some(5));
        assert_eq!(Number::Float(-3.0).as_i64(), Some(-3));
        assert_eq!(text("5.5").as_i64(), None);
        assert_eq!(text("1e400").as_i64(), None);
        assert_eq!(text("18446744073709551615").as_u64(), Some(u64::MAX));
        assert_eq!(Number::Int(-1).as_u64(), None);
    }
}

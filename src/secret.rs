//! A value that must never be shown.
//!
//! [`Secret`] has no `Display`, no `Serialize`, and a `Debug` that prints nothing of the value, so a
//! password cannot reach a log line, an error text or a document by accident. It is cleared on drop.

use std::fmt;

use zeroize::Zeroize;

/// Holds a secret value from the first line that touches it to the last.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes the value into custody.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Gives the value to the one place that needs it. Do not keep or print what it returns.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_text_does_not_hold_the_value() {
        let secret = Secret::new("hunter2".to_owned());
        assert!(!format!("{secret:?}").contains("hunter2"));
    }
}

//! Texts that thousands of entries have in common (who made them, and where) are kept in memory once.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serializer};

/// A document has few such texts, and each comes many times in a row.
const REMEMBERED: usize = 8;

thread_local! {
    static RECENT: RefCell<VecDeque<Arc<str>>> = const { RefCell::new(VecDeque::new()) };
}

/// For `#[serde(serialize_with)]`.
pub(super) fn serialize<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

/// For `#[serde(deserialize_with)]`: equal texts that were read shortly before are one.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
    let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
    Ok(RECENT.with_borrow_mut(|recent| {
        if let Some(known) = recent.iter().find(|known| ***known == *text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        recent.truncate(REMEMBERED - 1);
        recent.push_front(Arc::clone(&new));
        new
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one_and_others_are_not() {
        let read = |text: &str| deserialize(&mut serde_json::Deserializer::from_str(text)).unwrap();
        let first = read(r#""/work""#);
        assert!(Arc::ptr_eq(&first, &read(r#""/work""#)));
        assert_eq!(&*read(r#""/ü\n""#), "/ü\n");
        for number in 0..100 {
            assert_eq!(*read(&format!("\"{number}\"")), *number.to_string());
        }
        assert_eq!(&*first, "/work");
        assert!(deserialize(&mut serde_json::Deserializer::from_str("7")).is_err());
    }
}

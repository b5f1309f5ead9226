//! Reads maps of thousands of entries so that they take no more memory than they have to.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// For `#[serde(deserialize_with)]`: a map whose nodes are full.
///
/// Documents have their keys in order, and a map into which they are put one by one in order leaves each of its
/// nodes half empty.
pub(super) fn packed<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Ord,
    V: Deserialize<'de>,
{
    deserializer.deserialize_map(Entries(PhantomData))
}

struct Entries<K, V>(PhantomData<(K, V)>);

impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Visitor<'de> for Entries<K, V> {
    type Value = BTreeMap<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        // Built in one go from all entries; of equal keys the last one stays, as when put in one by one.
        Ok(entries.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_map_is_the_map_that_serde_reads() {
        for text in ["{}", r#"{"b":1,"a":2,"b":3}"#, r#"{"a":"x"}"#, "[]", r#"{"a":1"#] {
            let read = packed::<_, String, u32>(&mut serde_json::Deserializer::from_str(text)).ok();
            let plain =
                BTreeMap::<String, u32>::deserialize(&mut serde_json::Deserializer::from_str(text)).ok();
            assert_eq!(read, plain, "{text}");
        }
    }
}

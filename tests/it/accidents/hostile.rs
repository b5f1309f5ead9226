//! The checks of the fuzz targets (`fuzz/`) on random input, and on good input with flipped bits.

use std::panic::catch_unwind;

use proptest::prelude::*;

#[path = "../../../fuzz/checks.rs"]
mod checks;

/// A document and lines of properties to begin with; random bytes alone do not get far.
const SEEDS: [&str; 6] = [
    r#"{"keep":{"a":{"partitions":3,"replication_factor":1,"config":{"k":"v"},"generation":2}},"tombstones":[]}"#,
    r#"{"node_id":1,"disk_id":"1:2","directory_id":"AAAAAAAAAAAAAAAAAAAAAA","phase":"started"}"#,
    "min.insync.replicas=2\nlog.retention.ms=-1\n7=1\n12=true\n40=0.5",
    r#"{"name":"a","count":12345678901234567890.5,"on":true,"tags":{"a":"b"},"zones":["x","y"]}"#,
    "\u{1}\u{0}compression.type=zstd\n99=9223372036854775808",
    r#"[["dynamic",{"type":["list","string"],"value":["a"]}]]"#,
];

fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let random = proptest::collection::vec(any::<u8>(), 0..200);
    let flipped = (
        0..SEEDS.len(),
        any::<u8>(),
        proptest::collection::vec((any::<usize>(), any::<u8>()), 0..4),
        any::<usize>(),
    )
        .prop_map(|(seed, first, flips, cut)| {
            let mut bytes = vec![first];
            bytes.extend_from_slice(SEEDS[seed].as_bytes());
            for (place, flip) in flips {
                let at = place % bytes.len();
                bytes[at] ^= flip;
            }
            bytes.truncate(1 + cut % (bytes.len() * 2));
            bytes
        });
    prop_oneof![random, flipped]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_break_the_readers(bytes in hostile()) {
        for check in [checks::msgpack, checks::json, checks::documents] {
            prop_assert!(catch_unwind(|| check(&bytes)).is_ok(), "{:?}", bytes);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_line_breaks_the_property_tables(bytes in hostile()) {
        prop_assert!(catch_unwind(|| checks::properties(&bytes)).is_ok(), "{:?}", bytes);
    }
}

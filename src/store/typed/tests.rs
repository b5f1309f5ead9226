//! Tests of the frame around documents.

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Document, DocumentError, Owner, decode, encode};
use crate::spec::ids::{ClusterUid, Generation, StoreId};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Plan {
    words: Vec<String>,
}

impl Document for Plan {
    const KIND: &'static str = "test-plan";
    const FORMAT: u32 = 3;

    fn upgrade(format: u32, body: serde_json::Value) -> Option<serde_json::Value> {
        if format != 2 {
            return None;
        }
        Some(serde_json::json!({ "words": [body.get("word")?] }))
    }
}

fn owner() -> Owner {
    Owner {
        store: StoreId::new("s1"),
        cluster: Some(ClusterUid::new("c1")),
    }
}

fn bytes() -> Vec<u8> {
    let plan = Plan {
        words: vec!["a".to_owned(), "ü".to_owned()],
    };
    encode("f", &owner(), Generation(7), &plan).unwrap()
}

fn with(old: &str, new: &str) -> Result<Generation, DocumentError> {
    let text = String::from_utf8(bytes()).unwrap();
    assert!(text.contains(old));
    decode::<Plan>("/data/f.json", &owner(), text.replace(old, new).as_bytes()).map(|e| e.generation)
}

#[test]
fn a_document_comes_back_as_it_went_in() {
    let envelope = decode::<Plan>("f", &owner(), &bytes()).unwrap();
    assert_eq!(envelope.generation, Generation(7));
    assert_eq!(envelope.body.words, ["a", "ü"]);
}

#[test]
fn a_long_document_is_one_line_and_a_short_one_is_indented() {
    assert!(bytes().windows(2).any(|pair| pair == b"\n "));
    let plan = Plan {
        words: vec!["a long word".to_owned(); 10_000],
    };
    let long = encode("f", &owner(), Generation(7), &plan).unwrap();
    assert_eq!(long.iter().position(|byte| *byte == b'\n'), Some(long.len() - 1));
    assert_eq!(decode::<Plan>("f", &owner(), &long).unwrap().body, plan);
}

#[test]
fn every_cut_is_told_apart_from_garbage() {
    let whole = bytes();
    // The newline at the end and the last brace are not both needed to see the cut.
    for length in 0..whole.len() - 2 {
        let error = decode::<Plan>("/data/f.json", &owner(), &whole[..length]).unwrap_err();
        assert!(matches!(error, DocumentError::Cut { .. }), "{length}: {error:?}");
        assert!(error.to_string().contains("/data/f.json"));
    }
    for garbage in [
        &b"\0\0\0\0"[..],
        b"[]",
        b"<html>",
        b"\xff\xfe",
        b"{}",
        b"null",
        b"7",
    ] {
        let error = decode::<Plan>("/data/f.json", &owner(), garbage).unwrap_err();
        assert!(matches!(error, DocumentError::Garbage { .. }), "{error:?}");
        assert!(error.to_string().contains("/data/f.json"));
    }
}

#[test]
fn a_newer_format_is_refused_before_its_body_is_read() {
    let body_start = "\"body\": {";
    let newer = String::from_utf8(bytes())
        .unwrap()
        .replace("\"format\": 3", "\"format\": 4");
    let newer = newer.replace(body_start, "\"body\": {\"new\": [1],");
    let error = decode::<Plan>("f", &owner(), newer.as_bytes()).unwrap_err();
    assert!(matches!(
        error,
        DocumentError::Newer {
            found: 4,
            known: 3,
            ..
        }
    ));
    assert!(error.to_string().contains("newer version"));
}

#[test]
fn an_older_format_is_upgraded_or_refused() {
    let old =
        br#"{"kind":"test-plan","format":2,"store":"s1","cluster":"c1","generation":1,"body":{"word":"x"}}"#;
    assert_eq!(decode::<Plan>("f", &owner(), old).unwrap().body.words, ["x"]);
    assert!(matches!(
        with("\"format\": 3", "\"format\": 1"),
        Err(DocumentError::TooOld { found: 1, .. })
    ));
}

#[test]
fn another_owner_or_kind_is_refused() {
    assert!(matches!(
        with("\"s1\"", "\"s2\""),
        Err(DocumentError::ForeignStore { .. })
    ));
    assert!(matches!(
        with("\"c1\"", "\"c2\""),
        Err(DocumentError::ForeignCluster { .. })
    ));
    assert!(matches!(
        with("\"cluster\": \"c1\",", ""),
        Err(DocumentError::ForeignCluster { .. })
    ));
    assert!(matches!(
        with("test-plan", "other"),
        Err(DocumentError::WrongKind { .. })
    ));
    let huge = format!("\"generation\": {}", u64::MAX);
    assert!(matches!(
        with("\"generation\": 7", &huge),
        Err(DocumentError::ImpossibleGeneration { .. })
    ));
}

#[test]
fn deep_nesting_is_an_error_and_no_stack_overflow() {
    let bomb = format!("{{\"body\":{}", "[".repeat(1_000_000));
    assert!(decode::<Plan>("f", &owner(), bomb.as_bytes()).is_err());
}

proptest! {
    #[test]
    fn decoding_random_bytes_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode::<Plan>("f", &owner(), &bytes);
    }

    #[test]
    fn a_flipped_bit_never_panics(at in 0usize..150, bit in 0u8..8) {
        let mut bytes = bytes();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        let _ = decode::<Plan>("f", &owner(), &bytes);
    }
}

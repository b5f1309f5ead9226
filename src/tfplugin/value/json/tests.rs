//! Stored states, hostile texts, and properties.

use proptest::prelude::*;

use super::super::{Number, Object, Type, Value};
use super::{Error, decode, encode};

fn ty(json: &str) -> Type {
    Type::from_json(json.as_bytes()).unwrap()
}

#[test]
fn a_stored_state_is_read_by_its_type() {
    let ty = ty(
        r#"["object",{"a":"string","n":"number","l":["list","bool"],"m":["map","number"],
        "d":"dynamic","s":["set","string"],"absent":"string","t":["tuple",["string","number"]]}]"#,
    );
    let text = r#" {
        "a": "x\"\u00e9\n", "n": 9007199254740993.5, "l": [true, false, null], "m": {},
        "d": {"value": [1], "type": ["tuple",["number"]]}, "s": ["b", "a", "b"], "t": ["x", -1e3],
        "gone": {"deep": [1, "x", null, {"y": false}]}
    } "#;
    let Value::Object(state) = decode(text.as_bytes(), &ty).unwrap() else {
        panic!("no object")
    };
    assert_eq!(state.str("a").known(), Some("x\"é\n"));
    assert_eq!(
        state.number("n").known(),
        Some(&Number::from_text("9007199254740993.5").unwrap())
    );
    assert_eq!(state.get("l"), &Value::list([Some(true), Some(false), None]));
    assert_eq!(
        state.strings("s").known(),
        Some(vec!["a".to_owned(), "b".to_owned()])
    );
    assert_eq!(state.get("absent"), &Value::Null);
    assert!(state.try_get("gone").is_none());
    assert_eq!(state.get("d").plain(), &Value::Tuple(vec![1.into()]));
}

#[test]
fn broken_texts_are_refused() {
    let list = Type::list(Type::Number);
    for text in [
        "", "[", "[1", "[1,", "[1,]", "[1 2]", "[true]", "{}", "[1]x", "[\"\\", "[1.2.3]", "nul", "[-]",
    ] {
        assert!(decode(text.as_bytes(), &list).is_err(), "{text}");
    }
    let object = Type::object([("a", Type::String)]);
    for text in [
        r#"{"a"}"#,
        r#"{"a":}"#,
        "{a:1}",
        r#"{"a":"\ud800"}"#,
        "{\"a\":\"\n\"}",
        r#"{"b":[}"#,
    ] {
        assert!(decode(text.as_bytes(), &object).is_err(), "{text}");
    }
    let deep = format!("{{\"b\":{}1{}}}", "[".repeat(100), "]".repeat(100));
    assert!(matches!(decode(deep.as_bytes(), &object), Err(Error::TooDeep)));
}

#[test]
fn values_are_written_exactly() {
    let value = Object::new()
        .with("n", Number::from_text("0.10").unwrap())
        .with("s", "a\"\n")
        .with("x", Value::Null);
    assert_eq!(
        encode(&value.into()).unwrap(),
        r#"{"n":0.10,"s":"a\"\n","x":null}"#
    );
    assert!(encode(&Value::list([Value::unknown()])).is_err());
}

proptest! {
    #[test]
    fn random_text_never_panics(text in any::<Vec<u8>>(), near in "[\\[\\]{},:\"a1e.\\\\-]{0,40}") {
        let ty = ty(r#"["object",{"a":["list","dynamic"]}]"#);
        let _ = decode(&text, &ty);
        let _ = decode(near.as_bytes(), &ty);
    }

    #[test]
    fn text_comes_back(text in any::<String>(), number in any::<i64>()) {
        let value = Value::Tuple(vec![text.into(), number.into()]);
        let ty = Type::tuple([Type::String, Type::Number]);
        prop_assert_eq!(decode(encode(&value).unwrap().as_bytes(), &ty).unwrap(), value);
    }
}

//! Vectors recorded from Terraform 1.11.4, hostile bytes, and properties.

use proptest::prelude::*;

use super::super::{AttributePath, DynamicValue, Number, Object, Type, Unknown, Value};
use super::{Fault, decode, encode};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn ty(json: &str) -> Type {
    Type::from_json(json.as_bytes()).unwrap()
}

/// `text` in the short or 8-bit string form.
fn text_bytes(text: &str) -> String {
    let head = if text.len() < 32 {
        format!("{:02x}", 0xa0 + text.len())
    } else {
        format!("d9{:02x}", text.len())
    };
    head + &hex_of(text)
}

/// The bytes of a text as hexadecimal digits.
fn hex_of(text: &str) -> String {
    text.bytes()
        .fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"))
}

/// Type, value bytes: decoded and encoded again they are the same.
fn vectors() -> Vec<(&'static str, String)> {
    let plain = [
        (r#""bool""#, "c3"),
        (r#""bool""#, "c2"),
        (r#""number""#, "00"),
        (r#""number""#, "01"),
        (r#""number""#, "7f"),
        (r#""number""#, "cc80"),
        (r#""number""#, "ccff"),
        (r#""number""#, "cd0100"),
        (r#""number""#, "cdffff"),
        (r#""number""#, "ce00010000"),
        (r#""number""#, "ceffffffff"),
        (r#""number""#, "cf0000000100000000"),
        (r#""number""#, "cf0020000000000001"),
        (r#""number""#, "cf7fffffffffffffff"),
        (r#""number""#, "ff"),
        (r#""number""#, "e0"),
        (r#""number""#, "d0df"),
        (r#""number""#, "d080"),
        (r#""number""#, "d1ff7f"),
        (r#""number""#, "d280000000"),
        (r#""number""#, "d3ffffffff7fffffff"),
        (r#""number""#, "d38000000000000000"),
        (r#""number""#, "cb3fe0000000000000"),
        (r#""number""#, "cb3ff8000000000000"),
        (r#""number""#, "cbbfd0000000000000"),
        (r#""number""#, "a3302e31"),
        (r#""number""#, "a5302e303031"),
        (r#""string""#, "a0"),
        (r#""string""#, "a161"),
        (r#""string""#, "a2c3a9"),
        (r#"["tuple",[]]"#, "90"),
        (r#"["object",{}]"#, "80"),
        (
            r#"["tuple",["string","number","bool","dynamic"]]"#,
            "94a16101c3c0",
        ),
        (r#"["list","string"]"#, "92a162a161"),
        (r#"["set","string"]"#, "92a161a162"),
        (r#"["set","number"]"#, "9302090a"),
        (r#"["set","bool"]"#, "92c2c3"),
        (r#"["map","string"]"#, "82a161a132a162a131"),
        (r#"["map","dynamic"]"#, "80"),
        (r#"["list","dynamic"]"#, "90"),
        (r#"["object",{"a":"string","b":"number"}]"#, "82a161a178a16201"),
        (r#"["object",{"a":"dynamic"}]"#, "81a161c0"),
        (r#"["list",["object",{"a":"number"}]]"#, "9281a1610181a16102"),
        (r#""string""#, "d40000"),
        (r#""string""#, "c7070c8201c202a2702d"),
        (r#""bool""#, "c7030c8101c2"),
        (r#""number""#, "c7070c8201c2039200c3"),
        (r#""number""#, "c70b0c8301c2039201c3049202c3"),
        (r#"["list","string"]"#, "c7030c8101c2"),
        (r#""string""#, "c7060c8201c202a17b"),
        (r#"["tuple",["string","number"]]"#, "92d4000001"),
        (r#"["set","string"]"#, "91d40000"),
        (r#"["map","string"]"#, "c0"),
        (r#""dynamic""#, "c0"),
        (r#""dynamic""#, "d40000"),
        (r#"["list","string"]"#, "92a161c0"),
        (r#"["map","dynamic"]"#, "81a16192c408226e756d6265722201"),
        (
            r#"["list","dynamic"]"#,
            "9292c408226e756d626572220192c408226e756d6265722202",
        ),
        (
            r#"["object",{"a":"string","b":["list","number"]}]"#,
            "82a161a178a1629101",
        ),
        (
            r#"["tuple",["string","dynamic"]]"#,
            "92a16192c4145b227475706c65222c5b226e756d626572225d5d9101",
        ),
        (
            r#"["object",{"endpoint":"string","key":"string"}]"#,
            "82a8656e64706f696e74a8687474703a2f2f78a36b6579c0",
        ),
    ];
    let mut vectors: Vec<_> = plain
        .into_iter()
        .map(|(ty, bytes)| (ty, bytes.to_owned()))
        .collect();
    let big = format!("1{}", "0".repeat(100));
    let third = format!("0.{}", "3".repeat(155));
    for text in ["9223372036854775808", "-9223372036854775809", &big, &third] {
        vectors.push((r#""number""#, text_bytes(text)));
    }
    for text in ["x".repeat(31), "x".repeat(32)] {
        vectors.push((r#""string""#, text_bytes(&text)));
    }
    vectors
}

#[test]
fn what_terraform_sends_comes_back_byte_for_byte() {
    for (json, bytes) in vectors() {
        let value = decode(&hex(&bytes), &ty(json)).unwrap_or_else(|e| panic!("{json} {bytes}: {e}"));
        assert_eq!(encode(&value, &ty(json)).unwrap(), hex(&bytes), "{json}");
    }
}

#[test]
fn what_terraform_sends_comes_back_inside_a_dynamic_value() {
    for (json, bytes) in vectors() {
        if json == r#""dynamic""# {
            continue;
        }
        let json_bytes = hex_of(json);
        let all = hex(&format!("92c4{:02x}{json_bytes}{bytes}", json.len()));
        let value = decode(&all, &Type::Dynamic).unwrap();
        let again = encode(&value, &Type::Dynamic).unwrap();
        // Refinements of the inner value are kept, its type is spelled compactly.
        assert_eq!(decode(&again, &Type::Dynamic).unwrap(), value, "{json}");
        assert_eq!(again, all, "{json}");
    }
}

#[test]
fn foreign_but_legal_forms_are_taken() {
    for (json, bytes, value) in [
        (r#""number""#, "ca3f000000", Value::from(Number::Float(0.5))),
        (r#""number""#, "c40131", Value::from(1)),
        (r#""number""#, "a3316535", Value::from(100_000)),
        (r#""number""#, "cfffffffffffffffff", Value::from(u64::MAX)),
        (r#""string""#, "c40161", Value::from("a")),
        (r#"["list","number"]"#, "dd0000000101", Value::list([1])),
        (r#"["set","number"]"#, "93030101", Value::set([1, 3])),
        (
            r#"["object",{"a":"bool","b":"bool"}]"#,
            "82a162c2a161c3",
            Object::new().with("a", true).with("b", false).into(),
        ),
    ] {
        assert_eq!(decode(&hex(bytes), &ty(json)).unwrap(), value, "{json} {bytes}");
    }
    for unknown in ["c70000", "c7010000", "d40500"] {
        assert!(
            decode(&hex(unknown), &Type::String).unwrap().is_unknown(),
            "{unknown}"
        );
    }
}

#[test]
fn faults_name_their_place() {
    let ty = ty(r#"["object",{"a":["list",["map","number"]]}]"#);
    let error = decode(&hex("81a161 9281a16b01 81a16bc3"), &ty).unwrap_err();
    assert_eq!(error.path, AttributePath::of("a").index(1).key("k"));
    assert!(matches!(error.fault, Fault::WrongKind { .. }));
    let text = crate::tfplugin::chain(&error);
    assert!(text.starts_with("at `a[1][\"k\"]`"), "{text}");
}

#[test]
fn hostile_bytes_are_refused_before_anything_is_allocated() {
    let list = ty(r#"["list","string"]"#);
    let map = ty(r#"["map","string"]"#);
    let object = ty(r#"["object",{"a":"bool"}]"#);
    for (bytes, ty) in [
        ("ddffffffff", &list),
        ("dfffffffff", &map),
        ("dbffffffff61", &Type::String),
        ("c6ffffffff", &Type::String),
        ("c9ffffffff0c", &Type::String),
        ("c8ffff0c", &Type::String),
        ("d5000000", &Type::String),
        ("cb7ff8000000000000", &Type::Number),
        ("cb7ff0000000000000", &Type::Number),
        ("a3307831", &Type::Number),
        ("a2c328", &Type::String),
        ("80", &object),
        ("82a161c3a162c3", &object),
        ("82a161c3a161c3", &object),
        ("82a16ba0a16ba0", &map),
        ("81c0c0", &map),
        ("91c0", &Type::Dynamic),
        ("92c40422782278c0", &Type::Dynamic),
        ("", &Type::Bool),
        ("c1", &Type::Bool),
    ] {
        assert!(decode(&hex(bytes), ty).is_err(), "{bytes}");
    }
}

#[test]
fn nesting_is_limited() {
    let mut bytes = Vec::new();
    for _ in 0..100 {
        bytes.extend(hex("92c409"));
        bytes.extend(b"\"dynamic\"");
    }
    bytes.push(0xc0);
    assert!(matches!(
        decode(&bytes, &Type::Dynamic).unwrap_err().fault,
        Fault::TooDeep
    ));
}

#[test]
fn the_number_of_values_is_limited() {
    let mut bytes = hex("dd00200000");
    bytes.extend(vec![0xc0; 0x0020_0000]);
    assert!(matches!(
        decode(&bytes, &ty(r#"["list","string"]"#)).unwrap_err().fault,
        Fault::TooMany
    ));
}

#[test]
fn missing_attributes_are_written_as_null_and_others_refused() {
    let ty = ty(r#"["object",{"a":"bool","b":"bool"}]"#);
    let bytes = encode(&Object::new().with("b", true).into(), &ty).unwrap();
    assert_eq!(bytes, hex("82a161c0a162c3"));
    assert!(encode(&Object::new().with("c", true).into(), &ty).is_err());
    assert!(encode(&Object::new().with("a", 1).into(), &ty).is_err());
    assert!(encode(&Value::Number(Number::Float(f64::NAN)), &Type::Number).is_err());
}

fn any_type() -> impl Strategy<Value = Type> {
    let leaf = prop_oneof![
        Just(Type::Bool),
        Just(Type::Number),
        Just(Type::String),
        Just(Type::Dynamic)
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(Type::list),
            inner.clone().prop_map(Type::set),
            inner.clone().prop_map(Type::map),
            prop::collection::btree_map("[a-z]{1,3}", inner.clone(), 0..4).prop_map(Type::object),
            prop::collection::vec(inner, 0..4).prop_map(Type::tuple),
        ]
    })
}

fn any_number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::Int),
        any::<u64>().prop_map(Number::from_unsigned),
        any::<f64>().prop_filter_map("finite", |f| Number::from_float(f).ok()),
        "-?[0-9]{1,40}(\\.[0-9]{1,40})?".prop_map(|text| Number::from_text(&text).unwrap()),
    ]
}

fn value_of(ty: &Type, depth: usize) -> BoxedStrategy<Value> {
    let known: BoxedStrategy<Value> = match ty {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Number => any_number().prop_map(Value::Number).boxed(),
        Type::String => any::<String>().prop_map(Value::String).boxed(),
        Type::Dynamic if depth > 3 => Just(Value::Null).boxed(),
        Type::Dynamic => any_type()
            .prop_flat_map(move |ty| {
                let value = value_of(&ty, depth + 1);
                (Just(ty), value).prop_map(|(ty, value)| Value::Dynamic(Box::new(DynamicValue { ty, value })))
            })
            .boxed(),
        Type::List(inner) => prop::collection::vec(value_of(inner, depth + 1), 0..4)
            .prop_map(Value::List)
            .boxed(),
        Type::Set(inner) => prop::collection::vec(value_of(inner, depth + 1), 0..4)
            .prop_map(Value::set)
            .boxed(),
        Type::Map(inner) => prop::collection::btree_map(any::<String>(), value_of(inner, depth + 1), 0..4)
            .prop_map(Value::Map)
            .boxed(),
        Type::Object(object) => {
            let attributes: Vec<_> = object
                .attributes()
                .iter()
                .map(|(name, ty)| (Just(name.clone()), value_of(ty, depth + 1)))
                .collect();
            attributes
                .prop_map(|items| Value::Object(items.into_iter().collect()))
                .boxed()
        }
        Type::Tuple(types) => {
            let items: Vec<_> = types.iter().map(|ty| value_of(ty, depth + 1)).collect();
            items.prop_map(Value::Tuple).boxed()
        }
    };
    let refined = prop::collection::vec(any::<u8>(), 2..20);
    prop_oneof![
        8 => known,
        1 => Just(Value::Null),
        1 => Just(Value::unknown()),
        1 => refined.prop_map(|body| Value::Unknown(Unknown { refinement: Some(body.into()) })),
    ]
    .boxed()
}

fn typed_value() -> impl Strategy<Value = (Type, Value)> {
    any_type().prop_flat_map(|ty| {
        let value = value_of(&ty, 0);
        (Just(ty), value)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_value_comes_back_equal_and_its_bytes_are_msgpack((ty, value) in typed_value()) {
        let bytes = encode(&value, &ty).unwrap();
        let again = decode(&bytes, &ty).unwrap();
        prop_assert_eq!(&again, &value);
        prop_assert_eq!(encode(&again, &ty).unwrap(), bytes.clone());
        let mut rest = &bytes[..];
        rmpv::decode::read_value(&mut rest).unwrap();
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn random_bytes_never_panic(ty in any_type(), bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&bytes, &ty);
    }

    #[test]
    fn broken_values_never_panic((ty, value) in typed_value(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let mut bytes = encode(&value, &ty).unwrap();
        let cut = at.index(bytes.len());
        let _ = decode(&bytes[..cut], &ty);
        bytes[cut] ^= 1 << bit;
        let _ = decode(&bytes, &ty);
    }

    #[test]
    fn comparison_is_a_total_order((_, a) in typed_value(), (_, b) in typed_value()) {
        prop_assert_eq!(a.compare(&b), b.compare(&a).reverse());
        prop_assert_eq!(a.compare(&a), std::cmp::Ordering::Equal);
    }
}

use proptest::prelude::{any, prop, proptest};

use super::*;

/// Fixed, so that signatures are: RFC 8032, 7.1, the first secret key.
const SEED: [u8; 32] = [
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44,
    0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];

fn fixed_key() -> SigningKey {
    let pair = Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap();
    let der = STANDARD.encode(pair.to_pkcs8v1().unwrap().as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n");
    SigningKey::from_pem(Secret::new(pem)).unwrap()
}

fn release() -> Release {
    let artifact = |name: &str| Artifact::new(name, Sha256::of(name.as_bytes())).unwrap();
    Release {
        format: FORMAT,
        serial: 7,
        agents: BTreeMap::from([(
            "arm64".to_owned(),
            AgentArtifact {
                version: "0.1.0".to_owned(),
                artifact: artifact("msk-node-arm64"),
            },
        )]),
        java: BTreeMap::from([(
            "arm64".to_owned(),
            JavaArtifact {
                release: "17.0.15".to_owned(),
                artifact: artifact("java-17.0.15-arm64.tar.gz"),
            },
        )]),
        kafka: BTreeMap::from([("4.3.1".to_owned(), artifact("kafka_2.13-4.3.1.tar.gz"))]),
    }
}

/// A node of today must read the file in all years to come. Never change the file: add another one.
#[test]
fn the_frozen_file_is_read_and_written_byte_by_byte() {
    let frozen = include_bytes!("tests/boot-1.json");
    let key = fixed_key();
    let public = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    assert_eq!(key.public().unwrap().as_str(), public);
    let opened = ReleaseKey::parse(public).unwrap().open(frozen).unwrap();
    assert_eq!(opened, release());
    assert_eq!(
        String::from_utf8(release().sign(&key).unwrap()).unwrap(),
        String::from_utf8_lossy(frozen)
    );
}

#[test]
fn a_key_that_was_made_signs_and_comes_back_from_its_text() {
    let key = SigningKey::generate().unwrap();
    let file = release().sign(&key).unwrap();
    let again = SigningKey::from_pem(key.pem().clone()).unwrap();
    assert_eq!(again.public().unwrap(), key.public().unwrap());
    assert_eq!(again.public().unwrap().open(&file).unwrap(), release());
    assert!(!format!("{key:?}").contains("PRIVATE"));
}

#[test]
fn what_another_key_signed_is_refused() {
    let file = release().sign(&fixed_key()).unwrap();
    let other = SigningKey::generate().unwrap().public().unwrap();
    assert!(matches!(other.open(&file), Err(ReleaseError::NotSigned)));
}

/// A file whose payload is anything, rightly signed.
fn signed(payload: &str) -> Vec<u8> {
    let pair = Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap();
    serde_json::to_vec(&Signed {
        payload: STANDARD.encode(payload),
        signature: STANDARD.encode(pair.sign(payload.as_bytes())),
    })
    .unwrap()
}

#[test]
fn another_format_is_told_before_anything_else_of_it_is_read() {
    let public = fixed_key().public().unwrap();
    let found = public.open(&signed(r#"{"format":2,"serial":"of another kind"}"#));
    assert!(matches!(found, Err(ReleaseError::OtherFormat { found: 2 })));
    let found = public.open(&signed(r#"{"format":1}"#));
    assert!(matches!(found, Err(ReleaseError::Damaged { .. })));
    let found = public.open(&signed("[]"));
    assert!(matches!(found, Err(ReleaseError::Damaged { .. })));
}

#[test]
fn members_of_later_years_are_passed_over() {
    let public = fixed_key().public().unwrap();
    let text = serde_json::to_string(&release()).unwrap();
    let later = text.replacen('{', r#"{"flags":{"x":[1]},"#, 1);
    let later = later.replace(r#""version":"#, r#""built":2031,"version":"#);
    assert_eq!(public.open(&signed(&later)).unwrap(), release());
}

#[test]
fn a_key_that_leaves_the_store_and_a_digest_that_is_none_are_refused() {
    let public = fixed_key().public().unwrap();
    let text = serde_json::to_string(&release()).unwrap();
    for (from, to) in [
        ("artifacts/", "../"),
        ("artifacts/", "/"),
        (r#""sha256":""#, r#""sha256":"x"#),
        (r#""serial":7"#, r#""serial":-7"#),
        (r#""serial":7"#, r#""serial":9007199254740993"#),
    ] {
        let found = public.open(&signed(&text.replace(from, to)));
        assert!(matches!(found, Err(ReleaseError::Damaged { .. })), "{from} {to}");
    }
    assert!(Sha256::parse("A".repeat(64)).is_err() && Sha256::parse("a".repeat(63)).is_err());
    assert!(ReleaseKey::parse("AAAA").is_err());
}

#[test]
fn too_much_of_anything_is_refused_before_it_is_read() {
    let public = fixed_key().public().unwrap();
    let huge = vec![b' '; MAX_BYTES + 1];
    assert!(matches!(public.open(&huge), Err(ReleaseError::TooLong { .. })));
    let mut many = release();
    let entry = many.kafka["4.3.1"].clone();
    many.kafka = (0..65)
        .map(|number| (number.to_string(), entry.clone()))
        .collect();
    let file = many.sign(&fixed_key()).unwrap();
    assert!(matches!(public.open(&file), Err(ReleaseError::Damaged { .. })));
    many.kafka = (0..400)
        .map(|number| (number.to_string(), entry.clone()))
        .collect();
    assert!(matches!(
        many.sign(&fixed_key()),
        Err(ReleaseError::TooLong { .. })
    ));
    let long = Secret::new("x".repeat(MAX_KEY_BYTES + 1));
    assert!(SigningKey::from_pem(long).is_err());
}

#[test]
fn an_older_one_that_was_put_back_is_refused_and_the_same_one_is_not() {
    assert!(release().must_follow(6).is_ok() && release().must_follow(7).is_ok());
    assert!(matches!(
        release().must_follow(8),
        Err(ReleaseError::Older { found: 7, seen: 8 })
    ));
    let mut later = release();
    later.serial = 8;
    assert!(later.allows_the_same(&release()));
    later.kafka.clear();
    assert!(!later.allows_the_same(&release()));
}

#[test]
fn each_cut_of_the_file_is_refused() {
    let public = fixed_key().public().unwrap();
    let file = release().sign(&fixed_key()).unwrap();
    // The last byte is the end of the line.
    for length in 0..file.len() - 1 {
        assert!(public.open(&file[..length]).is_err(), "{length}");
    }
}

proptest! {
    #[test]
    fn any_changed_byte_is_refused_or_changes_nothing(position in any::<prop::sample::Index>(), with in any::<u8>()) {
        let public = fixed_key().public().unwrap();
        let mut file = release().sign(&fixed_key()).unwrap();
        let at = position.index(file.len());
        file[at] = with;
        if let Ok(opened) = public.open(&file) {
            assert_eq!(opened, release());
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let public = fixed_key().public().unwrap();
        let _ = public.open(&bytes);
        let _ = public.open(&signed(&String::from_utf8_lossy(&bytes)));
        let _ = SigningKey::from_pem(Secret::new(String::from_utf8_lossy(&bytes).into_owned()));
    }
}

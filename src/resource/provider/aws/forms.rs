//! The forms of Amazon's names, as far as they can be checked without asking.

/// A Region, such as `eu-central-1` or `us-gov-west-1`.
pub(super) fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [first, middle @ .., number] = parts.as_slice() else {
        return false;
    };
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    (2..=3).contains(&first.len())
        && is_word(first)
        && (1..=2).contains(&middle.len())
        && middle.iter().all(is_word)
        && (1..=2).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// A rule for an account's id.
pub(super) fn account(text: &str) -> Result<(), String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err("be the id of an account: 12 digits, in quotes".to_owned())
}

/// A rule for the ARN of an IAM role.
pub(super) fn role_arn(text: &str) -> Result<(), String> {
    let mut parts = text.splitn(6, ':');
    let fits = parts.next() == Some("arn")
        && parts.next().is_some_and(|partition| partition.starts_with("aws"))
        && parts.next() == Some("iam")
        && parts.next() == Some("")
        && parts.next().is_some_and(|id| account(id).is_ok())
        && parts
            .next()
            .is_some_and(|role| role.strip_prefix("role/").is_some_and(|name| !name.is_empty()));
    if fits {
        return Ok(());
    }
    Err("be the ARN of a role, such as arn:aws:iam::123456789012:role/name".to_owned())
}

/// A rule for the name of a session.
pub(super) fn session_name(text: &str) -> Result<(), String> {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    if (2..=64).contains(&text.len()) && text.bytes().all(is_fine) {
        return Ok(());
    }
    Err("have 2 to 64 characters out of letters, digits and _+=,.@-".to_owned())
}

/// A rule for the name of a bucket (S3 user guide, general purpose buckets; without the forbidden prefixes).
pub(super) fn bucket(text: &str) -> Result<(), String> {
    let is_fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    let is_end =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = text.as_bytes();
    let fits = (3..=63).contains(&bytes.len())
        && bytes.iter().copied().all(is_fine)
        && is_end(bytes.first())
        && is_end(bytes.last())
        && !text.contains("..")
        && text.parse::<std::net::Ipv4Addr>().is_err();
    if fits {
        return Ok(());
    }
    Err(
        "be the name of a bucket: 3 to 63 lower-case letters, digits, hyphens and dots, without `s3://`"
            .to_owned(),
    )
}

/// A rule for a prefix of keys in a bucket.
pub(super) fn prefix(text: &str) -> Result<(), String> {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"/_.-".contains(&byte);
    let fits = (2..=200).contains(&text.len())
        && text.ends_with('/')
        && text.bytes().all(is_fine)
        && text
            .trim_end_matches('/')
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..");
    if fits {
        return Ok(());
    }
    Err(
        "be names out of letters, digits, `_`, `.` and `-`, each with a `/` behind it, such as msk/"
            .to_owned(),
    )
}

/// A rule for an archive: an `https` URL, or a path of this machine.
pub(super) fn archive(text: &str) -> Result<(), String> {
    let is_url = text.strip_prefix("https://").is_some_and(|rest| {
        !rest.is_empty() && !rest.starts_with('/') && !rest.contains(char::is_whitespace)
    });
    let is_path = text.starts_with('/') && !text.contains("://");
    if is_url || is_path {
        return Ok(());
    }
    Err("be an https URL or an absolute path (write abspath(\"…\") or pathexpand(\"~/…\"))".to_owned())
}

/// A rule for a SHA-256 digest.
pub(super) fn sha256(text: &str) -> Result<(), String> {
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err("be a SHA-256 digest: 64 hexadecimal digits".to_owned())
}

/// A rule for the URL of a service or a proxy.
pub(super) fn http_url(text: &str) -> Result<(), String> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split('/').next().unwrap_or_default());
    let has_host = host.is_some_and(|host| !host.is_empty() && !host.contains(char::is_whitespace));
    if has_host && !text.contains(['?', '#']) {
        return Ok(());
    }
    Err("be an http or https URL, such as https://proxy.example.com:8080".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_of_every_partition_are_taken_and_zones_are_not() {
        for right in [
            "eu-central-1",
            "us-gov-west-1",
            "cn-north-1",
            "ap-southeast-5",
            "us-iso-east-1",
            "mx-central-1",
        ] {
            assert!(is_region(right), "{right}");
        }
        for wrong in [
            "",
            "eu-central-1a",
            "eu-central",
            "EU-CENTRAL-1",
            "eu_central_1",
            "frankfurt",
            "eu-central-1-",
            "e-c-1",
        ] {
            assert!(!is_region(wrong), "{wrong}");
        }
    }

    #[test]
    fn names_of_accounts_roles_and_sessions_have_their_forms() {
        assert_eq!(account("123456789012"), Ok(()));
        assert!(account("1234567890123").is_err() && account("12345678901x").is_err());
        for right in [
            "arn:aws:iam::123456789012:role/ops",
            "arn:aws-cn:iam::123456789012:role/path/ops",
        ] {
            assert_eq!(role_arn(right), Ok(()), "{right}");
        }
        for wrong in [
            "ops",
            "arn:aws:iam::123456789012:user/ops",
            "arn:aws:iam::1:role/ops",
            "arn:aws:iam::123456789012:role/",
        ] {
            assert!(role_arn(wrong).is_err(), "{wrong}");
        }
        assert_eq!(session_name("terraform@laptop"), Ok(()));
        assert!(session_name("x").is_err() && session_name("a b").is_err());
    }

    #[test]
    fn buckets_prefixes_and_urls_have_their_forms() {
        for right in ["my-bucket", "a.b.c", "123"] {
            assert_eq!(bucket(right), Ok(()), "{right}");
        }
        for wrong in [
            "My-bucket",
            "ab",
            "-ab",
            "ab-",
            "a..b",
            "10.0.0.1",
            "s3://bucket",
            &"x".repeat(64),
        ] {
            assert!(bucket(wrong).is_err(), "{wrong}");
        }
        for right in ["msk/", "teams/kafka/"] {
            assert_eq!(prefix(right), Ok(()), "{right}");
        }
        for wrong in ["msk", "/", "/msk/", "a//b/", "../", "a/./"] {
            assert!(prefix(wrong).is_err(), "{wrong}");
        }
        for right in ["https://example.com/jre.tar.gz?x=y", "/opt/jre 17.tar.gz"] {
            assert_eq!(archive(right), Ok(()), "{right}");
        }
        for wrong in [
            "",
            "jre.tar.gz",
            "~/jre.tar.gz",
            "http://example.com/x",
            "https://",
            "file:///x",
        ] {
            assert!(archive(wrong).is_err(), "{wrong}");
        }
        assert!(sha256(&"aF".repeat(32)).is_ok() && sha256("aF").is_err());
        assert_eq!(http_url("http://127.0.0.1:5000"), Ok(()));
        for wrong in ["127.0.0.1:5000", "https://", "ftp://x", "https://x?y"] {
            assert!(http_url(wrong).is_err(), "{wrong}");
        }
    }
}

use super::super::empty_block as empty;
use super::*;
use crate::tfplugin::Value;

fn findings(aws: &Object) -> Vec<String> {
    let mut found = Diagnostics::new();
    check(aws, &mut found);
    found.into_iter().map(|finding| finding.summary).collect()
}

#[test]
fn an_empty_block_asks_the_environment_for_everything() {
    let read = read(&empty().with("control_bucket", "b-1"));
    assert_eq!(read.control_bucket, "b-1");
    assert_eq!(read.control_prefix, "msk/");
    assert_eq!(read.maven_command, "mvn");
    assert_eq!(read.account.attempts, 25);
    assert!(
        read.account.region.is_none() && read.account.access_key.is_none() && read.account.proxy.is_none()
    );
    assert_eq!(findings(&empty()), [""; 0]);
}

#[test]
fn what_is_written_is_read() {
    let role = Object::new()
        .with("role_arn", "arn:aws:iam::123456789012:role/ops")
        .with("session_name", "ci")
        .with("external_id", Value::Null)
        .with("duration", "1h")
        .with("policy", Value::Null)
        .with("tags", Value::map([("team", "data")]));
    let endpoints = Service::ALL.into_iter().fold(Object::new(), |object, service| {
        let url = (service == Service::Ec2).then_some("http://127.0.0.1:5000");
        object.with(service.name(), url.map_or(Value::Null, Value::from))
    });
    let aws = empty()
        .with("region", "eu-central-1")
        .with("access_key", "AKIA")
        .with("secret_key", "hidden")
        .with("assume_role", Value::list([Value::from(role)]))
        .with("endpoints", endpoints)
        .with("max_retries", 3)
        .with("retry_mode", "adaptive")
        .with("allowed_account_ids", Value::set(["123456789012"]))
        .with("https_proxy", "http://proxy:3128")
        .with("shared_config_files", Value::list(["/etc/aws"]));
    assert_eq!(findings(&aws), [""; 0]);
    let account = read(&aws).account;
    assert_eq!(account.region.as_deref(), Some("eu-central-1"));
    let key = account.access_key.as_ref().unwrap();
    assert_eq!(
        (key.id.as_str(), key.secret.expose().as_str()),
        ("AKIA", "hidden")
    );
    assert!(!format!("{account:?}").contains("hidden"));
    assert_eq!(
        account.assume_roles[0].duration,
        Some(std::time::Duration::from_hours(1))
    );
    assert_eq!(account.assume_roles[0].tags["team"], "data");
    assert_eq!(
        account.endpoints,
        [(Service::Ec2, "http://127.0.0.1:5000".to_owned())].into()
    );
    assert!(account.is_adaptive && account.attempts == 3);
    assert!(account.allowed_accounts.contains("123456789012"));
    assert_eq!(account.proxy.unwrap().https.as_deref(), Some("http://proxy:3128"));
    assert_eq!(account.config_files, ["/etc/aws"]);
}

#[test]
fn what_contradicts_itself_is_found_at_once() {
    let role = Object::new()
        .with("role_arn", Value::Null)
        .with("duration", "13h");
    let web = Object::new()
        .with("role_arn", "arn:aws:iam::123456789012:role/ops")
        .with("web_identity_token_file", Value::Null)
        .with("duration", "1h");
    let aws = empty()
        .with("access_key", "AKIA")
        .with("token", "t")
        .with("region", "eu-central-1a")
        .with("allowed_account_ids", Value::set(["123456789012"]))
        .with("forbidden_account_ids", Value::set(["123456789013"]))
        .with("insecure", true)
        .with("http_proxy", "http://a")
        .with("https_proxy", "http://b")
        .with("assume_role", Value::list([Value::from(role)]))
        .with("assume_role_with_web_identity", web);
    assert_eq!(
        findings(&aws),
        [
            "Half a pair of keys",
            "Two lists of accounts",
            "No Region",
            "Not in this version",
            "Two proxies",
            "An attribute is missing",
            "A session of another length",
            "An attribute is missing",
            "Not in this version",
        ]
    );
    let skipped = empty()
        .with("region", "moon-1")
        .with("skip_region_validation", true);
    assert_eq!(findings(&skipped), [""; 0]);
}

#[test]
fn an_archive_with_java_has_a_url_and_a_digest() {
    let archive =
        |url: Value, sha256: Value| Value::from(Object::new().with("url", url).with("sha256", sha256));
    let block = |x86: Value| {
        let archives = Object::new().with("x86_64", x86).with("arm64", Value::Null);
        empty().with("java_archives", Value::from(archives))
    };
    let whole = block(archive("/jre.tar.gz".into(), "AB".repeat(32).into()));
    assert_eq!(findings(&whole), [""; 0]);
    let read = read(&whole).java_archives;
    assert_eq!(read[&Architecture::X86].url, "/jre.tar.gz");
    assert_eq!(read[&Architecture::X86].sha256.as_str(), "ab".repeat(32));
    for half in [
        archive("/jre.tar.gz".into(), Value::Null),
        archive(Value::Null, "AB".repeat(32).into()),
    ] {
        assert_eq!(findings(&block(half)), ["An attribute is missing"]);
    }
}

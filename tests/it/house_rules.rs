//! The rules between modules that `docs/architecture.md` names, checked on the sources themselves.

use std::fs;
use std::path::{Path, PathBuf};

/// Every Rust file below a folder of the crate, with its text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "no sources below {folder}");
    found
}

/// The text before the tests, without comments.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    let lines = text[..end]
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The module of a file: the first folder or file name below `src/`.
fn module(path: &Path) -> String {
    let below = path
        .strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .unwrap();
    below
        .iter()
        .next()
        .unwrap()
        .to_string_lossy()
        .trim_end_matches(".rs")
        .to_owned()
}

fn is_test_file(path: &Path) -> bool {
    path.iter().any(|part| part == "tests" || part == "tests.rs")
        || path
            .file_stem()
            .is_some_and(|stem| stem.to_string_lossy().ends_with("_tests"))
}

#[track_caller]
fn assert_none(findings: &[String], rule: &str) {
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}

/// Lists the files outside `allowed` whose code holds one of `words`.
fn users_of(words: &[&str], applies_to: impl Fn(&str) -> bool) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in sources("src") {
        if is_test_file(&path) || !applies_to(&module(&path)) {
            continue;
        }
        let code = code(&text);
        findings.extend(
            words
                .iter()
                .filter(|word| code.contains(**word))
                .map(|word| format!("{}: {word}", path.display())),
        );
    }
    findings
}

#[test]
fn only_tfplugin_names_the_grpc_crates() {
    let found = users_of(&["tonic::", "prost::", "tonic_health::"], |module| {
        module != "tfplugin"
    });
    assert_none(&found, "tonic and prost belong to tfplugin");
}

#[test]
fn only_kafka_names_the_kafka_protocol_crate() {
    let found = users_of(&["kafka_protocol::"], |module| module != "kafka");
    assert_none(&found, "kafka_protocol belongs to kafka");
}

#[test]
fn only_what_talks_to_aws_names_its_clients() {
    let ours = ["aws", "engine", "node", "store"];
    let found = users_of(&["aws_sdk_", "aws_config::", "aws_smithy_"], |module| {
        !ours.contains(&module)
    });
    assert_none(&found, "the AWS clients belong to aws, engine, node and store");
}

#[test]
fn tfplugin_knows_nothing_of_the_product() {
    let words = [
        "crate::kafka",
        "crate::spec",
        "crate::engine",
        "crate::node",
        "crate::store",
        "crate::planner",
    ];
    assert_none(
        &users_of(&words, |module| module == "tfplugin"),
        "tfplugin is a general SDK",
    );
}

#[test]
fn the_pure_core_does_no_io_and_reads_no_clock() {
    let words = [
        "std::fs",
        "std::net::Tcp",
        "std::net::Udp",
        "std::env",
        "std::process",
        "tokio::",
        "async fn",
        ".await",
        "SystemTime",
        "Instant::",
        "Timestamp::now",
        "rand::",
        "crate::engine",
        "crate::node",
        "crate::resource",
        "crate::kafka::client",
        "crate::kafka::distribution",
    ];
    let pure = |module: &str| ["spec", "observed", "planner"].contains(&module);
    assert_none(&users_of(&words, pure), "spec, observed and planner are pure");
}

#[test]
fn provider_and_agent_meet_only_in_the_store() {
    let in_node = users_of(
        &["crate::resource", "crate::engine", "crate::tfplugin"],
        |module| module == "node",
    );
    assert_none(&in_node, "the agent knows nothing of Terraform");
    let in_resource = users_of(&["crate::node"], |module| module == "resource");
    assert_none(&in_resource, "resources do not know the agent");
}

#[test]
fn files_stay_small() {
    let mut findings = Vec::new();
    for (path, text) in sources("src") {
        let lines = code(&text).lines().count();
        if lines > 600 && !is_test_file(&path) {
            findings.push(format!("{}: {lines} lines", path.display()));
        }
    }
    assert_none(&findings, "no file above 600 lines");
}

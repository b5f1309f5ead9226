//! The table of permissions against the calls in the sources, and the page that is made from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use msk::engine::ec2::permissions::{ROWS, Target, UNASKED, Who, page};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files below a folder, without those of tests, each up to its tests.
fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && name != "tests.rs" {
            let text = fs::read_to_string(&path).unwrap();
            let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
            found.push((path, text[..end].to_owned()));
        }
    }
}

/// The methods of AWS's clients that a text begins a call with: `client.create_role()`, over lines or not.
fn calls(text: &str) -> Vec<String> {
    const CLIENTS: [&str; 3] = ["client", "kms()", "Client::new(&config)"];
    let mut found = Vec::new();
    for client in CLIENTS {
        for (at, _) in text.match_indices(client) {
            let before = text[..at].chars().next_back();
            if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_') {
                continue;
            }
            let rest = text[at + client.len()..].trim_start();
            let Some(rest) = rest.strip_prefix('.') else {
                continue;
            };
            let is_name =
                |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
            let end = rest.find(|letter| !is_name(letter)).unwrap_or(rest.len());
            if rest[end..].starts_with("()") && !["clone", "config"].contains(&&rest[..end]) {
                found.push(rest[..end].to_owned());
            }
        }
    }
    found
}

/// `ListObjectsV2` is the method `list_objects_v2`.
fn method(operation: &str) -> String {
    let mut name = String::new();
    for letter in operation.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// The methods that the rows of some people name.
fn named(is_meant: impl Fn(Who) -> bool) -> BTreeSet<String> {
    let rows = ROWS.iter().filter(|row| is_meant(row.who));
    let calls = rows.flat_map(|row| row.calls.iter());
    calls
        .map(|call| method(call.split_once(':').unwrap().1))
        .collect()
}

#[test]
fn the_table_of_permissions_names_every_call_of_the_code_and_no_other() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let mut made: BTreeMap<String, PathBuf> = BTreeMap::new();
    for (path, text) in &files {
        let calls = calls(text);
        // Every request ends so; channels and the like send something.
        let sent = text.matches(".send()").count();
        assert_eq!(
            calls.len(),
            sent,
            "{}: a call to AWS that this test does not see, or one that is not sent: {calls:?}",
            path.display()
        );
        made.extend(calls.into_iter().map(|call| (call, path.clone())));
    }
    assert!(made.len() > 60, "{made:?}");
    let mut known = named(|_| true);
    known.extend(UNASKED.iter().map(|call| method(call.split_once(':').unwrap().1)));
    let without_row: Vec<_> = made.iter().filter(|(call, _)| !known.contains(*call)).collect();
    assert!(
        without_row.is_empty(),
        "not in engine::ec2::permissions: {without_row:?}"
    );
    let without_call: Vec<_> = known.iter().filter(|call| !made.contains_key(*call)).collect();
    assert!(without_call.is_empty(), "called nowhere: {without_call:?}");
}

#[test]
fn who_makes_a_call_has_a_row_for_it() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let (nodes, operators) = (
        named(|who| who == Who::Node),
        named(|who: Who| who.is_operators()),
    );
    for (path, text) in &files {
        let is_nodes = path.starts_with(root().join("src/node"));
        let rows = if is_nodes { &nodes } else { &operators };
        for call in calls(text) {
            let is_unasked = UNASKED.iter().any(|known| known.ends_with("GetCallerIdentity"))
                && call == "get_caller_identity";
            assert!(is_unasked || rows.contains(&call), "{}: {call}", path.display());
        }
    }
}

/// The operations to which AWS gives no resource, by the stand's table of the Service Authorization Reference.
fn without_resource() -> BTreeSet<String> {
    let path = root().join("tests/stand/aws_stand/policy/table.toml");
    let text = fs::read_to_string(path).unwrap();
    let mut found = BTreeSet::new();
    for group in text.split("\n[").skip(1) {
        if !group.contains("resources = []") {
            continue;
        }
        let service = group.split('.').next().unwrap();
        let list = group.split("actions = [").nth(1).unwrap();
        let list = list.split(']').next().unwrap();
        found.extend(
            list.split('"')
                .skip(1)
                .step_by(2)
                .map(|name| format!("{service}:{name}")),
        );
    }
    found
}

#[test]
fn only_what_takes_no_resource_is_allowed_on_everything() {
    let unscoped = without_resource();
    assert!(unscoped.contains("ec2:DescribeVolumes"), "{unscoped:?}");
    for row in ROWS {
        let targets = row.grants.iter().flat_map(|grant| grant.targets);
        if targets.into_iter().any(|target| *target == Target::Any) {
            assert!(unscoped.contains(row.action), "{} can be scoped", row.action);
        }
    }
}

#[test]
fn the_page_of_permissions_is_fresh() {
    let path = root().join("docs/guides/permissions.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, page()).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == page(),
        "docs/guides/permissions.md is stale, run scripts/generate"
    );
}

//! The contract itself, where it lies beside the repository: are its names and ours the same?

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{paths, schemas};

/// Beside the repository, or beside the folder of its work trees.
const PLACES: [&str; 2] = ["../shared/schema.md", "../../shared/schema.md"];

/// Ours, where a user would expect more: each with a record below `docs/decisions`.
const MORE: [&str; 13] = [
    "password_source",
    // 0009: Java for the nodes.
    "java_archives",
    "x86_64",
    "arm64",
    "url",
    "sha256",
    // 0011: instances.
    "ami_id",
    "copy_ami",
    "self_healing",
    "replace_volumes",
    "instance_profile",
    "permissions_boundary",
    // 0012: quotas.
    "servicequotas",
];

/// Words in backquotes that are no attributes: types, values, other resources' attributes.
const NO_ATTRIBUTES: [&str; 8] = [
    "local", "moved", "true", "import", "aws", "string", "bool", "number",
];

fn contract() -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    PLACES
        .iter()
        .find_map(|place| fs::read_to_string(root.join(place)).ok())
}

/// The words in backquotes that could be names of attributes.
fn names(text: &str) -> Vec<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    let quoted = quoted.filter_map(|quoted| quoted.split(' ').next());
    let is_name = |word: &str| {
        word.len() > 1
            && word.starts_with(|letter: char| letter.is_ascii_lowercase())
            && word
                .chars()
                .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
    };
    quoted.filter(|word| is_name(word)).map(str::to_owned).collect()
}

/// The part of the page under a heading that begins so, up to the next heading.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let begin = page
        .find(&format!("\n## {heading}"))
        .unwrap_or_else(|| panic!("no section {heading}"));
    let rest = &page[begin + 4..];
    rest.find("\n## ").map_or(rest, |end| &rest[..end])
}

/// The names in the first column of the first table behind a text.
fn first_column(text: &str) -> BTreeSet<String> {
    let rows = text.lines().skip_while(|line| !line.starts_with("| ---")).skip(1);
    let cells = rows
        .take_while(|line| line.starts_with('|'))
        .filter_map(|line| line.split('|').nth(1));
    cells.flat_map(names).collect()
}

/// Names with a mark behind them: `name` R, `name` O (`default`), `a`, `b` C.
fn marked(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let parts: Vec<&str> = text.split('`').collect();
    for index in (1..parts.len()).step_by(2) {
        let mark = parts.get(index + 1).copied().unwrap_or_default();
        let is_marked = ["R", "O", "OC", "C"].iter().any(|letter| {
            mark.strip_prefix(' ')
                .and_then(|rest| rest.strip_prefix(letter))
                .is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
        });
        if is_marked {
            found.extend(names(&format!("`{}`", parts[index])));
        }
    }
    found
}

/// Every name at any depth of a schema.
fn all_names(name: &str) -> BTreeSet<String> {
    let (_, schema) = schemas().into_iter().find(|(of, _)| of == name).unwrap();
    let mut found: BTreeSet<String> = schema.attributes().map(|(name, _)| name.to_owned()).collect();
    for path in paths(&schema) {
        found.extend(path.split('.').map(str::to_owned));
    }
    for (_, attribute) in schema.attributes() {
        found.extend(attribute.members().map(|(name, _)| name.to_owned()));
        for (_, member) in attribute.members() {
            found.extend(member.members().map(|(name, _)| name.to_owned()));
        }
    }
    found
}

fn top_names(name: &str) -> BTreeSet<String> {
    let (_, schema) = schemas().into_iter().find(|(of, _)| of == name).unwrap();
    let blocks = schema.blocks().map(|(name, _)| name.to_owned());
    schema
        .attributes()
        .map(|(name, _)| name.to_owned())
        .chain(blocks)
        .collect()
}

fn without_more(names: BTreeSet<String>) -> BTreeSet<String> {
    let names = names.into_iter();
    names.filter(|name| !MORE.contains(&name.as_str())).collect()
}

#[test]
fn the_names_of_the_contract_and_of_the_schemas_are_the_same() {
    let Some(page) = contract() else {
        eprintln!("NOT COMPARED WITH THE CONTRACT: none of {PLACES:?} is there");
        return;
    };
    let mut findings = Vec::new();
    let mut compare = |what: &str, theirs: &BTreeSet<String>, ours: &BTreeSet<String>| {
        for name in theirs
            .difference(ours)
            .filter(|name| !NO_ATTRIBUTES.contains(&name.as_str()))
        {
            findings.push(format!("{what}: the contract has {name}, the schema has not"));
        }
    };

    let cluster = section(&page, "resource \"msk_cluster\"");
    let table = first_column(cluster);
    assert!(
        table.len() > 40,
        "the table of msk_cluster is not read: {table:?}"
    );
    compare("msk_cluster", &table, &top_names("msk_cluster"));
    let known: BTreeSet<String> = names(cluster).into_iter().collect();
    let ours = without_more(all_names("msk_cluster"));
    compare("what we have of msk_cluster", &ours, &known);

    let provider = section(&page, "provider \"msk\"");
    let local = first_column(provider);
    assert!(
        local.len() > 6,
        "the table of the provider block is not read: {local:?}"
    );
    compare("provider.local", &local, &all_names("provider"));
    let aws = &provider[provider.find("`aws = {").unwrap()..];
    compare(
        "provider.aws",
        &names(aws).into_iter().collect(),
        &all_names("provider"),
    );
    let known: BTreeSet<String> = names(provider).into_iter().chain(["aws".to_owned()]).collect();
    let ours = without_more(all_names("provider"));
    compare("what we have of the provider block", &ours, &known);

    for name in ["msk_configuration", "msk_scram_secret", "msk_topic", "msk_acl"] {
        let text = section(&page, &format!("resource \"{name}\""));
        let theirs = marked(text);
        assert!(theirs.len() > 2, "the marks of {name} are not read: {theirs:?}");
        compare(name, &theirs, &top_names(name));
        let known: BTreeSet<String> = names(text).into_iter().collect();
        let ours = without_more(top_names(name));
        compare(&format!("what we have of {name}"), &ours, &known);
    }

    let told = top_names("msk_cluster");
    let told: BTreeSet<String> = told.into_iter().filter(|name| name != "timeouts").collect();
    compare("data source msk_cluster", &told, &top_names("data.msk_cluster"));
    let data: BTreeSet<String> = names(section(&page, "data sources"))
        .into_iter()
        .filter(|name| name.starts_with("msk_"))
        .collect();
    let ours: BTreeSet<String> = schemas()
        .into_iter()
        .filter_map(|(name, _)| name.strip_prefix("data.").map(str::to_owned))
        .collect();
    let data: BTreeSet<String> = data.into_iter().collect();
    compare("data sources", &data, &ours);
    assert!(findings.is_empty(), "{findings:#?}");
}

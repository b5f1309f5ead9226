//! Carries out what the table names as proof.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use msk::resource::standing::{self, Standing};

use super::table::{Proof, TABLE};
use super::{document, paths, schemas};
use crate::support::terraform::Terraform;

fn covers(row: &str, path: &str) -> bool {
    row == path || path.strip_prefix(row).is_some_and(|rest| rest.starts_with('.'))
}

#[test]
fn the_table_has_every_attribute_and_no_other() {
    let mut findings = Vec::new();
    let table: BTreeMap<&str, _> = TABLE.iter().copied().collect();
    for (name, schema) in schemas() {
        let Some(rows) = table.get(name.as_str()) else {
            findings.push(format!("{name} is not in the table"));
            continue;
        };
        let told: BTreeSet<&str> = schema
            .attributes()
            .filter(|(_, attribute)| !attribute.is_required() && !attribute.is_optional())
            .map(|(name, _)| name)
            .collect();
        let all = paths(&schema);
        for path in &all {
            let row = rows.iter().find(|(row, _)| covers(row, path));
            let row = row.or_else(|| rows.iter().find(|(row, _)| *row == "*"));
            match row {
                None => findings.push(format!("{name}.{path} would be accepted without a word")),
                Some((row, Proof::Told)) if !told.contains(path.as_str()) => {
                    findings.push(format!(
                        "{name}.{path} can be written, and {row} says that it is told"
                    ));
                }
                // A whole is enough only where every member is refused.
                Some((row, proof))
                    if row != path && !matches!(proof, Proof::Refused(..) | Proof::Told) && *row != "aws" =>
                {
                    findings.push(format!("{name}.{path} has no row of its own"));
                }
                Some(_) => {}
            }
        }
        for (row, _) in rows.iter().filter(|(row, _)| *row != "*") {
            if !all.iter().any(|path| covers(row, path)) {
                findings.push(format!("{name} has no attribute {row}"));
            }
        }
    }
    assert!(findings.is_empty(), "{findings:#?}");
}

#[test]
fn the_documentation_says_the_same_as_the_table() {
    let mut findings = Vec::new();
    for (name, rows) in TABLE.iter().filter(|(name, _)| !name.starts_with("data.")) {
        let documented: BTreeMap<&str, Standing> = standing::rows(name).unwrap().iter().copied().collect();
        let known: BTreeSet<&str> = rows.iter().map(|(row, _)| *row).collect();
        let others: Vec<&&str> = documented.keys().filter(|row| !known.contains(**row)).collect();
        if !others.is_empty() {
            findings.push(format!("{name}: documented, not proven: {others:?}"));
        }
        for (row, proof) in *rows {
            let fits = documented.get(row).is_some_and(|standing| {
                matches!(
                    (proof, standing),
                    (Proof::Told, Standing::Told)
                        | (Proof::Refused(..), Standing::Refused(_) | Standing::RefusedWhole)
                        | (Proof::Warned(_), Standing::Warned | Standing::WarnedBut(_))
                        | (Proof::Document(..), Standing::Works | Standing::WorksBut(_))
                        | (
                            Proof::Test(..),
                            Standing::Works
                                | Standing::WorksBut(_)
                                | Standing::Replaces
                                | Standing::RefusedWhole
                        )
                )
            });
            if !fits {
                findings.push(format!(
                    "{name}.{row}: {proof:?} proves not {:?}",
                    documented.get(row)
                ));
            }
        }
    }
    assert!(findings.is_empty(), "{findings:#?}");
}

#[test]
fn each_attribute_that_works_changes_what_the_nodes_get_or_has_its_test() {
    let mut findings = Vec::new();
    for (name, rows) in TABLE {
        for (row, proof) in *rows {
            match proof {
                Proof::Document(one, other) => {
                    assert_eq!(document::of(one), document::of(one));
                    if document::of(one) == document::of(other) {
                        findings.push(format!("{name}.{row}: {other} changes nothing"));
                    }
                }
                Proof::Test(file, test, word) => {
                    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
                    let text = fs::read_to_string(&path).unwrap_or_default();
                    if !text.contains(&format!("fn {test}(")) || !text.contains(word) {
                        findings.push(format!("{name}.{row}: no test {test} with {word} in {file}"));
                    }
                }
                Proof::Refused(..) | Proof::Warned(_) | Proof::Told => {}
            }
        }
    }
    assert!(findings.is_empty(), "{findings:#?}");
}

/// What is recorded or refused on one machine has a row that says what AWS makes of it, and no other row is there.
#[test]
fn the_documentation_says_what_is_otherwise_on_aws() {
    let mut findings = Vec::new();
    for (name, _) in TABLE.iter().filter(|(name, _)| !name.starts_with("data.")) {
        let here: BTreeMap<&str, Standing> = standing::rows(name).unwrap().iter().copied().collect();
        let there: BTreeMap<&str, Standing> = standing::rows_on_aws(name).iter().copied().collect();
        for (row, standing) in &here {
            let is_recorded = matches!(standing, Standing::Warned | Standing::WarnedBut(_));
            if is_recorded && !there.contains_key(row) {
                findings.push(format!(
                    "{name}.{row} is recorded here, and nothing says what AWS does"
                ));
            }
        }
        for (row, standing) in &there {
            if here.get(row).is_none_or(|here| here == standing) {
                findings.push(format!("{name}.{row} is not otherwise on AWS"));
            }
        }
    }
    assert!(findings.is_empty(), "{findings:#?}");
}

/// A resource of its own for each line that the table wants judged.
fn resource(kind: &str, label: &str, line: &str) -> String {
    let needed = match kind {
        "msk_cluster" => {
            format!("name = \"{label}\"\n  kafka_version = \"4.3.1\"\n  subnet_ids = [\"a\", \"b\", \"c\"]")
        }
        "msk_scram_secret" => format!("cluster_id = \"c\"\n  username = \"{label}\""),
        other => panic!("say what a {other} needs"),
    };
    let controllers = if line.contains("controller_instance_type") {
        "\n  dedicated_controllers = true"
    } else {
        ""
    };
    format!("resource \"{kind}\" \"{label}\" {{\n  {needed}{controllers}\n  {line}\n}}\n")
}

#[test]
fn each_refusal_names_attribute_value_rule_and_way_out_all_at_once() {
    let mut configuration = String::new();
    let mut expected = Vec::new();
    for (kind, rows) in TABLE {
        for (row, proof) in *rows {
            if let Proof::Refused(line, value) = proof {
                configuration.push_str(&resource(kind, &format!("r{}", expected.len()), line));
                expected.push((*row, *value));
            }
        }
    }
    let terraform = Terraform::new(&configuration);
    terraform.validate().must_succeed();
    let outcome = terraform.plan(&[]).outcome;
    assert!(!outcome.is_ok);
    let errors = outcome.errors();
    assert_eq!(errors.len(), expected.len(), "{errors:#?}");
    for (path, value) in expected {
        let fits = |error: &&String| {
            error.contains(&format!("`{path}`"))
                && error.contains(value)
                && (error.contains("not in this version") || error.contains("is on one machine"))
        };
        let error = errors.iter().find(fits);
        let error = error.unwrap_or_else(|| panic!("no refusal of {path} = {value} in {errors:#?}"));
        assert!(
            error.contains("Take it out") || error.contains("Use `password_wo`"),
            "{path}: no way out in {error}"
        );
    }
    assert!(!terraform.data().exists(), "a plan makes nothing");
}

#[test]
fn each_recorded_attribute_is_named_by_the_one_warning_of_its_object() {
    let mut configuration = String::new();
    let mut expected = Vec::new();
    for (kind, rows) in TABLE {
        for (row, proof) in *rows {
            if let Proof::Warned(line) = proof {
                configuration.push_str(&resource(kind, &format!("w{}", expected.len()), line));
                expected.push(*row);
            }
        }
    }
    let terraform = Terraform::new(&configuration);
    let planned = terraform.plan(&[]);
    let warnings = planned.outcome.must_succeed().warnings();
    let recorded: Vec<&String> = warnings
        .iter()
        .filter(|text| text.contains("Recorded, not enforced"))
        .collect();
    assert_eq!(recorded.len(), expected.len(), "{warnings:#?}");
    for path in expected {
        assert!(
            recorded
                .iter()
                .any(|warning| warning.contains(&format!("`{path}`"))),
            "no warning names {path}: {recorded:#?}"
        );
    }
}

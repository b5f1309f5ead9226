//! Checks a schema by the rules of Terraform and of this SDK. Each provider calls it in a test.

use super::attribute::{Attribute, Default, Kind};
use super::block::Nesting;
use super::validators::Check;
use super::{Body, Schema};
use crate::tfplugin::diagnostics::Diagnostics;
use crate::tfplugin::value::{AttributePath, Type, msgpack};

/// Names that Terraform keeps for itself in resource blocks.
const RESERVED: [&str; 7] = [
    "count",
    "for_each",
    "depends_on",
    "provider",
    "lifecycle",
    "connection",
    "provisioner",
];

/// Everything that is wrong with a schema; empty if it is right. One bad schema makes every command
/// of every user fail, so each provider has a test that asserts emptiness.
pub fn check_schema(schema: &Schema) -> Vec<String> {
    let mut found = Vec::new();
    if schema.version < 0 {
        found.push("the version is negative".to_owned());
    }
    if schema.description.is_empty() {
        found.push("the schema has no description".to_owned());
    }
    for (name, _) in schema.attributes() {
        if RESERVED.contains(&name) {
            found.push(format!("`{name}` is a name that Terraform keeps for itself"));
        }
    }
    check_body(&schema.body, &AttributePath::root(), &mut found);
    found
}

fn check_body(body: &Body, path: &AttributePath, found: &mut Vec<String>) {
    let mut names: Vec<&str> = body.attributes.iter().map(|(name, _)| name.as_str()).collect();
    names.extend(body.blocks.iter().map(|(name, _)| name.as_str()));
    check_names(&mut names, path, found);
    for (name, attribute) in &*body.attributes {
        check_attribute(attribute, &path.attribute(name), found);
    }
    for (name, block) in &*body.blocks {
        let path = path.attribute(name);
        match block.nesting {
            Nesting::Single if block.min_items != block.max_items && block.max_items != 0 => {
                found.push(format!("`{path}`: the counts of a single block must be equal"));
            }
            Nesting::Map if block.min_items != 0 || block.max_items != 0 => {
                found.push(format!("`{path}`: a map block has no counts"));
            }
            Nesting::List | Nesting::Set
                if block.max_items != 0 && block.min_items > block.max_items || block.min_items < 0 =>
            {
                found.push(format!("`{path}`: the counts are impossible"));
            }
            _ => {}
        }
        if block.nesting == Nesting::Set {
            check_inside_set(block.body.attributes.iter().map(|(_, a)| a), &path, found);
        }
        check_body(&block.body, &path, found);
    }
}

fn check_names(names: &mut [&str], path: &AttributePath, found: &mut Vec<String>) {
    for name in names.iter() {
        let fits = name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !fits || name.is_empty() {
            found.push(format!(
                "`{}`: a name is lower-case letters, digits and `_`",
                path.attribute(*name)
            ));
        }
    }
    names.sort_unstable();
    for pair in names.windows(2) {
        if let [a, b] = pair
            && a == b
        {
            found.push(format!("`{}` is there twice", path.attribute(*a)));
        }
    }
}

fn check_attribute(attribute: &Attribute, path: &AttributePath, found: &mut Vec<String>) {
    let mut wrong = |text: &str| found.push(format!("`{path}`: {text}"));
    let Attribute {
        required,
        optional,
        computed,
        write_only,
        ..
    } = *attribute;
    if !required && !optional && !computed {
        wrong("is neither required nor optional nor computed");
    }
    if required && (optional || computed) {
        wrong("is required and something else");
    }
    if attribute.description.is_empty() {
        wrong("has no description");
    }
    if write_only && computed {
        wrong("is write-only and computed");
    }
    if attribute.replace && computed && !optional {
        wrong("is computed only and replaces");
    }
    if attribute.keep_prior && !computed {
        wrong("keeps its prior value but is not computed");
    }
    if !matches!(attribute.default, Default::None) && attribute.keep_prior {
        wrong("has a default and keeps its prior value");
    }
    if matches!(attribute.default, Default::Members) && attribute.members().next().is_none() {
        wrong("has members' defaults but no members");
    }
    check_default(attribute, path, found);
    if let Kind::Nested(nesting, members) = &attribute.kind {
        let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
        check_names(&mut names, path, found);
        if *nesting == Nesting::Set {
            check_inside_set(members.iter().map(|(_, member)| member), path, found);
        }
        members
            .iter()
            .for_each(|(name, member)| check_attribute(member, &path.attribute(name), found));
    } else if holds_dynamic_set(&attribute.ty()) {
        found.push(format!("`{path}`: a set cannot hold dynamic values"));
    }
}

fn check_default(attribute: &Attribute, path: &AttributePath, found: &mut Vec<String>) {
    let Some(value) = attribute.default_value() else {
        return;
    };
    if value.is_null() {
        found.push(format!("`{path}`: the default is null"));
    }
    if let Err(error) = msgpack::encode(&value, &attribute.ty()) {
        found.push(format!("`{path}`: the default does not fit the type: {error}"));
    }
    let mut diagnostics = Diagnostics::new();
    for rule in &attribute.validators {
        rule.run(
            Check {
                value: &value,
                path,
                sensitive: attribute.sensitive,
            },
            &mut diagnostics,
        );
    }
    found.extend(
        diagnostics
            .into_iter()
            .map(|finding| format!("the default breaks a rule: {}", finding.detail)),
    );
}

fn check_inside_set<'a>(
    members: impl Iterator<Item = &'a Attribute>,
    path: &AttributePath,
    found: &mut Vec<String>,
) {
    for member in members {
        if super::conform::holds_write_only(member) {
            found.push(format!("`{path}`: a set cannot hold write-only attributes"));
        }
        if member.ty().holds_dynamic() {
            found.push(format!("`{path}`: a set cannot hold dynamic values"));
        }
    }
}

fn holds_dynamic_set(ty: &Type) -> bool {
    match ty {
        Type::Set(element) => element.holds_dynamic(),
        Type::List(inner) | Type::Map(inner) => holds_dynamic_set(inner),
        Type::Object(object) => object.attributes().values().any(holds_dynamic_set),
        Type::Tuple(types) => types.iter().any(holds_dynamic_set),
        Type::Bool | Type::Number | Type::String | Type::Dynamic => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::check_schema;
    use crate::tfplugin::value::Value;

    #[test]
    fn a_right_schema_has_no_findings() {
        let schema = Schema::new("x")
            .attribute("name", string().required().description("x"))
            .attribute(
                "encryption",
                object([(
                    "mode",
                    string().default("TLS").validate(one_of(["TLS"])).description("x"),
                )])
                .default_members()
                .description("x"),
            )
            .block("timeouts", timeouts(["create"]));
        assert_eq!(check_schema(&schema), [""; 0]);
    }

    #[test]
    fn each_mistake_is_found() {
        let schema = Schema::new("x")
            .attribute("count", number().required().description("x"))
            .attribute("Bad-Name", string().optional().description("x"))
            .attribute("unmarked", string().description("x"))
            .attribute("undescribed", string().optional())
            .attribute("wrong_type", number().default("a").description("x"))
            .attribute(
                "wrong_default",
                number().default(9).validate(range(1..=3)).description("x"),
            )
            .attribute("both", string().required().computed().description("x"))
            .attribute(
                "in_set",
                set_of_objects([("s", string().write_only().description("x"))])
                    .optional()
                    .description("x"),
            )
            .attribute("nulls", boolean().default(Value::Null).description("x"));
        let found = check_schema(&schema);
        assert_eq!(found.len(), 9, "{found:#?}");
    }
}

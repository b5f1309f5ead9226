//! The rules of planning, a few lines each.

use super::super::schema::{
    Schema, any, block_list, block_single, boolean, list_of_objects, map, map_of_objects, number, object,
    set, set_of_objects, string,
};
use super::super::value::{AttributePath, Object, Type, Value};
use super::{Proposal, propose, with_defaults};

fn unknown() -> Value {
    Value::unknown()
}

/// As Terraform would propose it, simple case: configuration, and prior values where that is null.
fn proposed(schema: &Schema, config: &Object, prior: Option<&Object>) -> Object {
    let value = |name: &str| match config.try_get(name) {
        Some(value) if !value.is_null() => value.clone(),
        _ => {
            let computed = schema
                .attributes()
                .any(|(other, attribute)| other == name && attribute.is_computed());
            let prior = prior.and_then(|prior| prior.try_get(name)).filter(|_| computed);
            prior.cloned().unwrap_or(Value::Null)
        }
    };
    schema.attributes().map(|(name, _)| (name, value(name))).collect()
}

/// Completes an object as the wire does.
fn full(schema: &Schema, object: &Object) -> Object {
    let names = schema
        .attributes()
        .map(|(name, _)| name)
        .chain(schema.blocks().map(|(name, _)| name));
    names
        .map(|name| (name, object.try_get(name).cloned().unwrap_or(Value::Null)))
        .collect()
}

fn plan(schema: &Schema, prior: Option<Object>, config: &Object) -> Proposal {
    let config = full(schema, config);
    let prior = prior.map(|prior| full(schema, &prior));
    let proposed = proposed(schema, &config, prior.as_ref());
    propose(&schema.body, prior.as_ref(), &config, &proposed)
}

fn thing() -> Schema {
    Schema::new("x")
        .attribute("name", string().required().requires_replace())
        .attribute("size", number().default(1))
        .attribute("note", string().optional())
        .attribute("zone", string().optional_computed())
        .attribute("id", string().computed().keep_prior())
        .attribute("state", string().computed())
        .attribute("secret_wo", string().write_only())
        .attribute("labels", map(Type::String).optional())
}

fn exists() -> Object {
    Object::new()
        .with("name", "a")
        .with("size", 1)
        .with("zone", "z1")
        .with("id", "i")
        .with("state", "on")
}

#[test]
fn a_create_plans_defaults_and_leaves_computed_values_unknown() {
    let planned = plan(
        &thing(),
        None,
        &Object::new().with("name", "a").with("secret_wo", "pw"),
    )
    .planned;
    let wanted = Object::new()
        .with("name", "a")
        .with("size", 1)
        .with("zone", unknown())
        .with("id", unknown())
        .with("state", unknown());
    assert_eq!(planned, full(&thing(), &wanted));
}

#[test]
fn nothing_changed_plans_the_prior_state() {
    let proposal = plan(
        &thing(),
        Some(exists()),
        &Object::new().with("name", "a").with("secret_wo", "pw"),
    );
    assert_eq!(proposal.planned, full(&thing(), &exists()));
    assert!(proposal.requires_replace.is_empty());
}

#[test]
fn any_change_makes_computed_values_unknown_but_for_kept_ones() {
    let planned = plan(
        &thing(),
        Some(exists()),
        &Object::new().with("name", "a").with("note", "n"),
    )
    .planned;
    assert_eq!(planned.get("state"), &unknown());
    assert_eq!(planned.get("id"), &"i".into());
    assert_eq!(planned.get("zone"), &"z1".into());
}

#[test]
fn a_line_taken_out_plans_the_default_and_not_the_prior_value() {
    let prior = exists().with("size", 7);
    let planned = plan(&thing(), Some(prior), &Object::new().with("name", "a")).planned;
    assert_eq!(planned.get("size"), &1.into());
    assert_eq!(planned.get("state"), &unknown());
}

#[test]
fn a_changed_attribute_that_replaces_gives_its_path() {
    let proposal = plan(&thing(), Some(exists()), &Object::new().with("name", "b"));
    assert_eq!(proposal.requires_replace, [AttributePath::of("name")]);
    let unknown_name = plan(&thing(), Some(exists()), &Object::new().with("name", unknown()));
    assert_eq!(unknown_name.requires_replace, [AttributePath::of("name")]);
}

#[test]
fn an_unknown_configured_value_stays_unknown() {
    let planned = plan(
        &thing(),
        Some(exists()),
        &Object::new().with("name", "a").with("note", unknown()),
    )
    .planned;
    assert_eq!(planned.get("note"), &unknown());
    let zone = plan(
        &thing(),
        Some(exists()),
        &Object::new().with("name", "a").with("zone", unknown()),
    )
    .planned;
    assert_eq!(zone.get("zone"), &unknown());
}

fn nested() -> Schema {
    Schema::new("x")
        .attribute(
            "mode",
            object([
                ("kind", string().default("TLS")),
                ("strict", boolean().default(true)),
                ("seen", string().computed()),
                ("kept", string().computed().keep_prior()),
            ])
            .default_members(),
        )
        .attribute(
            "login",
            object([
                ("scram", boolean().default(false)),
                ("iam", boolean().default(false)),
            ])
            .default(Object::new().with("scram", true)),
        )
}

#[test]
fn an_object_left_out_plans_all_members_defaults() {
    let planned = plan(&nested(), None, &Object::new()).planned;
    let mode = planned.object("mode").known().unwrap();
    assert_eq!(mode.get("kind"), &"TLS".into());
    assert_eq!(mode.get("seen"), &unknown());
    let login = Object::new().with("scram", true).with("iam", false);
    assert_eq!(planned.get("login"), &login.into());
}

#[test]
fn an_object_that_is_there_has_only_its_members_defaults() {
    let config = Object::new().with(
        "login",
        Object::new().with("scram", Value::Null).with("iam", true),
    );
    let planned = plan(&nested(), None, &config).planned;
    let login = Object::new().with("scram", false).with("iam", true);
    assert_eq!(planned.get("login"), &login.into());
}

#[test]
fn a_whole_object_taken_out_plans_its_default() {
    let mode = Object::new()
        .with("kind", "PLAIN")
        .with("strict", true)
        .with("seen", "s")
        .with("kept", "k");
    let login = Object::new().with("scram", false).with("iam", true);
    let prior = Object::new().with("mode", mode).with("login", login);
    let planned = plan(&nested(), Some(prior), &Object::new()).planned;
    let mode = planned.object("mode").known().unwrap();
    assert_eq!(mode.get("kind"), &"TLS".into());
    assert_eq!(mode.get("seen"), &unknown());
    assert_eq!(mode.get("kept"), &"k".into());
    let login = Object::new().with("scram", true).with("iam", false);
    assert_eq!(planned.get("login"), &login.into());
}

fn letters() -> Schema {
    let same = |a: &Value, b: &Value| match (a.as_str().known(), b.as_str().known()) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
        _ => false,
    };
    Schema::new("x")
        .attribute("text", string().optional().requires_replace().equal_by(same))
        .attribute(
            "list",
            list_of_objects([("text", string().optional().equal_by(same))]).optional(),
        )
        .attribute("state", string().computed())
}

#[test]
fn another_spelling_of_the_same_is_no_change() {
    let inner = |text: &str| Value::list([Object::new().with("text", text)]);
    let prior = Object::new()
        .with("text", "ABC")
        .with("list", inner("X"))
        .with("state", "on");
    let config = Object::new().with("text", "abc").with("list", inner("x"));
    let proposal = plan(&letters(), Some(prior.clone()), &config);
    assert_eq!(proposal.planned, prior);
    assert!(proposal.requires_replace.is_empty());
    let other = plan(
        &letters(),
        Some(prior),
        &Object::new().with("text", "abd").with("list", inner("x")),
    );
    assert_eq!(other.planned.get("list"), &inner("X"));
    assert_eq!(other.requires_replace, [AttributePath::of("text")]);
}

fn collections() -> Schema {
    let members = || {
        [
            ("key", string().required()),
            ("count", number().default(2)),
            ("serial", string().computed().keep_prior()),
            ("place", string().optional().requires_replace()),
        ]
    };
    Schema::new("x")
        .attribute("list", list_of_objects(members()).optional())
        .attribute("map", map_of_objects(members()).optional())
        .attribute("set", set_of_objects(members()).optional())
}

fn element(key: &str, count: impl Into<Value>, serial: impl Into<Value>, place: Option<&str>) -> Object {
    Object::new()
        .with("key", key)
        .with("count", count)
        .with("serial", serial)
        .with("place", place)
}

fn wanted(key: &str) -> Object {
    element(key, Value::Null, Value::Null, None)
}

#[test]
fn elements_keep_their_computed_values_by_place_key_or_content() {
    let prior = Object::new()
        .with("list", Value::list([element("a", 2, "s1", None)]))
        .with("map", Value::map([("k", element("a", 2, "s2", None))]))
        .with(
            "set",
            Value::set([element("a", 2, "s3", None), element("b", 2, "s4", None)]),
        );
    let config = Object::new()
        .with("list", Value::list([wanted("a"), wanted("new")]))
        .with("map", Value::map([("k", wanted("a")), ("new", wanted("n"))]))
        .with("set", Value::set([wanted("b"), wanted("new")]));
    let planned = plan(&collections(), Some(prior), &config).planned;
    let list = Value::list([element("a", 2, "s1", None), element("new", 2, unknown(), None)]);
    assert_eq!(planned.get("list"), &list);
    let map = Value::map([
        ("k", element("a", 2, "s2", None)),
        ("new", element("n", 2, unknown(), None)),
    ]);
    assert_eq!(planned.get("map"), &map);
    let set = Value::set([element("b", 2, "s4", None), element("new", 2, unknown(), None)]);
    assert_eq!(planned.get("set"), &set);
}

#[test]
fn replace_paths_go_into_lists_and_maps_and_stop_at_sets() {
    let with = |place: &str| {
        Object::new()
            .with("list", Value::list([element("a", 2, "s1", Some(place))]))
            .with("map", Value::map([("k", element("a", 2, "s2", Some(place)))]))
            .with("set", Value::set([element("a", 2, "s3", Some(place))]))
    };
    let proposal = plan(&collections(), Some(with("here")), &with("there"));
    let path = AttributePath::of;
    let wanted = [
        path("list").index(0).attribute("place"),
        path("map").key("k").attribute("place"),
        path("set"),
    ];
    assert_eq!(proposal.requires_replace, wanted);
}

#[test]
fn blocks_follow_the_configuration_and_unknown_ones_stay_unknown() {
    let schema = Schema::new("x")
        .block("timeouts", block_single([("create", string().optional())]))
        .block(
            "rule",
            block_list([("port", number().required()), ("id", string().computed())]),
        );
    let rule = Object::new().with("port", 1).with("id", Value::Null);
    let config = Object::new()
        .with("timeouts", Value::Null)
        .with("rule", Value::list([rule]));
    let planned = plan(&schema, None, &config).planned;
    assert!(planned.get("timeouts").is_null());
    let rule = Object::new().with("port", 1).with("id", unknown());
    assert_eq!(planned.get("rule"), &Value::list([rule]));
    let config = Object::new()
        .with("timeouts", Value::Null)
        .with("rule", unknown());
    assert_eq!(plan(&schema, None, &config).planned.get("rule"), &unknown());
}

#[test]
fn sets_and_dynamic_values_are_compared_by_meaning() {
    let schema = Schema::new("x")
        .attribute("tags", set(Type::String).optional())
        .attribute("any", any().optional())
        .attribute("state", string().computed());
    let prior = Object::new()
        .with("tags", Value::Set(vec!["b".into(), "a".into()]))
        .with("state", "on");
    let config = Object::new().with("tags", Value::set(["a", "b"]));
    assert_eq!(
        plan(&schema, Some(prior), &config).planned.get("state"),
        &"on".into()
    );
}

#[test]
fn write_only_values_are_in_no_plan_at_any_depth() {
    let schema = Schema::new("x").attribute(
        "login",
        object([
            ("user", string().required()),
            ("password_wo", string().write_only()),
        ])
        .optional(),
    );
    let login = Object::new().with("user", "u").with("password_wo", "hunter2");
    let planned = plan(&schema, None, &Object::new().with("login", login)).planned;
    assert!(
        planned
            .object("login")
            .known()
            .unwrap()
            .get("password_wo")
            .is_null()
    );
}

#[test]
fn a_data_source_reads_with_its_defaults() {
    let schema = thing();
    let config = full(&schema, &Object::new().with("name", "a"));
    let filled = with_defaults(&schema.body, &config);
    assert_eq!(filled.get("size"), &1.into());
    assert!(filled.get("state").is_null());
}

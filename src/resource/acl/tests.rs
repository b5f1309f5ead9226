use super::Acl;
use crate::kafka::acl::AclOperation;
use crate::resource::access::Entity as _;
use crate::resource::access::stand_in::{
    CLUSTER, World, config, create, destroy, made, plan, read, seen, titles, update,
};
use crate::tfplugin::{ImportRequest, Object, Resource, Value};

const ID: &str = "events|User:a%7Cb|*|TOPIC|LITERAL|orders|ALLOW";

fn acl(operations: &[&str]) -> Object {
    config::<Acl>(&[
        ("cluster_id", CLUSTER.into()),
        ("principal", "User:a|b".into()),
        ("resource_type", "TOPIC".into()),
        ("resource_name", "orders".into()),
        ("operations", Value::set(operations.iter().copied())),
    ])
}

#[tokio::test]
async fn an_acl_has_the_last_word_on_its_operations() {
    let world = World::new().await;
    let written = acl(&["READ", "DESCRIBE"]);
    let held = made(create(&Acl, &world, &written).await);
    assert_eq!(held.state.str("id").known(), Some(ID));
    world
        .outside(|kafka| {
            let seen = kafka.acls.acls.values_mut().next().unwrap();
            seen.operations = [AclOperation::Read, AclOperation::Write].into();
        })
        .await;
    let drifted = seen(read(&Acl, &world, &held).await);
    assert_eq!(drifted.state.get("operations"), &Value::set(["READ", "WRITE"]));
    let mended = made(update(&Acl, &world, &written, &drifted).await);
    let is: Vec<_> = world
        .kafka
        .lock()
        .unwrap()
        .acls
        .acls
        .values()
        .map(|acl| acl.operations.clone())
        .collect();
    assert_eq!(is, [[AclOperation::Read, AclOperation::Describe].into()]);
    let same = seen(read(&Acl, &world, &mended).await);
    assert_eq!(same.state, mended.state);
    assert!(destroy(&Acl, &world, &same).await.diagnostics.is_empty());
    assert!(world.kafka.lock().unwrap().acls.acls.is_empty());
}

#[tokio::test]
async fn each_part_of_the_key_makes_another_acl() {
    let world = World::new().await;
    made(create(&Acl, &world, &acl(&["READ"])).await);
    let others = [
        ("host", "10.0.0.1"),
        ("resource_type", "GROUP"),
        ("resource_name", "payments"),
        ("pattern_type", "PREFIXED"),
        ("permission", "DENY"),
        ("principal", "User:other"),
    ];
    for (attribute, value) in others {
        let mut other = acl(&["READ"]);
        other.set(attribute, value);
        let held = made(create(&Acl, &world, &other).await);
        assert_eq!(held.state.str(attribute).known(), Some(value));
        let (_, key) =
            crate::resource::access::names::parse_acl(held.state.str("id").known().unwrap()).unwrap();
        let made = world.kafka.lock().unwrap().acls.acls[&key.id()].key.clone();
        assert_eq!(Acl::attributes(&made).str(attribute).known(), Some(value));
    }
    assert_eq!(world.kafka.lock().unwrap().acls.acls.len(), 1 + others.len());
    for (name, attribute) in Acl::form().attributes() {
        let is_key = !["operations", "id"].contains(&name);
        assert_eq!(attribute.replace, is_key, "{name}");
    }
}

#[tokio::test]
async fn an_acl_made_elsewhere_is_imported_and_then_kept() {
    let world = World::new().await;
    world
        .outside(|kafka| {
            let (_, key) = crate::resource::access::names::parse_acl(ID).unwrap();
            let operations = [AclOperation::Read].into();
            kafka
                .acls
                .acls
                .insert(key.id(), crate::store::documents::AclObserved { key, operations });
        })
        .await;
    let request = ImportRequest {
        id: ID.to_owned(),
        identity: None,
    };
    let imported = Acl.import(&world.process(), request).await;
    assert!(imported.diagnostics.is_empty(), "{:?}", imported.diagnostics);
    let held = crate::resource::access::stand_in::Held {
        state: imported.state.unwrap(),
        private: imported.private,
    };
    let held = seen(read(&Acl, &world, &held).await);
    let empty = plan(&Acl, &world.process(), Some(&acl(&["READ"])), Some(&held)).await;
    assert!(
        !empty.changes(Some(&held.state)),
        "{:?} {:?}",
        empty.planned,
        held.state
    );
    let held = made(update(&Acl, &world, &acl(&["WRITE"]), &held).await);
    let is = world
        .kafka
        .lock()
        .unwrap()
        .acls
        .acls
        .values()
        .next()
        .unwrap()
        .operations
        .clone();
    assert_eq!(is, [AclOperation::Write].into());
    assert!(destroy(&Acl, &world, &held).await.diagnostics.is_empty());
    assert!(world.kafka.lock().unwrap().acls.acls.is_empty());
}

#[tokio::test]
async fn a_re_keyed_for_each_is_told_to_use_a_moved_block() {
    let world = World::new().await;
    let held = made(create(&Acl, &world, &acl(&["READ"])).await);
    let context = world.process();
    plan(&Acl, &context, None, Some(&held)).await;
    let moved = plan(&Acl, &context, Some(&acl(&["READ"])), None).await;
    assert_eq!(
        titles(&moved.diagnostics),
        ["The same object under a new address"]
    );
}

#[tokio::test]
async fn a_wrong_id_is_refused_with_the_form_that_is_expected() {
    let world = World::new().await;
    let request = ImportRequest {
        id: "events/orders".to_owned(),
        identity: None,
    };
    let refused = Acl.import(&world.process(), request).await;
    let finding = refused.diagnostics.iter().next().unwrap();
    assert!(finding.detail.contains("cluster|principal|host"), "{finding:?}");
}

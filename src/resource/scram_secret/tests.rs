use std::os::unix::fs::PermissionsExt as _;

use super::ScramSecret;
use crate::resource::access::stand_in::{
    CLUSTER, Held, World, config, create, destroy, made, plan, read, seen, titles, update,
};
use crate::tfplugin::{ImportRequest, Object, Resource, Value};

fn user(more: &[(&str, Value)]) -> Object {
    let mut written = vec![("cluster_id", CLUSTER.into()), ("username", "app".into())];
    written.extend_from_slice(more);
    config::<ScramSecret>(&written)
}

fn password_of(held: &Held) -> String {
    let file = held.state.string("secret_file").known().unwrap();
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(json["username"], "app");
    json["password"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_written_password_is_in_its_file_and_nowhere_else() {
    let world = World::new().await;
    let written = |password: &str, version: i64| {
        user(&[
            ("password_wo", password.into()),
            ("password_wo_version", version.into()),
        ])
    };
    let held = made(create(&ScramSecret, &world, &written("hunter-one", 1)).await);
    assert_eq!(password_of(&held), "hunter-one");
    let everything = format!(
        "{:?} {}",
        held.state,
        String::from_utf8(held.private.clone().into_bytes()).unwrap()
    );
    assert!(!everything.contains("hunter"), "{everything}");
    // The value is never compared: only the version counts.
    let same = plan(
        &ScramSecret,
        &world.process(),
        Some(&written("hunter-two", 1)),
        Some(&held),
    )
    .await;
    assert!(!same.changes(Some(&held.state)));
    let held = made(update(&ScramSecret, &world, &written("hunter-two", 2), &held).await);
    assert_eq!(password_of(&held), "hunter-two");
    let file = held.state.string("secret_file").known().unwrap();
    assert!(destroy(&ScramSecret, &world, &held).await.diagnostics.is_empty());
    assert!(!std::path::Path::new(&file).exists());
    assert!(world.kafka.lock().unwrap().users.users.is_empty());
}

#[tokio::test]
async fn a_random_password_is_made_anew_with_its_version_only() {
    let world = World::new().await;
    let held = made(create(&ScramSecret, &world, &user(&[])).await);
    let first = password_of(&held);
    assert_eq!(first.len(), 32);
    let held = made(update(&ScramSecret, &world, &user(&[("iterations", 4096.into())]), &held).await);
    assert_eq!(password_of(&held), first);
    let versioned = user(&[("iterations", 4096.into()), ("password_wo_version", 1.into())]);
    let held = made(update(&ScramSecret, &world, &versioned, &held).await);
    assert_ne!(password_of(&held), first);
    let other = user(&[
        ("iterations", 4096.into()),
        ("password_wo_version", 1.into()),
        ("password_wo", "mine".into()),
    ]);
    let shown = plan(&ScramSecret, &world.process(), Some(&other), Some(&held)).await;
    assert_eq!(
        shown.planned.as_ref().unwrap().str("password_source").known(),
        Some("WRITTEN")
    );
    let held = made(update(&ScramSecret, &world, &other, &held).await);
    assert_eq!(password_of(&held), "mine");
}

#[tokio::test]
async fn a_second_create_leaves_the_password_of_the_first_as_it_is() {
    let world = World::new().await;
    let first = user(&[("password_wo", "first".into()), ("password_wo_version", 1.into())]);
    let held = made(create(&ScramSecret, &world, &first).await);
    let held = made(
        update(
            &ScramSecret,
            &world,
            &user(&[("password_wo", "first".into()), ("password_wo_version", 2.into())]),
            &held,
        )
        .await,
    );
    let second = create(&ScramSecret, &world, &user(&[])).await;
    assert_eq!(titles(&second.diagnostics), ["It exists already"]);
    assert_eq!(password_of(&held), "first");
}

#[tokio::test]
async fn import_takes_our_users_with_an_empty_plan_and_refuses_others() {
    let world = World::new().await;
    let written = user(&[
        ("password_wo", "secret".into()),
        ("password_wo_version", 3.into()),
    ]);
    made(create(&ScramSecret, &world, &written).await);
    let import = async |id: &str| {
        let request = ImportRequest {
            id: id.to_owned(),
            identity: None,
        };
        ScramSecret.import(&world.process(), request).await
    };
    let imported = import("events/app").await;
    let held = Held {
        state: imported.state.unwrap(),
        private: imported.private,
    };
    let held = seen(read(&ScramSecret, &world, &held).await);
    let empty = plan(&ScramSecret, &world.process(), Some(&written), Some(&held)).await;
    let (planned, state) = (empty.planned.unwrap(), held.state);
    for (name, value) in planned.iter().filter(|(_, value)| !value.is_null()) {
        assert_eq!(state.get(name), value, "{name}");
    }
    world
        .outside(|kafka| {
            let seen = kafka.users.users["app"].clone();
            kafka.users.users.insert("other".to_owned(), seen);
        })
        .await;
    assert_eq!(
        titles(&import("events/other").await.diagnostics),
        ["It was made elsewhere"]
    );
}

#[tokio::test]
async fn iterations_set_outside_and_a_user_that_is_gone_are_drift() {
    let world = World::new().await;
    let held = made(create(&ScramSecret, &world, &user(&[])).await);
    world
        .outside(|kafka| {
            let mechanisms = &mut kafka.users.users.get_mut("app").unwrap().mechanisms;
            mechanisms.insert("SCRAM-SHA-512".to_owned(), 4096);
        })
        .await;
    let drifted = seen(read(&ScramSecret, &world, &held).await);
    assert_eq!(drifted.state.integer("iterations").known(), Some(4096));
    world.outside(|kafka| kafka.users.users.clear()).await;
    assert!(read(&ScramSecret, &world, &held).await.state.is_none());
}

//! Tests of failures on demand.

use camino::Utf8PathBuf;

use super::{Action, Faults, Moment};
use crate::store::{Durability, Error, Home, Key, Store};

const VOLATILE: Durability = Durability::Volatile;

#[tokio::test]
async fn a_failure_strikes_at_its_effect_and_at_its_moment() {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
    let plain = Store::open_or_create(&Home::Directory(root)).await.unwrap();
    let key = |text: &str| Key::parse(text).unwrap();
    let faults = Faults::new()
        .at(2, Moment::Before, Action::Fail)
        .at(3, Moment::After, Action::Fail)
        .at(5, Moment::Before, Action::Crash);
    let store = faults.around(&plain);
    let put = async |name: &str| store.put(&key(name), "x", VOLATILE).await;

    put("one").await.unwrap();
    let failure = put("two").await.unwrap_err();
    assert!(matches!(
        failure,
        Error::Injected {
            effect: 2,
            moment: "before"
        }
    ));
    assert_eq!(store.get(&key("two")).await.unwrap(), None, "it did not happen");
    assert!(matches!(
        put("three").await,
        Err(Error::Injected {
            effect: 3,
            moment: "after"
        })
    ));
    assert!(
        store.get(&key("three")).await.unwrap().is_some(),
        "it happened all the same"
    );
    store.delete(&key("one")).await.unwrap();
    assert!(put("five").await.is_err());
    assert!(
        store.get(&key("three")).await.is_err(),
        "after a crash nothing works"
    );
    assert!(put("six").await.is_err());
    assert!(plain.get(&key("five")).await.unwrap().is_none());
    assert!(
        plain.get(&key("three")).await.unwrap().is_some(),
        "for others it does"
    );
    assert_eq!(
        faults.effects(),
        ["put one", "put two", "put three", "delete one", "put five"]
    );
    assert_eq!(faults.count(), 5);
}

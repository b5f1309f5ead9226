use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::pki::Role;
use crate::spec::ids::ClusterName;
use crate::store::{Home, Prefix};

fn temporary() -> (tempfile::TempDir, Utf8PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(directory.path().to_owned()).unwrap();
    (directory, path)
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

const ENTRIES: [Entry; 5] = [
    Entry::Authority(Role::Internal),
    Entry::Authority(Role::Server),
    Entry::NodePassword(NodeId(1)),
    Entry::NodePassword(NodeId(12)),
    Entry::FingerprintKey,
];

/// Both homes, each empty.
async fn vaults(root: &Utf8Path) -> [Vault; 2] {
    let store = Store::open_or_create(&Home::Directory(root.join("store")))
        .await
        .unwrap();
    let uid = ClusterUid::new("0123456789abcdef0123456789abcdef");
    [
        Vault::directory(root.join("private")),
        Vault::of_store(&store, &uid),
    ]
}

#[tokio::test]
async fn both_homes_give_back_what_was_written_once() {
    let (_keep, root) = temporary();
    for vault in vaults(&root).await {
        for entry in ENTRIES {
            assert!(vault.read(entry).await.unwrap().is_none());
            let text = format!("{entry:?}");
            assert!(vault.create(entry, &secret(&text)).await.unwrap());
            assert!(!vault.create(entry, &secret("second")).await.unwrap());
            assert_eq!(vault.read(entry).await.unwrap().unwrap().expose(), &text);
        }
        vault.replace(ENTRIES[0], &secret("new")).await.unwrap();
        assert_eq!(vault.read(ENTRIES[0]).await.unwrap().unwrap().expose(), "new");
        for _ in 0..2 {
            vault.remove(ENTRIES[0]).await.unwrap();
        }
        assert!(vault.read(ENTRIES[0]).await.unwrap().is_none());
        assert!(vault.read(ENTRIES[1]).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn many_who_make_one_thing_at_once_have_the_same() {
    let (_keep, root) = temporary();
    for vault in vaults(&root).await {
        let mut makers = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let vault = vault.clone();
            makers.spawn(async move {
                let password = vault.ensure_node_password(NodeId(1)).await.unwrap();
                let key = vault.ensure_fingerprint_key().await.unwrap();
                let name = ClusterName::new("events");
                let authority = vault.ensure_authority(Role::Server, &name).await.unwrap();
                [password.expose(), key.expose(), authority.to_pem().expose()].map(String::clone)
            });
        }
        let made: std::collections::BTreeSet<_> = makers.join_all().await.into_iter().collect();
        assert_eq!(made.len(), 1);
        let [password, ..] = made.into_iter().next().unwrap();
        assert!(super::password(&Secret::new(password)).unwrap().expose().len() >= 43);
    }
    let left = std::fs::read_dir(root.join("private")).unwrap();
    let names: Vec<_> = left.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
}

#[tokio::test]
async fn a_directory_holds_private_files_with_the_names_of_old() {
    let (_keep, root) = temporary();
    let [vault, _] = vaults(&root).await;
    for (entry, name) in [
        (ENTRIES[0], "internal-ca.key.pem"),
        (ENTRIES[1], "server-ca.key.pem"),
        (ENTRIES[3], "node-12.password"),
        (ENTRIES[4], "fingerprint.key"),
    ] {
        vault.create(entry, &secret("x")).await.unwrap();
        let mode = |path: &Utf8Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&root.join("private").join(name)), 0o600);
        assert_eq!(mode(&root.join("private")), 0o700);
    }
}

#[tokio::test]
async fn what_one_broker_may_read_lies_in_a_folder_of_its_own() {
    let (_keep, root) = temporary();
    let [_, vault] = vaults(&root).await;
    for entry in ENTRIES {
        vault.create(entry, &secret("x")).await.unwrap();
    }
    let store = Store::open_or_create(&Home::Directory(root.join("store")))
        .await
        .unwrap();
    let uid = "0123456789abcdef0123456789abcdef";
    let folder = Prefix::parse(format!("{uid}/private/")).unwrap();
    let keys = store.list_all(&folder, 10).await.unwrap();
    let names: Vec<_> = keys
        .iter()
        .filter_map(|key| key.as_str().strip_prefix(folder.as_str()))
        .collect();
    assert_eq!(
        names,
        [
            "fingerprint.key",
            "internal-ca.key.pem",
            "nodes/1/password",
            "nodes/12/password",
            "server-ca.key.pem"
        ]
    );
}

#[tokio::test]
async fn an_object_that_is_too_long_or_no_text_is_damaged_and_not_shown() {
    let (_keep, root) = temporary();
    let [_, vault] = vaults(&root).await;
    vault
        .create(ENTRIES[0], &secret(&"hunter2".repeat(10_000)))
        .await
        .unwrap();
    let error = vault.read(ENTRIES[0]).await.unwrap_err();
    assert!(matches!(error, VaultError::Damaged { .. }));
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    assert_eq!(
        text(Bytes::from_static(b"\xff\xfe")).unwrap_err(),
        "it is not text"
    );
}

#[tokio::test]
async fn a_node_without_a_vault_is_told_so() {
    let vault = Vault::none();
    for entry in ENTRIES {
        assert!(vault.read(entry).await.unwrap_err().is_closed());
        assert!(vault.create(entry, &secret("x")).await.unwrap_err().is_closed());
    }
}

use std::os::unix::fs::PermissionsExt as _;

use camino::Utf8PathBuf;

use super::{PlacedSecret, StagedSecret, fingerprint, random_password, read, remove, secret_file, stage};
use crate::secret::Secret;
use crate::store::documents::SecretReference;

fn path_of(staged: &StagedSecret) -> Utf8PathBuf {
    match staged.reference() {
        SecretReference::File(path) => path.into(),
        SecretReference::SecretsManager(arn) => panic!("{arn}"),
    }
}

fn temporary() -> (tempfile::TempDir, Utf8PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(directory.path().to_owned()).unwrap();
    (directory, path)
}

#[tokio::test]
async fn a_secret_is_private_reads_back_and_its_fingerprint_follows_the_password() {
    let (_keep, root) = temporary();
    let private = root.join("private");
    let password = random_password().unwrap();
    assert_eq!(password.expose().len(), 32);
    let staged = stage(&private, "app", &password, true).await.unwrap();
    let (path, print) = (path_of(&staged), staged.fingerprint().to_owned());
    assert!(read(&path).unwrap().is_none());
    assert!(matches!(staged.place().await.unwrap(), Some(PlacedSecret::File(placed)) if placed == path));
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(read(&path).unwrap().unwrap().expose(), password.expose());
    assert_eq!(fingerprint(&private, "app", &password).await.unwrap(), print);
    let other = Secret::new("other".to_owned());
    assert_ne!(fingerprint(&private, "app", &other).await.unwrap(), print);
    assert!(!print.contains(password.expose()));
}

#[tokio::test]
async fn a_secret_that_was_not_placed_leaves_the_one_that_is_there_and_no_file() {
    let (_keep, root) = temporary();
    let private = root.join("private");
    let [first, second] = ["first", "second"].map(|text| Secret::new(text.to_owned()));
    let winner = stage(&private, "app", &first, true).await.unwrap();
    let loser = stage(&private, "app", &second, true).await.unwrap();
    let path = path_of(&winner);
    winner.place().await.unwrap();
    drop(loser);
    assert_eq!(read(&path).unwrap().unwrap().expose(), "first");
    // What a killed run has left goes with the user.
    std::mem::forget(stage(&private, "app", &second, false).await.unwrap());
    let files = || std::fs::read_dir(private.join("secrets")).unwrap().count();
    assert_eq!(files(), 2);
    remove(&path).await.unwrap();
    assert_eq!(files(), 0);
}

#[test]
fn no_user_name_leaves_the_folder_or_meets_another() {
    let root = Utf8PathBuf::from("/p");
    let names = [
        "app",
        "../app",
        "a/b",
        "a%2Fb",
        "ä",
        ".",
        &"x".repeat(128),
        &"ü".repeat(128),
    ];
    let files: std::collections::BTreeSet<_> = names.iter().map(|name| secret_file(&root, name)).collect();
    assert_eq!(files.len(), names.len());
    for file in files {
        assert_eq!(file.parent().unwrap(), "/p/secrets");
        assert!(file.file_name().unwrap().len() < 255);
    }
}

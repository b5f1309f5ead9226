//! The image that nodes start from: found, copied once, removed with its snapshot.

use std::sync::Mutex;

use msk::engine::ec2::{Ec2Error, image};

use super::{Account, eventually, no_tags};

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_found_copied_once_and_leaves_nothing() {
    let account = Account::new().await;
    let (ec2, names) = (account.connection.ec2(), &account.names);
    let region = account.connection.region();
    for architecture in ["x86_64", "arm64"] {
        let found = image::find(&ec2, None, architecture).await.unwrap();
        assert_eq!(found.architecture, architecture);
        assert!(found.name.starts_with("al2023-ami-2023."), "{}", found.name);
        assert!(found.root_size > 0 && found.root_device.starts_with("/dev/"));
    }
    let source = image::find(&ec2, None, "x86_64").await.unwrap();
    assert_eq!(
        image::find(&ec2, Some(&source.id), "x86_64").await.unwrap(),
        source
    );

    let said = Mutex::new(Vec::new());
    let say = |text: String| said.lock().unwrap().push(text);
    let copy = image::copy(&ec2, names, region, &source, 0, &no_tags(), &say).await;
    let copy = copy.unwrap();
    let again = image::copy(&ec2, names, region, &source, 0, &no_tags(), &say).await;
    assert_eq!(again.unwrap().id, copy.id, "one token, two images");
    assert_eq!(copy.name, image::copy_name(names, &source.id));
    assert_eq!(copy.state, "available");
    assert!(names.is_ours(&copy.tags, None) && copy.tags["team"] == "data");
    assert!(said.lock().unwrap().iter().any(|text| text.contains("waits")));
    assert_eq!(
        (&copy.architecture, &copy.root_device),
        (&source.architecture, &source.root_device)
    );
    eventually("the copy is found by its tag", async || {
        let all = image::all(&ec2, names).await.unwrap();
        all.len() == 1 && all[0].id == copy.id
    })
    .await;

    for _ in 0..2 {
        image::remove(&ec2, names, &copy.id).await.unwrap();
    }
    assert_eq!(image::look(&ec2, &copy.id).await.unwrap(), None);
    account.stand.must_be_content();
    assert_eq!(account.stand.left(), serde_json::json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_does_not_fit_is_refused_and_one_of_others_is_not_removed() {
    let account = Account::new().await;
    let (ec2, names) = (account.connection.ec2(), &account.names);
    let source = image::find(&ec2, None, "x86_64").await.unwrap();
    let cases = [
        (Some(source.id.as_str()), "arm64", "is for x86_64"),
        (Some("ami-00000000000000000"), "x86_64", "is not there"),
        (None, "i386", "set `ami_id`"),
    ];
    for (id, architecture, words) in cases {
        let text = image::find(&ec2, id, architecture).await.unwrap_err().to_string();
        assert!(text.contains(words), "{text}");
    }
    let error = image::remove(&ec2, names, &source.id).await.unwrap_err();
    assert!(matches!(error, Ec2Error::NotOurs { .. }), "{error}");
    account.stand.must_be_content();
}

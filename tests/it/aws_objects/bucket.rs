//! The control bucket: made, put right again, and removed; or the user's, looked at and never changed.

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketLocationConstraint, BucketVersioningStatus,
    CreateBucketConfiguration, ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
    VersioningConfiguration,
};
use msk::engine::ec2::bucket::{BucketError, ControlBucket, Ensured, Removed};

use super::Account;

const NAME: &str = "events-control";

struct Place<'a> {
    client: Client,
    account: String,
    region: &'a str,
    tags: BTreeMap<String, String>,
    key: &'a str,
}

impl<'a> Place<'a> {
    async fn of(account: &'a Account) -> Self {
        let identity = account.connection.identity().await.unwrap().unwrap();
        Self {
            client: account.connection.s3(),
            account: identity.account.clone(),
            region: account.connection.region(),
            tags: BTreeMap::from([("team".to_owned(), "data".to_owned())]),
            key: account.stand.variable("TF_VAR_kms_key_id"),
        }
    }

    fn bucket<'b>(&'b self, name: &'b str) -> ControlBucket<'b> {
        ControlBucket {
            client: &self.client,
            name,
            region: self.region,
            partition: "aws",
            account: Some(&self.account),
            prefix: "msk/",
            kms_key: Some(self.key),
            creates: true,
            is_plain: false,
            tags: &self.tags,
        }
    }

    async fn make(&self, name: &str) {
        let place = CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::from(self.region))
            .build();
        let made = self.client.create_bucket().bucket(name);
        made.create_bucket_configuration(place).send().await.unwrap();
    }

    async fn version(&self, name: &str, status: BucketVersioningStatus) {
        let wanted = VersioningConfiguration::builder().status(status).build();
        let put = self.client.put_bucket_versioning().bucket(name);
        put.versioning_configuration(wanted).send().await.unwrap();
    }

    async fn write(&self, name: &str, key: &str) {
        let put = self.client.put_object().bucket(name).key(key);
        put.body(aws_sdk_s3::primitives::ByteStream::from_static(b"{}"))
            .send()
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_bucket_is_made_once_put_right_and_leaves_nothing() {
    let account = Account::new().await;
    let place = Place::of(&account).await;
    let bucket = place.bucket(NAME);
    assert_eq!(bucket.look().await.unwrap(), None);
    assert_eq!(bucket.ensure().await.unwrap(), Ensured::Created);
    assert_eq!(bucket.ensure().await.unwrap(), Ensured::AlreadyRight);
    assert_eq!(bucket.look().await.unwrap(), Some(Vec::new()));

    let tags = place
        .client
        .get_bucket_tagging()
        .bucket(NAME)
        .send()
        .await
        .unwrap();
    assert!(tags.tag_set().iter().any(|tag| tag.key() == "team"));
    let rules = place.client.get_bucket_lifecycle_configuration().bucket(NAME);
    let rules = rules.send().await.unwrap().rules.unwrap();
    assert_eq!(rules.len(), 2);
    let ends = |index: usize| rules[index].noncurrent_version_expiration().unwrap();
    assert_eq!(
        (ends(0).noncurrent_days(), ends(0).newer_noncurrent_versions()),
        (Some(90), None)
    );
    assert_eq!(
        (ends(1).noncurrent_days(), ends(1).newer_noncurrent_versions()),
        (Some(7), Some(100))
    );

    // Changed by hand, and put right.
    place.version(NAME, BucketVersioningStatus::Suspended).await;
    place
        .client
        .delete_bucket_policy()
        .bucket(NAME)
        .send()
        .await
        .unwrap();
    place
        .client
        .delete_public_access_block()
        .bucket(NAME)
        .send()
        .await
        .unwrap();
    let changed = bucket.ensure().await.unwrap();
    assert_eq!(
        changed,
        Ensured::Changed(vec!["public access", "versioning", "bucket policy"])
    );

    // The record of a cluster keeps it; what is left of one that is gone does not.
    for key in [
        "msk/store.json",
        "msk/clusters/events.json",
        "msk/gone/0.json",
        "msk/artifacts/0/x",
    ] {
        place.write(NAME, key).await;
    }
    let removed = bucket.remove().await.unwrap();
    assert_eq!(removed, Removed::InUse("msk/clusters/events.json".to_owned()));
    let record = place
        .client
        .delete_object()
        .bucket(NAME)
        .key("msk/clusters/events.json");
    record.send().await.unwrap();
    place.write(NAME, "reports/1.csv").await;
    let removed = bucket.remove().await.unwrap();
    assert_eq!(removed, Removed::InUse("reports/1.csv".to_owned()));
    let versions = place
        .client
        .list_object_versions()
        .bucket(NAME)
        .prefix("reports/");
    for version in versions.send().await.unwrap().versions() {
        let delete = place.client.delete_object().bucket(NAME).key("reports/1.csv");
        let delete = delete.set_version_id(version.version_id.clone());
        delete.send().await.unwrap();
    }
    assert_eq!(bucket.remove().await.unwrap(), Removed::Gone);
    assert_eq!(bucket.remove().await.unwrap(), Removed::Gone);
    account.stand.must_be_content();
    assert_eq!(account.stand.left(), serde_json::json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_that_was_cut_off_goes_on_and_a_bucket_in_use_is_not_taken_over() {
    let account = Account::new().await;
    let place = Place::of(&account).await;
    place.make("cut-off").await;
    assert_eq!(place.bucket("cut-off").look().await.unwrap(), None);
    assert_eq!(place.bucket("cut-off").ensure().await.unwrap(), Ensured::Created);

    place.make("users").await;
    place.version("users", BucketVersioningStatus::Enabled).await;
    place.write("users", "reports/1.csv").await;
    let Ensured::Users(advice) = place.bucket("users").ensure().await.unwrap() else {
        panic!("a bucket of the user was changed");
    };
    assert!(advice.len() == 1 && advice[0].text.contains("NewerNoncurrentVersions"));
    assert_eq!(place.bucket("users").remove().await.unwrap(), Removed::Users);
    let tagged = place.client.get_bucket_tagging().bucket("users").send().await;
    assert!(tagged.is_err(), "the user's bucket was tagged");
    account.stand.must_be_content();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_would_lose_the_store_is_refused_with_every_reason() {
    let account = Account::new().await;
    let place = Place::of(&account).await;
    place.make("unfit").await;
    let rule = LifecycleRule::builder()
        .id("tidy")
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("").build())
        .expiration(LifecycleExpiration::builder().days(30).build())
        .build()
        .unwrap();
    let rules = BucketLifecycleConfiguration::builder()
        .rules(rule)
        .build()
        .unwrap();
    let put = place.client.put_bucket_lifecycle_configuration().bucket("unfit");
    put.lifecycle_configuration(rules).send().await.unwrap();
    let unfit = place.bucket("unfit");
    for result in [unfit.look().await.err(), unfit.ensure().await.err()] {
        let Some(BucketError::Unfit { findings, .. }) = result else {
            panic!("an unfit bucket was taken");
        };
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings[1].contains("`tidy`"));
    }

    let missing = ControlBucket {
        creates: false,
        ..place.bucket("nobodys")
    };
    let text = missing.ensure().await.unwrap_err().to_string();
    assert!(text.contains("create_control_bucket"), "{text}");
    let foreign = ControlBucket {
        account: Some("111111111111"),
        ..place.bucket(account.stand.variable("TF_VAR_control_bucket"))
    };
    assert!(matches!(foreign.ensure().await, Err(BucketError::Foreign { .. })));
    assert_eq!(foreign.remove().await.unwrap(), Removed::Users);
    let elsewhere = ControlBucket {
        region: "eu-west-1",
        ..place.bucket(account.stand.variable("TF_VAR_control_bucket"))
    };
    let error = elsewhere.look().await.unwrap_err();
    assert!(matches!(error, BucketError::OtherRegion { .. }), "{error}");
    account.stand.must_be_content();
}

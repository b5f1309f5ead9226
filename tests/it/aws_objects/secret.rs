//! Users' secrets: made once, adopted by tag, restored from their deletion window, read by brokers' roles alone.

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::types::Tag;
use msk::aws::settings::{AccessKey, AssumeRole};
use msk::aws::{Connection, Settings};
use msk::engine::ClusterPlace;
use msk::engine::ec2::policy::{self, Roles, Scope};
use msk::engine::ec2::secret::{SecretError, Secrets, name};
use msk::secret::Secret;
use msk::spec::ids::{ClusterName, NodeId};

use super::{Account, eventually};

fn secrets(account: &Account) -> Secrets {
    let place = ClusterPlace {
        name: ClusterName::new("events"),
        uid: account.names.uid().clone(),
    };
    let connection = &account.connection;
    Secrets::new(
        connection.secrets_manager(),
        connection.region().to_owned(),
        place,
        account.names.clone(),
    )
}

fn own_name(account: &Account, user: &str) -> String {
    name(&ClusterName::new("events"), account.names.uid(), user)
}

fn password(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test(flavor = "multi_thread")]
async fn a_users_secret_is_made_once_comes_back_from_its_window_and_leaves_nothing() {
    let account = Account::new().await;
    let (client, secrets) = (account.connection.secrets_manager(), secrets(&account));
    let key = account.stand.variable("TF_VAR_kms_key_id");
    let made = secrets.ensure("app", Some(key)).await.unwrap();
    assert!(made.is_new);
    // A cut create has made it without a value.
    let again = secrets.ensure("app", Some(key)).await.unwrap();
    assert_eq!((again.arn.clone(), again.is_new), (made.arn.clone(), false));
    assert!(secrets.is_named(&made.arn, "app") && !secrets.is_named(&made.arn, "ap"));

    for _ in 0..2 {
        secrets
            .put(&made.arn, "app", &password("one"), TOKEN)
            .await
            .unwrap();
    }
    let read = client
        .get_secret_value()
        .secret_id(&made.arn)
        .send()
        .await
        .unwrap();
    assert_eq!(read.version_id(), Some(TOKEN));
    assert_eq!(
        read.secret_string(),
        Some(r#"{"username":"app","password":"one"}"#)
    );
    let about = client
        .describe_secret()
        .secret_id(&made.arn)
        .send()
        .await
        .unwrap();
    assert_eq!(about.kms_key_id(), Some(key));
    assert_eq!(about.name(), Some("AmazonMSK_events_01234567_app"));
    assert!(about.tags().iter().any(|tag| tag.key() == Some("team")));

    // Somebody deletes it by hand; the next apply restores it.
    let deleted = client
        .delete_secret()
        .secret_id(&made.arn)
        .recovery_window_in_days(7);
    deleted.send().await.unwrap();
    let restored = secrets.ensure("app", None).await.unwrap();
    assert_eq!((restored.arn.clone(), restored.is_new), (made.arn.clone(), false));
    secrets
        .put(&made.arn, "app", &password("two"), &TOKEN.replace('0', "f"))
        .await
        .unwrap();

    // Deleted for good: the name is free at once.
    for _ in 0..2 {
        secrets.discard(&made.arn, "app").await.unwrap();
    }
    let anew = secrets.ensure("app", None).await.unwrap();
    assert!(anew.is_new);
    eventually("the secret is listed", async || {
        secrets.remove_all().await.unwrap() == 1
    })
    .await;
    account.stand.must_be_content();
    assert_eq!(account.stand.left(), serde_json::json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_another_is_not_touched_and_one_that_the_user_brings_is_checked() {
    let account = Account::new().await;
    let (client, secrets) = (account.connection.secrets_manager(), secrets(&account));
    let make = async |name: String, text: &str| {
        let made = client.create_secret().name(name).secret_string(text);
        made.send().await.unwrap().arn.unwrap()
    };
    let foreign = make(own_name(&account, "app"), "theirs").await;
    let refused = secrets.ensure("app", None).await.unwrap_err();
    assert!(matches!(refused, SecretError::NotOurs { .. }), "{refused}");
    let refused = secrets.remove(&foreign).await.unwrap_err();
    assert!(matches!(refused, SecretError::NotOurs { .. }), "{refused}");

    let good = r#"{"username": "lee", "password": "hunter2"}"#;
    let given = make("AmazonMSK_lee".to_owned(), good).await;
    let version = secrets.accept(&given, "lee").await.unwrap();
    assert_eq!(secrets.accept(&given, "lee").await.unwrap(), version);
    let unnamed = make("lee".to_owned(), good).await;
    let damaged = make("AmazonMSK_damaged".to_owned(), "hunter2").await;
    let elsewhere = given
        .replace("eu-central-1", "eu-west-9")
        .replace("us-east-1", "eu-west-9");
    for (arn, user, why) in [
        (given.as_str(), "kim", "`username` is not `kim`"),
        (&unnamed, "lee", "`AmazonMSK_`"),
        (&damaged, "lee", "JSON"),
        (&elsewhere, "lee", "Region"),
        ("nonsense", "lee", "`AmazonMSK_`"),
        (&given.replace("_lee-", "_eel-"), "lee", "not there"),
    ] {
        let error = secrets.accept(arn, user).await.unwrap_err().to_string();
        assert!(
            error.contains(why) && !error.contains("hunter2"),
            "{why}: {error}"
        );
    }
    secrets.discard(&given, "lee").await.unwrap();
    let about = client.describe_secret().secret_id(&given).send().await.unwrap();
    assert!(about.tags().is_empty(), "{about:?}");
    account.stand.must_be_content();
}

/// What brokers do, with a role that has the policy of a broker.
#[tokio::test(flavor = "multi_thread")]
async fn a_brokers_role_reads_the_secrets_of_its_cluster_and_no_other() {
    let account = Account::new().await;
    let (client, secrets) = (account.connection.secrets_manager(), secrets(&account));
    let key = account.stand.variable("TF_VAR_kms_key_id");
    let own = secrets.ensure("app", Some(key)).await.unwrap().arn;
    secrets.put(&own, "app", &password("one"), TOKEN).await.unwrap();
    let text = r#"{"username": "lee", "password": "x"}"#;
    let make = async |name: &str, tags: Vec<Tag>| {
        let made = client
            .create_secret()
            .name(name)
            .secret_string(text)
            .set_tags(Some(tags));
        made.send().await.unwrap().arn.unwrap()
    };
    let given = make("AmazonMSK_lee", Vec::new()).await;
    secrets.accept(&given, "lee").await.unwrap();
    let foreign = make("AmazonMSK_kim", Vec::new()).await;
    // The right name proves nothing without the tag, nor the tag without the name.
    let named = make(&own_name(&account, "eve"), Vec::new()).await;
    let tag = Tag::builder()
        .key("tfmsk-cluster")
        .value(account.names.uid().as_str())
        .build();
    let tagged = make("AmazonMSK_tagged", vec![tag]).await;

    let broker = as_node(&account, true).await.secrets_manager();
    let controller = as_node(&account, false).await.secrets_manager();
    account.stand.enforce_policies();
    let all = [&own, &given, &foreign, &named, &tagged];
    let read = broker.batch_get_secret_value();
    let read = read.set_secret_id_list(Some(all.map(Clone::clone).into()));
    let mut answer = None;
    eventually("the role is known", async || {
        answer = read.clone().send().await.ok();
        answer.is_some()
    })
    .await;
    let answer = answer.unwrap();
    let mut values: Vec<_> = answer
        .secret_values()
        .iter()
        .filter_map(|value| value.arn())
        .collect();
    values.sort_unstable();
    let mut expected = [own.as_str(), &given];
    expected.sort_unstable();
    assert_eq!(values, expected);
    let errors: Vec<_> = answer
        .errors()
        .iter()
        .filter_map(|error| error.error_code())
        .collect();
    assert_eq!(errors, ["AccessDeniedException"; 3]);

    let refused = controller
        .batch_get_secret_value()
        .secret_id_list(&own)
        .send()
        .await;
    assert!(refused.is_err());
    account.stand.must_be_content();
}

/// A connection as the role of a node.
async fn as_node(account: &Account, is_broker: bool) -> Connection {
    let connection = &account.connection;
    let identity = connection.identity().await.unwrap().unwrap().clone();
    let scope = Scope {
        partition: "aws".to_owned(),
        region: connection.region().to_owned(),
        account: identity.account.clone(),
        bucket: account.stand.variable("TF_VAR_control_bucket").to_owned(),
        prefix: "msk/".to_owned(),
        store_key_arn: None,
        volume_key_arn: None,
        uid: account.names.uid().clone(),
        name: ClusterName::new("events"),
    };
    let roles = Roles {
        is_broker,
        is_controller: !is_broker,
    };
    let trust = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": { "AWS": format!("arn:aws:iam::{}:root", identity.account) }
        }]
    });
    let (iam, role) = (connection.iam(), format!("node-{is_broker}"));
    let made = iam
        .create_role()
        .role_name(&role)
        .assume_role_policy_document(trust.to_string());
    let arn = made.send().await.unwrap().role.unwrap().arn;
    let allowed = policy::node(&scope, NodeId(1), roles).to_string();
    let put = iam.put_role_policy().role_name(&role).policy_name("node");
    put.policy_document(allowed).send().await.unwrap();
    // The account's root may not take a role.
    let user = format!("user-{is_broker}");
    iam.create_user().user_name(&user).send().await.unwrap();
    let may = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}"#;
    let put = iam.put_user_policy().user_name(&user).policy_name("roles");
    put.policy_document(may).send().await.unwrap();
    let key = iam.create_access_key().user_name(&user).send().await.unwrap();
    let key = key.access_key.unwrap();
    Connection::open(&Settings {
        access_key: Some(AccessKey {
            id: key.access_key_id,
            secret: Secret::new(key.secret_access_key),
            token: None,
        }),
        assume_roles: vec![AssumeRole {
            role_arn: arn,
            session_name: None,
            external_id: None,
            duration: None,
            policy: None,
            tags: BTreeMap::new(),
        }],
        skips_account: true,
        ..account.stand.settings()
    })
    .await
    .unwrap()
}

//! What the role of one node may do: its own and the public documents, its own status, its own volume. A controller
//! reads and writes what is private to the cluster as well.

use serde_json::{Value, json};

use super::names::{CLUSTER_TAG, NODE_TAG};
use super::secret;
use crate::spec::ids::{ClusterName, ClusterUid, NodeId};

/// What a role is scoped to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// The Region.
    pub region: String,
    /// The account, 12 digits.
    pub account: String,
    /// The bucket of the control store.
    pub bucket: String,
    /// The prefix of the control store in it; ends with `/`.
    pub prefix: String,
    /// The ARN of the key of the control store's objects, if it has one of its own.
    pub store_key_arn: Option<String>,
    /// The ARN of the volumes' key; `None`: the account's key for EBS, which needs no permission.
    pub volume_key_arn: Option<String>,
    /// The cluster.
    pub uid: ClusterUid,
    /// The cluster's name.
    pub name: ClusterName,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// It serves clients, and may be the one whose agent sets users' passwords.
    pub is_broker: bool,
    /// It is a controller, and signs certificates.
    pub is_controller: bool,
}

impl Scope {
    fn objects(&self, below: &str) -> String {
        let Self {
            partition,
            bucket,
            prefix,
            ..
        } = self;
        format!("arn:{partition}:s3:::{bucket}/{prefix}{below}")
    }

    fn ec2(&self, kind: &str) -> String {
        let Self {
            partition,
            region,
            account,
            ..
        } = self;
        format!("arn:{partition}:ec2:{region}:{account}:{kind}/*")
    }
}

/// Who may take the role: machines alone.
pub fn trust(partition: &str) -> Value {
    let service = if partition == "aws-cn" {
        "ec2.amazonaws.com.cn"
    } else {
        "ec2.amazonaws.com"
    };
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": service },
            "Action": "sts:AssumeRole"
        }]
    })
}

/// The inline policy of a node's role.
pub fn node(scope: &Scope, node: NodeId, roles: Roles) -> Value {
    let uid = scope.uid.as_str();
    let mut readable = vec![
        scope.objects(&format!("{uid}/desired/*")),
        scope.objects(&format!("{uid}/public/*")),
        scope.objects("artifacts/*"),
        scope.objects("store.json"),
    ];
    // Each agent compares what the others say.
    readable.push(scope.objects(&format!("{uid}/status/*")));
    // The password with which it logs in at other brokers.
    readable.push(scope.objects(&format!("{uid}/private/nodes/{node}/*")));
    let mut writable = vec![
        scope.objects(&format!("{uid}/status/{node}/*")),
        scope.objects(&format!("{uid}/locks/*")),
    ];
    if roles.is_controller {
        readable.push(scope.objects(&format!("{uid}/private/*")));
        writable.push(scope.objects(&format!("{uid}/public/certificates/*")));
    }
    let own = json!({
        format!("aws:ResourceTag/{CLUSTER_TAG}"): uid,
        format!("aws:ResourceTag/{NODE_TAG}"): node.to_string(),
    });
    let mut statements = vec![
        // Cannot be scoped: Describe calls take no resource.
        json!({ "Sid": "Look", "Effect": "Allow", "Action": "ec2:DescribeVolumes", "Resource": "*" }),
        json!({
            "Sid": "AttachOwnVolume", "Effect": "Allow", "Action": "ec2:AttachVolume",
            "Resource": [scope.ec2("volume"), scope.ec2("instance")],
            "Condition": { "StringEquals": own }
        }),
        json!({ "Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": readable }),
        json!({ "Sid": "Write", "Effect": "Allow", "Action": "s3:PutObject", "Resource": writable }),
        // Without it a document that is not there reads as forbidden.
        json!({
            "Sid": "List", "Effect": "Allow", "Action": "s3:ListBucket",
            "Resource": format!("arn:{}:s3:::{}", scope.partition, scope.bucket),
            "Condition": { "StringLike": { "s3:prefix": [
                format!("{}{uid}/*", scope.prefix), format!("{}artifacts/*", scope.prefix)
            ] } }
        }),
    ];
    if let Some(key) = &scope.store_key_arn {
        statements.push(json!({
            "Sid": "StoreKey", "Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": key,
            "Condition": { "StringEquals": { "kms:ViaService": format!("s3.{}.amazonaws.com", scope.region) } }
        }));
    }
    if let Some(key) = &scope.volume_key_arn {
        let through_ec2 = format!("ec2.{}.amazonaws.com", scope.region);
        statements.push(json!({
            "Sid": "VolumeKey", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": key,
            "Condition": { "StringEquals": { "kms:ViaService": through_ec2 } }
        }));
        statements.push(json!({
            "Sid": "VolumeGrant", "Effect": "Allow", "Action": "kms:CreateGrant", "Resource": key,
            "Condition": {
                "StringEquals": { "kms:ViaService": through_ec2 },
                "Bool": { "kms:GrantIsForAWSResource": "true" }
            }
        }));
    }
    if roles.is_broker {
        statements.extend(secrets(scope));
    }
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// Users' secrets: those of the cluster by name and tag, and those that the user brought by a tag, so that no role has
/// to be changed for a user.
fn secrets(scope: &Scope) -> [Value; 4] {
    let Scope {
        partition,
        region,
        account,
        uid,
        name,
        ..
    } = scope;
    let named = |name: &str| format!("arn:{partition}:secretsmanager:{region}:{account}:secret:{name}*");
    let tagged = |tag: &str| json!({ "StringEquals": { format!("aws:ResourceTag/{tag}"): uid.as_str() } });
    [
        json!({
            "Sid": "Secrets", "Effect": "Allow", "Action": "secretsmanager:GetSecretValue",
            "Resource": named(&secret::name_prefix(name, uid)), "Condition": tagged(CLUSTER_TAG)
        }),
        json!({
            "Sid": "GivenSecrets", "Effect": "Allow", "Action": "secretsmanager:GetSecretValue",
            "Resource": named(secret::PREFIX), "Condition": tagged(&secret::reader_tag(uid))
        }),
        // Gives nothing by itself: each secret needs GetSecretValue as well.
        json!({
            "Sid": "SecretsAtOnce", "Effect": "Allow", "Action": "secretsmanager:BatchGetSecretValue", "Resource": "*"
        }),
        // Each secret may have a key of its own.
        json!({
            "Sid": "SecretKeys", "Effect": "Allow", "Action": "kms:Decrypt",
            "Resource": format!("arn:{partition}:kms:{region}:{account}:key/*"),
            "Condition": { "StringEquals": { "kms:ViaService": format!("secretsmanager.{region}.amazonaws.com") } }
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        Scope {
            partition: "aws".to_owned(),
            region: "eu-central-1".to_owned(),
            account: "123456789012".to_owned(),
            bucket: "control".to_owned(),
            prefix: "msk/".to_owned(),
            store_key_arn: Some("arn:aws:kms:eu-central-1:123456789012:key/store".to_owned()),
            volume_key_arn: Some("arn:aws:kms:eu-central-1:123456789012:key/volume".to_owned()),
            uid: ClusterUid::new("0123456789abcdef0123456789abcdef"),
            name: ClusterName::new("events"),
        }
    }

    const BROKER: Roles = Roles {
        is_broker: true,
        is_controller: false,
    };
    const CONTROLLER: Roles = Roles {
        is_broker: false,
        is_controller: true,
    };

    fn statement<'a>(policy: &'a Value, sid: &str) -> &'a Value {
        let statements = policy["Statement"].as_array().unwrap();
        statements
            .iter()
            .find(|statement| statement["Sid"] == sid)
            .unwrap()
    }

    #[test]
    fn a_broker_writes_its_own_status_alone_and_sees_of_what_is_private_its_password_alone() {
        let policy = node(&scope(), NodeId(2), BROKER);
        let text = policy.to_string();
        let own = "0123456789abcdef0123456789abcdef/private/nodes/2/*\"";
        assert_eq!(text.matches("private").count(), 1, "{text}");
        assert!(text.contains(own), "{text}");
        let writes = statement(&policy, "Write")["Resource"].as_array().unwrap();
        let status: Vec<_> = writes
            .iter()
            .filter_map(Value::as_str)
            .filter(|arn| arn.contains("/status/"))
            .collect();
        assert_eq!(
            status,
            ["arn:aws:s3:::control/msk/0123456789abcdef0123456789abcdef/status/2/*"]
        );
        assert!(
            !writes
                .iter()
                .any(|arn| arn.as_str().unwrap().contains("/desired/"))
        );
        assert!(
            !writes
                .iter()
                .any(|arn| arn.as_str().unwrap().contains("artifacts/"))
        );
    }

    #[test]
    fn a_controller_reads_what_is_private_and_writes_certificates_alone_beside_its_status() {
        let policy = node(&scope(), NodeId(101), CONTROLLER);
        let read = statement(&policy, "Read")["Resource"].to_string();
        assert!(read.contains("/private/*"), "{read}");
        let writes = statement(&policy, "Write")["Resource"].as_array().unwrap();
        let names: Vec<_> = writes
            .iter()
            .filter_map(|arn| arn.as_str()?.split_once("0123456789abcdef0123456789abcdef/"))
            .map(|(_, below)| below)
            .collect();
        assert_eq!(names, ["status/101/*", "locks/*", "public/certificates/*"]);
    }

    #[test]
    fn brokers_read_secrets_with_the_clusters_name_and_tag_or_the_tag_of_a_reader() {
        let policy = node(&scope(), NodeId(2), BROKER);
        let own = statement(&policy, "Secrets");
        let account = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:";
        assert_eq!(own["Resource"], format!("{account}AmazonMSK_events_01234567_*"));
        assert_eq!(
            own["Condition"]["StringEquals"]["aws:ResourceTag/tfmsk-cluster"],
            "0123456789abcdef0123456789abcdef"
        );
        let given = statement(&policy, "GivenSecrets");
        assert_eq!(given["Resource"], format!("{account}AmazonMSK_*"));
        assert_eq!(
            given["Condition"]["StringEquals"]["aws:ResourceTag/tfmsk-scram-01234567"],
            "0123456789abcdef0123456789abcdef"
        );
        let text = node(&scope(), NodeId(101), CONTROLLER).to_string();
        assert!(!text.contains("secretsmanager"), "{text}");
    }

    #[test]
    fn the_volume_and_the_machine_must_both_be_the_nodes_own() {
        let policy = node(&scope(), NodeId(2), BROKER);
        let attach = statement(&policy, "AttachOwnVolume");
        assert_eq!(
            attach["Condition"]["StringEquals"]["aws:ResourceTag/tfmsk-node"],
            "2"
        );
        assert_eq!(attach["Resource"].as_array().unwrap().len(), 2);
        let text = policy.to_string();
        for never in [
            "Detach",
            "Delete",
            "CreateTags",
            "iam:",
            "autoscaling:",
            "NotAction",
            "NotResource",
        ] {
            assert!(!text.contains(never), "{never}");
        }
        // IAM takes 10,240 characters of inline policies for a role.
        assert!(text.len() < 5_000, "{}", text.len());
    }

    #[test]
    fn keys_are_used_through_their_service_alone_and_only_if_they_are_the_users() {
        let policy = node(&scope(), NodeId(1), CONTROLLER);
        for sid in ["StoreKey", "VolumeKey", "VolumeGrant"] {
            let through = &statement(&policy, sid)["Condition"]["StringEquals"]["kms:ViaService"];
            assert!(through.as_str().unwrap().ends_with(".eu-central-1.amazonaws.com"));
        }
        let plain = Scope {
            store_key_arn: None,
            volume_key_arn: None,
            ..scope()
        };
        assert!(!node(&plain, NodeId(1), CONTROLLER).to_string().contains("kms:"));
        assert!(trust("aws-cn").to_string().contains("ec2.amazonaws.com.cn"));
    }
}

//! Who may do nothing earns one action after the other. Each run that lacks one fails with a message that names it, and
//! with it goes on to the next: a policy with any one action less would have ended there.

use std::collections::{BTreeMap, BTreeSet};

use msk::aws::Connection;
use msk::engine::ClusterPlace;
use msk::engine::ec2::bucket::ControlBucket;
use msk::engine::ec2::instance::PlainInstance;
use msk::engine::ec2::names::Names;
use msk::engine::ec2::permissions::{Place, Who, operator};
use msk::engine::ec2::placement::{Held, Placement as _};
use msk::engine::ec2::policy::{self, Roles, Scope};
use msk::engine::ec2::secret::Secrets;
use msk::engine::ec2::tag::{self, Change};
use msk::engine::ec2::template::Launch;
use msk::engine::ec2::{
    Ec2Engine, Settings, group, image, interface, placement, quotas, records, role, security_group, template,
    volume,
};
use msk::observed::cloud::VolumeShape;
use msk::planner::firewall::{RULE_QUOTA, Rule, Source};
use msk::secret::Secret;
use msk::spec::cluster::AwsSpec;
use msk::spec::ids::{ClusterName, ClusterUid, NodeId, StoreId};
use msk::store::documents::PrivateZone;
use msk::store::{Durability, Key, Prefix};
use serde_json::Value;

use super::{actions, may, may_everything, only, place};
use crate::support::stand::Stand;

/// What no run on this stand is asked for.
const UNREACHED: &[&str] = &[
    // Asked of the first group in an account; the stand has Auto Scaling's own role from the beginning.
    "iam:CreateServiceLinkedRole",
    // Asked for a volume from a snapshot under another key, and for the copy of an image into an account whose own key
    // encrypts it; the stand does not ask.
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
];

const NODE: NodeId = NodeId(1);
const BUCKET: &str = "events-control";
/// More than there are actions.
const RUNS: usize = 60;

/// An operator who earns permissions.
struct Novice {
    stand: Stand,
    connection: Connection,
    place: Place,
    earned: BTreeSet<&'static str>,
}

impl Novice {
    /// Runs something until nothing is missing any more. What is missing is in the message each time.
    async fn earn<T, E: std::error::Error>(
        &mut self,
        what: &str,
        mut run: impl AsyncFnMut() -> Result<T, E>,
    ) -> T {
        for _ in 0..RUNS {
            self.show();
            let error = match run().await {
                Ok(done) => return done,
                Err(error) => msk::tfplugin::chain(&error),
            };
            let missing = self.named(&error);
            assert!(
                missing.is_some(),
                "{what}: names no action that is missing: {error}"
            );
            self.earned.extend(missing);
        }
        panic!("{what}: still refused, with {:?}", self.earned);
    }

    /// What is earned is all that is allowed.
    fn show(&self) {
        let policies: Vec<Value> = operator(&self.place)
            .iter()
            .map(|document| only(&document.policy, &self.earned))
            .filter(|policy| policy["Statement"] != Value::Array(Vec::new()))
            .collect();
        may(&self.stand, &policies);
    }

    /// The first action in a text that is not earned yet.
    fn named(&self, text: &str) -> Option<&'static str> {
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == ':' || letter == '-';
        let mut words = text.split(|letter: char| !is_part(letter));
        let all = actions(Who::is_operators);
        words.find_map(|word| {
            all.get(word)
                .copied()
                .filter(|action| !self.earned.contains(action))
        })
    }

    fn key(&self) -> String {
        self.stand.variable("TF_VAR_kms_key_id").to_owned()
    }

    fn settings(&self) -> Settings {
        Settings {
            account: self.stand.settings(),
            control_bucket: BUCKET.to_owned(),
            creates_control_bucket: true,
            control_prefix: "msk/".to_owned(),
            control_kms_key_id: Some(self.key()),
            default_tags: BTreeMap::new(),
            kafka_directory: None,
            archive: None,
            java_archives: BTreeMap::new(),
            maven_command: "mvn".to_owned(),
        }
    }
}

fn cluster() -> ClusterPlace {
    ClusterPlace {
        name: ClusterName::new("events"),
        uid: ClusterUid::new("0123456789abcdef0123456789abcdef"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_action_of_the_operator_is_named_when_it_is_missing_and_none_is_superfluous() {
    let stand = Stand::up();
    let connection = Connection::open(&stand.settings()).await.unwrap();
    let account = connection.identity().await.unwrap().unwrap().account.clone();
    let ec2 = connection.ec2();
    // The account encrypts new volumes: then it is asked with which key.
    ec2.enable_ebs_encryption_by_default().send().await.unwrap();
    let mut novice = Novice {
        place: place(&stand, &account, BUCKET),
        stand,
        connection,
        earned: BTreeSet::new(),
    };
    let names = Names::new(&cluster(), &StoreId::new("s-1"), &BTreeMap::new());

    Box::pin(store(&mut novice)).await;
    Box::pin(survey(&mut novice)).await;
    let life = Box::pin(make(&mut novice, &names)).await;
    Box::pin(secrets(&mut novice, &names)).await;
    Box::pin(names_of_nodes(&mut novice)).await;
    Box::pin(remove(&mut novice, &names, life)).await;

    let all = actions(Who::is_operators);
    let missing: Vec<_> = all
        .iter()
        .filter(|action| !novice.earned.contains(*action))
        .copied()
        .collect();
    assert_eq!(missing, UNREACHED, "never asked for");
    novice.stand.must_be_content();
}

/// The control bucket, made and looked at, and documents in it.
async fn store(novice: &mut Novice) {
    let engine = Ec2Engine::new(novice.settings());
    let store = novice
        .earn("the store", async || engine.open_or_create().await)
        .await;
    let key = Key::parse("clusters/x.json").unwrap();
    novice
        .earn("a document", async || {
            let bytes = bytes::Bytes::from_static(b"{}");
            store.put(&key, bytes, Durability::Durable).await?;
            store.get(&key).await?;
            store.list(&Prefix::all(), None, 10).await?;
            store.delete(&key).await
        })
        .await;
    novice
        .earn("former versions", async || {
            store.purge(&Prefix::parse("clusters/").unwrap()).await
        })
        .await;
    // The user's own bucket: its versions and rules are looked at.
    let name = novice.stand.variable("TF_VAR_control_bucket").to_owned();
    let users = Ec2Engine::new(Settings {
        control_bucket: name.clone(),
        creates_control_bucket: false,
        ..novice.settings()
    });
    novice.place.bucket = name;
    novice
        .earn("the user's bucket", async || users.open_or_create().await)
        .await;
    BUCKET.clone_into(&mut novice.place.bucket);
}

/// The questions of a plan.
async fn survey(novice: &mut Novice) {
    let subnets = novice.stand.subnets();
    let zones: Vec<&str> = subnets.iter().map(String::as_str).collect();
    let mut spec = crate::local_cluster::wanted("events", &zones);
    spec.size.instance_type = "m5.large".to_owned();
    spec.size.kms_key_id = Some(novice.key());
    let clients = novice
        .stand
        .variable("TF_VAR_client_security_group_id")
        .to_owned();
    spec.client_sources.security_group_ids = [clients].into();
    let engine = Ec2Engine::new(novice.settings());
    let client = novice.connection.service_quotas();
    // A preflight without it only warns.
    novice.earn("quotas", async || quotas::ask(&client).await).await;
    let found = novice
        .earn("the survey", async || Box::pin(engine.preflight(&spec)).await)
        .await;
    assert_eq!(found, []);
    spec.aws = Some(AwsSpec {
        image_id: Some("ami-00000000000000000".to_owned()),
        private_zone_id: Some("Z0000000000000".to_owned()),
        instance_profile: Some("nobodys".to_owned()),
        permissions_boundary: Some(format!("arn:aws:iam::{}:policy/nobodys", novice.place.account)),
        ..AwsSpec::default()
    });
    let found = novice
        .earn("what the user brings", async || {
            Box::pin(engine.preflight(&spec)).await
        })
        .await;
    let attributes: Vec<_> = found.iter().map(|finding| finding.attribute).collect();
    assert_eq!(
        attributes,
        [
            "ami_id",
            "private_zone_id",
            "instance_profile",
            "permissions_boundary"
        ]
    );
}

/// Names in a private zone, made and removed.
async fn names_of_nodes(novice: &mut Novice) {
    let client = novice.connection.route53();
    let zone = PrivateZone {
        id: novice.stand.variable("TF_VAR_private_zone_id").to_owned(),
        domain: "stand.internal".to_owned(),
        is_ours: false,
    };
    let name = "b-1.events.stand.internal".to_owned();
    let addresses = BTreeMap::from([(name, "10.88.0.9".to_owned())]);
    novice
        .earn("names", async || {
            records::ensure(&client, &zone, &addresses, |_| ()).await
        })
        .await;
    novice
        .earn("no names", async || {
            records::remove(&client, &zone, &addresses).await
        })
        .await;
}

/// What [`make`] leaves to the steps of [`remove`].
struct Life {
    vpc: String,
    zone: String,
    interface: String,
    volume: String,
    image: String,
    template: String,
}

/// Every object of a node, made, looked at and changed.
async fn make(novice: &mut Novice, names: &Names) -> Life {
    let (ec2, none) = (novice.connection.ec2(), BTreeMap::new());
    let subnet = novice.stand.subnets()[0].clone();
    let (vpc, zone) = of_subnet(&ec2, &subnet).await;
    let group = novice
        .earn("a security group", async || {
            security_group::ensure(&ec2, names, &vpc, &none).await
        })
        .await;
    for ranges in [&["10.0.0.0/8", "10.1.0.0/16"][..], &["10.0.0.0/8"]] {
        let rule = |range: &&str| Rule {
            port: 9096,
            source: Source::Ipv4((*range).to_owned()),
        };
        let wanted: BTreeSet<Rule> = ranges.iter().map(rule).collect();
        eventually("the rules", async || {
            novice
                .earn("rules", async || {
                    security_group::align(&ec2, names, &group, &wanted, RULE_QUOTA, &none).await
                })
                .await;
            let rules = security_group::observe(&ec2, names, Some(&group)).await.unwrap();
            rules.is_some_and(|rules| rules.ours.len() == wanted.len())
        })
        .await;
    }
    let groups = [group];
    let interface = novice
        .earn("an interface", async || {
            let wanted = interface::Wanted {
                node: NODE,
                subnet_id: &subnet,
                address: None,
                groups: &groups,
                tags: &none,
                life: 0,
            };
            interface::create(&ec2, names, &wanted).await
        })
        .await;
    novice
        .earn("other groups", async || {
            interface::set_groups(&ec2, &interface.id, &groups).await
        })
        .await;
    let volume = data(novice, names, &zone).await;
    let image = copied(novice, names).await;
    let template = launched(novice, names, (&interface.id, &zone, &image)).await;
    Life {
        vpc,
        zone,
        interface: interface.id,
        volume,
        image: image.id,
        template,
    }
}

/// The VPC and the zone of a subnet; asked while everything is allowed.
async fn of_subnet(ec2: &aws_sdk_ec2::Client, subnet: &str) -> (String, String) {
    let seen = ec2.describe_subnets().subnet_ids(subnet).send().await.unwrap();
    let seen = &seen.subnets()[0];
    (
        seen.vpc_id().unwrap().to_owned(),
        seen.availability_zone().unwrap().to_owned(),
    )
}

/// A volume, changed, marked, and with a snapshot; its id.
async fn data(novice: &mut Novice, names: &Names, zone: &str) -> String {
    let (ec2, key, none) = (novice.connection.ec2(), novice.key(), BTreeMap::new());
    let mut shape = VolumeShape {
        size: 1,
        kind: "gp3".to_owned(),
        iops: Some(3_000),
        throughput: Some(125),
    };
    // A volume whose key EC2 may not use goes away again: the next try is the next life of it.
    let mut life = 0;
    let made = novice
        .earn("a volume", async || {
            let wanted = volume::Wanted {
                node: NODE,
                zone,
                shape: &shape,
                key: Some(&key),
                snapshot_id: None,
                tags: &none,
                life,
            };
            life += 1;
            volume::create(&ec2, names, &wanted).await
        })
        .await;
    shape.size = 2;
    novice
        .earn("a larger volume", async || {
            volume::modify(&ec2, &made.id, &shape).await
        })
        .await;
    let ids = [made.id.clone()];
    novice
        .earn("its progress", async || volume::modifications(&ec2, &ids).await)
        .await;
    novice
        .earn("its mark", async || {
            volume::tag(&ec2, &made.id, "tfmsk-initialized", "true").await
        })
        .await;
    novice
        .earn("a snapshot", async || {
            volume::snapshot(&ec2, names, (NODE, &made.id), "run", &none).await
        })
        .await;
    made.id
}

async fn copied(novice: &mut Novice, names: &Names) -> image::Image {
    let (ec2, region) = (novice.connection.ec2(), novice.connection.region().to_owned());
    let none = BTreeMap::new();
    let source = novice
        .earn("an image", async || image::find(&ec2, None, "x86_64").await)
        .await;
    novice
        .earn("a copy of it", async || {
            image::copy(&ec2, names, &region, &source, 0, &none, &|_| ()).await
        })
        .await
}

/// Role, launch template and group; the id of the template.
async fn launched(
    novice: &mut Novice,
    names: &Names,
    (interface, zone, image): (&str, &str, &image::Image),
) -> String {
    let connection = &novice.connection;
    let (ec2, iam, scaling) = (connection.ec2(), connection.iam(), connection.auto_scaling());
    let none = BTreeMap::new();
    let scope = Scope {
        partition: "aws".to_owned(),
        region: novice.place.region.clone(),
        account: novice.place.account.clone(),
        bucket: BUCKET.to_owned(),
        prefix: "msk/".to_owned(),
        store_key_arn: None,
        volume_key_arn: None,
        uid: names.uid().clone(),
        name: ClusterName::new("events"),
    };
    let roles = Roles {
        is_broker: true,
        is_controller: true,
    };
    let (trust, allowed) = (policy::trust("aws"), policy::node(&scope, NODE, roles));
    let wanted = role::Wanted {
        node: NODE,
        trust: &trust,
        policy: &allowed,
        permissions_boundary: None,
        tags: &none,
    };
    let mut profile = String::new();
    // The second time it is looked at.
    for _ in 0..2 {
        profile = novice
            .earn("a role", async || role::ensure(&iam, names, &wanted).await)
            .await;
    }
    let launch = Launch {
        image_id: image.id.clone(),
        instance_type: "m5.large".to_owned(),
        interface_id: interface.to_owned(),
        instance_profile: profile,
        root_device: image.root_device.clone(),
        root_size: 16,
        user_data: "#cloud-config\n".to_owned(),
        tags: names.tags(Some(NODE), &none),
    };
    let template = novice
        .earn("a template", async || {
            template::ensure(&ec2, names, NODE, &launch).await
        })
        .await;
    let wanted = placement::Wanted {
        held: Held {
            node: NODE,
            interface_id: Some(interface),
        },
        zone,
        template_id: &template.id,
        tags: &none,
    };
    novice
        .earn("a group", async || group::ensure(&scaling, names, &wanted).await)
        .await;
    novice
        .earn("its activities", async || {
            group::activities(&scaling, names, NODE).await
        })
        .await;
    may_everything(&novice.stand);
    let suspended = scaling
        .suspend_processes()
        .auto_scaling_group_name(names.node(NODE))
        .scaling_processes("Launch");
    suspended.send().await.unwrap();
    novice
        .earn("its processes", async || {
            group::ensure(&scaling, names, &wanted).await
        })
        .await;
    let before = BTreeMap::from([("old".to_owned(), "1".to_owned())]);
    let change = Change::new(names, &none, &before);
    novice
        .earn("other tags", async || tag::change(&ec2, &change).await)
        .await;
    let groups = group::GroupOfOne::new(scaling, names.clone());
    novice
        .earn("other tags of the group", async || {
            groups.change_tags(NODE, &change).await
        })
        .await;
    novice
        .earn("other tags of the role", async || {
            role::change_tags(&iam, NODE, &change).await
        })
        .await;
    template.id
}

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A user's secret and one that the user brings.
async fn secrets(novice: &mut Novice, names: &Names) {
    let client = novice.connection.secrets_manager();
    let secrets = Secrets::new(
        client.clone(),
        novice.place.region.clone(),
        cluster(),
        names.clone(),
    );
    let key = novice.key();
    let mut arn = String::new();
    // The second time it is looked at.
    for _ in 0..2 {
        arn = novice
            .earn("a secret", async || secrets.ensure("app", Some(&key)).await)
            .await
            .arn;
    }
    let password = Secret::new("password".to_owned());
    novice
        .earn("its value", async || {
            secrets.put(&arn, "app", &password, TOKEN).await
        })
        .await;
    novice
        .earn("its key", async || secrets.set_key(&arn, Some(&key)).await)
        .await;
    may_everything(&novice.stand);
    let deleted = client.delete_secret().secret_id(&arn).recovery_window_in_days(7);
    deleted.send().await.unwrap();
    novice
        .earn("its return", async || secrets.ensure("app", None).await)
        .await;
    may_everything(&novice.stand);
    let brought = client.create_secret().name("AmazonMSK_lee").kms_key_id(&key);
    let brought = brought.secret_string(r#"{"username": "lee", "password": "hunter2"}"#);
    let brought = brought.send().await.unwrap().arn.unwrap();
    novice
        .earn("a secret of the user's", async || {
            secrets.accept(&brought, "lee").await
        })
        .await;
    novice
        .earn("its end", async || secrets.discard(&brought, "lee").await)
        .await;
    novice
        .earn("the end of a secret", async || secrets.remove(&arn).await)
        .await;
    novice
        .earn("what is left of secrets", async || secrets.remove_all().await)
        .await;
}

/// The end of everything, in the order in which AWS lets go.
async fn remove(novice: &mut Novice, names: &Names, life: Life) {
    let connection = &novice.connection;
    let (ec2, iam, scaling) = (connection.ec2(), connection.iam(), connection.auto_scaling());
    let s3 = connection.s3();
    novice
        .earn("an empty group", async || {
            group::stop(&scaling, names, NODE).await
        })
        .await;
    novice
        .earn("the end of a group", async || {
            group::remove(&scaling, names, NODE).await
        })
        .await;
    without_group(novice, names, &life).await;
    novice
        .earn("the end of a template", async || {
            template::remove(&ec2, &life.template).await
        })
        .await;
    novice
        .earn("the end of a volume", async || {
            volume::remove(&ec2, &life.volume).await
        })
        .await;
    novice
        .earn("the end of an interface", async || {
            interface::remove(&ec2, &life.interface).await
        })
        .await;
    novice
        .earn("the end of a role", async || {
            role::remove(&iam, names, NODE).await
        })
        .await;
    novice
        .earn("the end of a security group", async || {
            security_group::remove(&ec2, names, &life.vpc).await
        })
        .await;
    novice
        .earn("the end of an image", async || {
            image::remove(&ec2, names, &life.image).await
        })
        .await;
    let (key, account) = (novice.key(), novice.place.account.clone());
    let region = novice.place.region.clone();
    novice
        .earn("the end of the bucket", async || {
            let bucket = ControlBucket {
                client: &s3,
                name: BUCKET,
                region: &region,
                partition: "aws",
                account: Some(&account),
                prefix: "msk/",
                kms_key: Some(&key),
                creates: true,
                is_plain: true,
                tags: &BTreeMap::new(),
            };
            bucket.remove().await
        })
        .await;
}

/// The same node without a group: an instance that is started, stopped by somebody, started again and ended.
async fn without_group(novice: &mut Novice, names: &Names, life: &Life) {
    let ec2 = novice.connection.ec2();
    let placement = PlainInstance::new(ec2.clone(), names.clone());
    let none = BTreeMap::new();
    let held = Held {
        node: NODE,
        interface_id: Some(&life.interface),
    };
    let wanted = placement::Wanted {
        held: held.clone(),
        zone: &life.zone,
        template_id: &life.template,
        tags: &none,
    };
    novice
        .earn("an instance", async || placement.ensure(&wanted).await)
        .await;
    let nodes = [held];
    let mut id = String::new();
    eventually("the instance", async || {
        let kept = placement.look(&nodes).await.unwrap().remove(&NODE);
        id = kept.and_then(|kept| kept.instance_id).unwrap_or_default();
        !id.is_empty()
    })
    .await;
    may_everything(&novice.stand);
    eventually("its stop", async || {
        ec2.stop_instances().instance_ids(&id).send().await.is_ok()
    })
    .await;
    novice
        .earn("its start", async || placement.ensure(&wanted).await)
        .await;
    novice
        .earn("its end", async || placement.stop(&nodes[0]).await)
        .await;
}

async fn eventually(what: &str, mut is_true: impl AsyncFnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !is_true().await {
        assert!(begun.elapsed().as_secs() < 120, "waited in vain: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

//! The objects of a cluster in an AWS account, each made twice and removed twice, against the stand: late knowledge,
//! pages of two in any order, client tokens, one holder per interface, dependencies.

use std::collections::{BTreeMap, BTreeSet};

use msk::aws::Connection;
use msk::engine::ClusterPlace;
use msk::engine::ec2::group::GroupOfOne;
use msk::engine::ec2::instance::PlainInstance;
use msk::engine::ec2::names::Names;
use msk::engine::ec2::placement::{self, Held, Placement};
use msk::engine::ec2::policy::{self, Roles, Scope};
use msk::engine::ec2::template::Launch;
use msk::engine::ec2::{Ec2Error, interface, role, security_group, survey, template, volume};
use msk::observed::cloud::VolumeShape;
use msk::planner::firewall::{RULE_QUOTA, Rule, Source};
use msk::spec::cluster::SelfHealing;
use msk::spec::ids::{ClusterName, ClusterUid, NodeId, StoreId};

use crate::support::stand::Stand;

mod artifacts;
mod bucket;
mod image;
mod secret;

const NODE: NodeId = NodeId(1);

struct Account {
    stand: Stand,
    connection: Connection,
    names: Names,
    vpc_id: String,
    zone: String,
}

impl Account {
    async fn new() -> Self {
        let stand = Stand::up();
        let connection = Connection::open(&stand.settings()).await.unwrap();
        let place = ClusterPlace {
            name: ClusterName::new("events"),
            uid: ClusterUid::new("0123456789abcdef0123456789abcdef"),
        };
        let defaults = BTreeMap::from([("team".to_owned(), "data".to_owned())]);
        let names = Names::new(&place, &StoreId::new("s-1"), &defaults);
        let subnet = &stand.subnets()[0];
        let seen = connection
            .ec2()
            .describe_subnets()
            .subnet_ids(subnet)
            .send()
            .await
            .unwrap();
        let seen = &seen.subnets()[0];
        Self {
            vpc_id: seen.vpc_id().unwrap().to_owned(),
            zone: seen.availability_zone().unwrap().to_owned(),
            stand,
            connection,
            names,
        }
    }

    async fn image(&self) -> (String, String) {
        let images = self
            .connection
            .ec2()
            .describe_images()
            .owners("amazon")
            .filters(
                aws_sdk_ec2::types::Filter::builder()
                    .name("name")
                    .values("al2023-ami-2023*-x86_64")
                    .build(),
            )
            .send()
            .await
            .unwrap();
        let image = &images.images()[0];
        (
            image.image_id().unwrap().to_owned(),
            image.root_device_name().unwrap().to_owned(),
        )
    }
}

fn no_tags() -> BTreeMap<String, String> {
    BTreeMap::new()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_security_group_has_exactly_our_rules_beside_those_of_others() {
    let account = Account::new().await;
    let (ec2, names, vpc) = (account.connection.ec2(), &account.names, account.vpc_id.as_str());
    let id = security_group::ensure(&ec2, names, vpc, &no_tags())
        .await
        .unwrap();
    assert_eq!(
        security_group::ensure(&ec2, names, vpc, &no_tags())
            .await
            .unwrap(),
        id
    );

    let rule = |port, source| Rule { port, source };
    let clients = account
        .stand
        .variable("TF_VAR_client_security_group_id")
        .to_owned();
    let mut wanted: BTreeSet<Rule> = [
        rule(9091, Source::Nodes),
        rule(9093, Source::Nodes),
        rule(9096, Source::Group(clients)),
        rule(9096, Source::Ipv4("10.0.0.0/8".to_owned())),
        rule(9096, Source::Ipv6("fd00::/8".to_owned())),
    ]
    .into();
    let made = security_group::align(&ec2, names, &id, &wanted, RULE_QUOTA, &no_tags())
        .await
        .unwrap();
    assert_eq!(made.add, wanted);
    // A rule of somebody else.
    let foreign = aws_sdk_ec2::types::IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(22)
        .to_port(22)
        .ip_ranges(
            aws_sdk_ec2::types::IpRange::builder()
                .cidr_ip("10.9.0.0/16")
                .build(),
        )
        .build();
    ec2.authorize_security_group_ingress()
        .group_id(&id)
        .ip_permissions(foreign)
        .send()
        .await
        .unwrap();
    eventually("all rules are listed", async || {
        security_group::rules(&ec2, names, &id).await.unwrap().ours.len() == wanted.len()
    })
    .await;
    let again = security_group::align(&ec2, names, &id, &wanted, RULE_QUOTA, &no_tags())
        .await
        .unwrap();
    assert!(again.add.is_empty() && again.remove.is_empty(), "{again:?}");

    wanted.remove(&rule(9096, Source::Ipv4("10.0.0.0/8".to_owned())));
    wanted.insert(rule(9094, Source::Ipv4("10.1.0.0/16".to_owned())));
    let changed = security_group::align(&ec2, names, &id, &wanted, RULE_QUOTA, &no_tags())
        .await
        .unwrap();
    assert_eq!((changed.add.len(), changed.remove.len()), (1, 1));
    let rules = security_group::rules(&ec2, names, &id).await.unwrap();
    assert_eq!(rules.foreign.ipv4, 1);

    let many = (0..60).map(|number| rule(9096, Source::Ipv4(format!("10.{number}.0.0/16"))));
    let error = security_group::align(&ec2, names, &id, &many.collect(), RULE_QUOTA, &no_tags())
        .await
        .unwrap_err();
    assert!(matches!(error, Ec2Error::TooManyRules { .. }), "{error}");

    security_group::remove(&ec2, names, vpc).await.unwrap();
    security_group::remove(&ec2, names, vpc).await.unwrap();
    account.stand.must_be_content();
    assert_eq!(account.stand.left(), serde_json::json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_another_with_our_name_is_not_touched() {
    let account = Account::new().await;
    let (ec2, names, vpc) = (account.connection.ec2(), &account.names, account.vpc_id.as_str());
    ec2.create_security_group()
        .group_name(names.cluster())
        .description("somebody else's")
        .vpc_id(vpc)
        .send()
        .await
        .unwrap();
    let error = security_group::ensure(&ec2, names, vpc, &no_tags())
        .await
        .unwrap_err();
    assert!(matches!(error, Ec2Error::NotOurs { .. }), "{error}");
    account.stand.must_be_content();
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_of_a_node_is_made_once_heals_and_leaves_nothing() {
    let account = Account::new().await;
    let scaling = account.connection.auto_scaling();
    let group = GroupOfOne::new(scaling.clone(), account.names.clone());
    Box::pin(live(&account, &group, SelfHealing::Always)).await;
    account.stand.must_be_content();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_instance_is_made_once_replaced_when_asked_and_leaves_nothing() {
    let account = Account::new().await;
    let instance = PlainInstance::new(account.connection.ec2(), account.names.clone());
    Box::pin(live(&account, &instance, SelfHealing::Apply)).await;
    account.stand.must_be_content();
}

/// A node's objects are made, its machine is lost and replaced, and everything is removed.
async fn live(account: &Account, placement: &impl Placement, self_healing: SelfHealing) {
    let (connection, names) = (&account.connection, &account.names);
    let (ec2, iam) = (connection.ec2(), connection.iam());
    let tags = BTreeMap::from([("cost".to_owned(), "42".to_owned())]);
    let group_id = security_group::ensure(&ec2, names, &account.vpc_id, &tags)
        .await
        .unwrap();

    let subnet = account.stand.subnets()[0].clone();
    let wanted = interface::Wanted {
        address: None,
        node: NODE,
        subnet_id: &subnet,
        groups: std::slice::from_ref(&group_id),
        tags: &tags,
        life: 0,
    };
    let (first, second) = tokio::join!(
        interface::create(&ec2, names, &wanted),
        interface::create(&ec2, names, &wanted)
    );
    let own = first.unwrap();
    assert_eq!(second.unwrap().id, own.id, "one token, two interfaces");
    assert!(own.is_free && own.tags["cost"] == "42" && own.tags["team"] == "data");

    let shape = VolumeShape {
        size: 1,
        kind: "gp3".to_owned(),
        iops: Some(3_000),
        throughput: Some(125),
    };
    let wanted = volume::Wanted {
        node: NODE,
        zone: &account.zone,
        shape: &shape,
        key: Some(account.stand.variable("TF_VAR_kms_key_id")),
        snapshot_id: None,
        tags: &tags,
        life: 0,
    };
    let disk = volume::create(&ec2, names, &wanted).await.unwrap();
    assert_eq!(volume::create(&ec2, names, &wanted).await.unwrap().id, disk.id);
    assert!(disk.is_encrypted && disk.shape == shape && disk.state == "available");

    let scope = Scope {
        partition: "aws".to_owned(),
        region: connection.region().to_owned(),
        account: connection.identity().await.unwrap().unwrap().account.clone(),
        bucket: account.stand.variable("TF_VAR_control_bucket").to_owned(),
        prefix: "msk/".to_owned(),
        store_key_arn: None,
        volume_key_arn: disk.key_arn.clone(),
        uid: names.uid().clone(),
        name: ClusterName::new("events"),
    };
    let roles = Roles {
        is_broker: true,
        is_controller: true,
    };
    let (trust, allowed) = (policy::trust(&scope.partition), policy::node(&scope, NODE, roles));
    let wanted = role::Wanted {
        node: NODE,
        trust: &trust,
        policy: &allowed,
        permissions_boundary: None,
        tags: &tags,
    };
    let profile = role::ensure(&iam, names, &wanted).await.unwrap();
    assert_eq!(role::ensure(&iam, names, &wanted).await.unwrap(), profile);

    let (image_id, root_device) = account.image().await;
    let launch = Launch {
        image_id,
        instance_type: "m5.large".to_owned(),
        interface_id: own.id.clone(),
        instance_profile: profile,
        root_device,
        root_size: 16,
        user_data: "#cloud-config\n".to_owned(),
        tags: names.tags(Some(NODE), &tags),
    };
    let made = template::ensure(&ec2, names, NODE, &launch).await.unwrap();
    assert_eq!(
        template::ensure(&ec2, names, NODE, &launch).await.unwrap().id,
        made.id
    );

    let held = Held {
        node: NODE,
        interface_id: Some(&own.id),
    };
    let wanted = placement::Wanted {
        held: held.clone(),
        zone: &account.zone,
        template_id: &made.id,
        tags: &tags,
    };
    placement.ensure(&wanted).await.unwrap();
    placement.ensure(&wanted).await.unwrap();
    let machine = in_service(placement, &held, None).await;
    let has_interface = async |machine: &str| {
        let there = interface::look(&ec2, &own.id).await.unwrap().unwrap();
        assert_eq!(there.private_address, own.private_address);
        there.instance_id.as_deref() == Some(machine)
    };
    assert!(has_interface(&machine).await);

    // Lost, and replaced by another one with the same interface: by the group while nobody runs Terraform, or when
    // asked, twice, since the token of an instance that ended stays burnt.
    let mut before = machine;
    for _ in 0..2 {
        eventually("EC2 knows the machine by its id", async || {
            let ended = ec2.terminate_instances().instance_ids(&before).send().await;
            ended.is_ok()
        })
        .await;
        if self_healing == SelfHealing::Apply {
            eventually("the machine is missed", async || {
                placement
                    .look(std::slice::from_ref(&held))
                    .await
                    .unwrap()
                    .is_empty()
            })
            .await;
            placement.ensure(&wanted).await.unwrap();
            placement.ensure(&wanted).await.unwrap();
        }
        let next = in_service(placement, &held, Some(&before)).await;
        assert!(has_interface(&next).await);
        before = next;
    }
    eventually("AWS says why", async || {
        !placement.words(NODE).await.unwrap().is_empty()
    })
    .await;

    for _ in 0..2 {
        placement.stop(&held).await.unwrap();
        placement.remove(NODE).await.unwrap();
        template::remove(&ec2, &made.id).await.unwrap();
        volume::remove(&ec2, &disk.id).await.unwrap();
        interface::remove(&ec2, &own.id).await.unwrap();
        security_group::remove(&ec2, names, &account.vpc_id)
            .await
            .unwrap();
        role::remove(&iam, names, NODE).await.unwrap();
    }
    assert_eq!(account.stand.left(), serde_json::json!({}));
}

/// The machine that runs, other than `before`.
async fn in_service(placement: &impl Placement, held: &Held<'_>, before: Option<&str>) -> String {
    let mut found = String::new();
    eventually("a machine is in service", async || {
        let kept = placement.look(std::slice::from_ref(held)).await.unwrap();
        let machine = kept.get(&NODE).and_then(|kept| kept.instance_id.clone());
        found = machine.unwrap_or_default();
        !found.is_empty() && Some(found.as_str()) != before
    })
    .await;
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_whose_key_ec2_may_not_use_names_what_is_missing() {
    let account = Account::new().await;
    let ec2 = account.connection.ec2();
    let kms = account.connection.kms();
    let key = account.stand.variable("TF_VAR_kms_key_id");
    kms.disable_key().key_id(key).send().await.unwrap();
    let shape = VolumeShape {
        size: 1,
        kind: "gp3".to_owned(),
        iops: None,
        throughput: None,
    };
    let wanted = volume::Wanted {
        node: NODE,
        zone: &account.zone,
        shape: &shape,
        key: Some(key),
        snapshot_id: None,
        tags: &no_tags(),
        life: 0,
    };
    let error = volume::create(&ec2, &account.names, &wanted).await.unwrap_err();
    assert!(matches!(error, Ec2Error::KeyRefused { .. }), "{error}");
    assert!(error.to_string().contains("kms:CreateGrant"));
    account.stand.must_be_content();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_surveyed_and_what_is_wrong_with_it_found_at_once() {
    use msk::planner::firewall::OpenPorts;
    use msk::planner::preflight::{Severity, check};

    let account = Account::new().await;
    let spec = |subnets: Vec<String>, instance_type: &str| {
        let subnets: Vec<&str> = subnets.iter().map(String::as_str).collect();
        let mut spec = crate::local_cluster::wanted("events", &subnets);
        spec.size.instance_type = instance_type.to_owned();
        spec.size.kms_key_id = Some("alias/stand".to_owned());
        spec.client_sources.security_group_ids = [account
            .stand
            .variable("TF_VAR_client_security_group_id")
            .to_owned()]
        .into();
        spec
    };
    let fits = spec(account.stand.subnets(), "m5.large");
    let seen = Box::pin(survey::survey(&account.connection, &fits))
        .await
        .unwrap();
    assert_eq!(check(&fits, &OpenPorts::default(), &seen), []);
    assert_eq!(seen.instance_types["m5.large"].memory, 8_192);

    let mut subnets = account.stand.subnets();
    subnets[0] = "subnet-00000000000000000".to_owned();
    let wrong = spec(subnets, "m99.huge");
    let seen = Box::pin(survey::survey(&account.connection, &wrong))
        .await
        .unwrap();
    let found = check(&wrong, &OpenPorts::default(), &seen);
    let attributes: Vec<_> = found
        .iter()
        .map(|finding| (finding.severity, finding.attribute))
        .collect();
    assert_eq!(
        attributes,
        [
            (Severity::Error, "subnet_ids"),
            (Severity::Error, "instance_type")
        ],
        "{found:#?}"
    );
    account.stand.must_be_content();
}

async fn eventually(what: &str, mut is_true: impl AsyncFnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !is_true().await {
        assert!(begun.elapsed().as_secs() < 120, "waited in vain: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

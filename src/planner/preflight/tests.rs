use super::*;
use crate::observed::account::{HostedZone, ImageSeen, Quotas, Vpc, Zone};
use crate::planner::tests::world::spec as base;
use crate::spec::cluster::{AwsSpec, Sources};

const REGION: &str = "eu-central-1";

fn spec() -> ClusterSpec {
    let mut spec = base(3, 1);
    spec.zones = ["subnet-a", "subnet-b", "subnet-c"].map(str::to_owned).into();
    spec.size.instance_type = "m5.large".to_owned();
    spec.size.volume_size = 100;
    spec.client_sources = Sources::default();
    spec
}

fn ports() -> OpenPorts {
    OpenPorts {
        internal: [9090, 9091, 9093].into(),
        client: [9094, 9096].into(),
        monitoring: BTreeSet::new(),
    }
}

fn account() -> Account {
    let zones = ["a", "b", "c"];
    let zone_name = |letter: &str| format!("{REGION}{letter}");
    let subnet = |letter: &str| Subnet {
        zone_id: format!("euc1-{letter}"),
        vpc_id: "vpc-1".to_owned(),
        zone: zone_name(letter),
        free_addresses: 250,
    };
    let machine = InstanceType {
        architectures: ["x86_64".to_owned()].into(),
        memory: 8_192,
        processors: 2,
        baseline_throughput: Some(81),
        baseline_iops: Some(3_600),
    };
    let vpc = Vpc {
        has_dns: true,
        has_host_names: true,
    };
    let zone = Zone {
        is_availability_zone: true,
        is_available: true,
    };
    Account {
        region: REGION.to_owned(),
        subnets: zones
            .map(|letter| (format!("subnet-{letter}"), subnet(letter)))
            .into(),
        vpcs: [("vpc-1".to_owned(), vpc)].into(),
        zones: zones.map(|letter| (zone_name(letter), zone.clone())).into(),
        instance_types: [("m5.large".to_owned(), machine)].into(),
        offers: zones
            .map(|letter| ("m5.large".to_owned(), zone_name(letter)))
            .into(),
        security_groups: [("sg-apps".to_owned(), "vpc-1".to_owned())].into(),
        ..Account::default()
    }
}

fn enabled(region: &str) -> Key {
    Key {
        arn: format!("arn:aws:kms:{region}:123456789012:key/k"),
        state: "Enabled".to_owned(),
        is_symmetric: true,
    }
}

#[track_caller]
fn finds(spec: &ClusterSpec, account: &Account, expected: &[(Severity, &str, &str)]) {
    let found = check(spec, &ports(), account);
    let texts: Vec<_> = found.iter().map(|finding| &finding.text).collect();
    assert_eq!(found.len(), expected.len(), "{texts:#?}");
    for (finding, (severity, attribute, word)) in found.iter().zip(expected) {
        assert_eq!(
            (finding.severity, finding.attribute),
            (*severity, *attribute),
            "{}",
            finding.text
        );
        assert!(finding.text.contains(word), "{word}: {}", finding.text);
    }
}

use Severity::{Error, Warning};

#[test]
fn an_account_that_fits_has_no_findings() {
    finds(&spec(), &account(), &[]);
}

#[test]
fn every_wrong_subnet_is_found() {
    let mut account = account();
    account.subnets.remove("subnet-a");
    finds(
        &spec(),
        &account,
        &[(Error, "subnet_ids", "`subnet-a` is not there in eu-central-1")],
    );

    let mut account = self::account();
    account.subnets.get_mut("subnet-b").unwrap().zone = format!("{REGION}a");
    finds(
        &spec(),
        &account,
        &[(
            Error,
            "subnet_ids",
            "subnet-a, subnet-b are all in the zone eu-central-1a",
        )],
    );

    let mut account = self::account();
    account.subnets.get_mut("subnet-c").unwrap().vpc_id = "vpc-2".to_owned();
    finds(&spec(), &account, &[(Error, "subnet_ids", "vpc-1, vpc-2")]);

    let mut account = self::account();
    account.subnets.get_mut("subnet-c").unwrap().free_addresses = 1;
    let mut many = spec();
    many.brokers_per_zone = 2;
    finds(
        &many,
        &account,
        &[(
            Error,
            "subnet_ids",
            "`subnet-c` has 1 free addresses, and 2 nodes",
        )],
    );

    let mut account = self::account();
    let local = account.zones.get_mut("eu-central-1a").unwrap();
    local.is_availability_zone = false;
    account.zones.get_mut("eu-central-1b").unwrap().is_available = false;
    let vpc = account.vpcs.get_mut("vpc-1").unwrap();
    (vpc.has_dns, vpc.has_host_names) = (false, false);
    finds(
        &spec(),
        &account,
        &[
            (Error, "subnet_ids", "local or wavelength"),
            (Error, "subnet_ids", "impaired"),
            (Error, "subnet_ids", "enableDnsSupport"),
            (Error, "subnet_ids", "enableDnsHostnames"),
        ],
    );
}

#[test]
fn controllers_of_their_own_need_addresses_and_a_type_where_they_stand() {
    let mut spec = spec();
    spec.dedicated_controllers = true;
    spec.size.controller_instance_type = Some("m5.large".to_owned());
    let mut account = account();
    account.subnets.get_mut("subnet-b").unwrap().free_addresses = 1;
    finds(
        &spec,
        &account,
        &[(
            Error,
            "subnet_ids",
            "`subnet-b` has 1 free addresses, and 2 nodes",
        )],
    );
    spec.controller_zones = ["subnet-x".to_owned()].into();
    spec.size.controller_instance_type = Some("t9.huge".to_owned());
    finds(
        &spec,
        &account,
        &[
            (Error, "controller_subnet_ids", "`subnet-x`"),
            (
                Error,
                "controller_instance_type",
                "knows no instance type `t9.huge`",
            ),
        ],
    );
}

#[test]
fn a_type_must_be_offered_in_each_zone_and_run_our_programs() {
    let mut account = account();
    account
        .offers
        .remove(&("m5.large".to_owned(), "eu-central-1c".to_owned()));
    let machine = account.instance_types.get_mut("m5.large").unwrap();
    machine.architectures = ["i386".to_owned()].into();
    finds(
        &spec(),
        &account,
        &[
            (Error, "instance_type", "neither x86_64 nor arm64"),
            (Error, "instance_type", "not offered in eu-central-1c"),
        ],
    );
}

#[test]
fn a_volume_that_can_do_more_than_its_machine_is_warned_of() {
    let mut spec = spec();
    spec.size.volume_throughput = Some(125);
    spec.size.volume_iops = Some(4_000);
    finds(
        &spec,
        &account(),
        &[
            (
                Warning,
                "volume_throughput",
                "81 MB/s to its volumes all day, less than the 131 MB/s",
            ),
            (Warning, "volume_iops", "3600 operations"),
        ],
    );
    spec.size.volume_throughput = Some(77);
    spec.size.volume_iops = Some(3_600);
    finds(&spec, &account(), &[]);
}

#[test]
fn a_key_must_be_there_enabled_symmetric_and_of_the_region() {
    let mut spec = spec();
    spec.size.kms_key_id = Some("alias/kafka".to_owned());
    let mut account = account();
    account.key = Some(KeyAnswer::Found(enabled(REGION)));
    finds(&spec, &account, &[]);
    account.key = Some(KeyAnswer::Absent);
    finds(&spec, &account, &[(Error, "kms_key_id", "no key `alias/kafka`")]);
    account.key = Some(KeyAnswer::Hidden);
    finds(&spec, &account, &[(Warning, "kms_key_id", "kms:CreateGrant")]);
    account.key = Some(KeyAnswer::Found(Key {
        state: "PendingDeletion".to_owned(),
        is_symmetric: false,
        ..enabled("us-east-1")
    }));
    finds(
        &spec,
        &account,
        &[
            (Error, "kms_key_id", "PendingDeletion"),
            (Error, "kms_key_id", "symmetric"),
            (
                Error,
                "kms_key_id",
                "is in us-east-1, and the cluster in eu-central-1",
            ),
        ],
    );
}

#[test]
fn the_key_of_the_account_must_let_auto_scaling_make_root_disks() {
    let mut account = account();
    account.default_key = Some(enabled(REGION));
    finds(
        &spec(),
        &account,
        &[(Warning, "kms_key_id", "AWSServiceRoleForAutoScaling")],
    );
    account.default_key.as_mut().unwrap().state = "Disabled".to_owned();
    finds(&spec(), &account, &[(Error, "kms_key_id", "root disks")]);
}

#[test]
fn groups_of_nodes_are_of_the_vpc_and_sources_fit_into_a_group() {
    let mut spec = spec();
    spec.security_group_ids = ["sg-apps".to_owned(), "sg-gone".to_owned()].into();
    spec.client_sources.security_group_ids = ["sg-peer".to_owned()].into();
    let mut account = account();
    finds(
        &spec,
        &account,
        &[
            (Error, "security_group_ids", "`sg-gone`"),
            (Warning, "client_security_group_ids", "`sg-peer`"),
        ],
    );
    account
        .security_groups
        .insert("sg-gone".to_owned(), "vpc-9".to_owned());
    account
        .security_groups
        .insert("sg-peer".to_owned(), "vpc-9".to_owned());
    finds(
        &spec,
        &account,
        &[(
            Error,
            "security_group_ids",
            "is in vpc-9, and the subnets are in vpc-1",
        )],
    );

    let mut spec = self::spec();
    spec.client_sources.cidr_blocks = (0..29).map(|number| format!("10.{number}.0.0/16")).collect();
    finds(
        &spec,
        &account,
        &[(
            Error,
            "client_cidr_blocks",
            "3 with a group + 58 with an IPv4 range = 61",
        )],
    );
}

#[test]
fn an_image_must_be_there_available_and_of_the_machines_architecture() {
    let mut spec = spec();
    spec.aws = Some(AwsSpec {
        image_id: Some("ami-1".to_owned()),
        ..AwsSpec::default()
    });
    let mut account = account();
    finds(
        &spec,
        &account,
        &[(Error, "ami_id", "`ami-1` is not there in eu-central-1")],
    );
    let image = |architecture: &str, state: &str| {
        Some(ImageSeen {
            architecture: architecture.to_owned(),
            state: state.to_owned(),
        })
    };
    account.image = image("x86_64", "available");
    finds(&spec, &account, &[]);
    account.image = image("arm64", "pending");
    finds(
        &spec,
        &account,
        &[
            (Error, "ami_id", "is pending"),
            (Error, "ami_id", "is for arm64, and `m5.large` runs x86_64"),
        ],
    );
}

#[test]
fn a_profile_and_a_boundary_of_the_user_must_be_there() {
    let mut spec = spec();
    spec.aws = Some(AwsSpec {
        instance_profile: Some("kafka-node".to_owned()),
        permissions_boundary: Some("arn:aws:iam::1:policy/bound".to_owned()),
        ..AwsSpec::default()
    });
    let mut account = account();
    finds(
        &spec,
        &account,
        &[
            (Error, "instance_profile", "no instance profile `kafka-node`"),
            (
                Error,
                "permissions_boundary",
                "no policy `arn:aws:iam::1:policy/bound`",
            ),
        ],
    );
    account.profile_roles = Some(0);
    account.has_boundary = true;
    finds(&spec, &account, &[(Error, "instance_profile", "has no role")]);
    account.profile_roles = Some(1);
    finds(&spec, &account, &[]);
}

#[test]
fn a_zone_for_the_names_is_private_seen_by_the_vpc_and_leaves_room_for_names() {
    const ATTRIBUTE: &str = "private_zone_id";
    let mut spec = spec();
    spec.aws = Some(AwsSpec {
        private_zone_id: Some("Z1".to_owned()),
        ..AwsSpec::default()
    });
    let with = |domain: &str, is_private: bool, vpc: &str| Account {
        hosted_zone: Some(HostedZone {
            domain: domain.to_owned(),
            is_private,
            vpc_ids: [vpc.to_owned()].into(),
        }),
        ..account()
    };
    finds(&spec, &with("kafka.internal", true, "vpc-1"), &[]);
    finds(&spec, &account(), &[(Error, ATTRIBUTE, "`Z1` is not there")]);
    finds(
        &spec,
        &with("example.org", false, "vpc-1"),
        &[(Error, ATTRIBUTE, "is public")],
    );
    finds(
        &spec,
        &with("kafka.internal", true, "vpc-2"),
        &[(Error, ATTRIBUTE, "not associated with the VPC vpc-1")],
    );
    let long = vec!["x".repeat(60); 4].join(".");
    finds(
        &spec,
        &with(&long, true, "vpc-1"),
        &[(Error, ATTRIBUTE, "is no name of a host")],
    );
    spec.name = crate::spec::ids::ClusterName::new("x".repeat(64));
    finds(
        &spec,
        &with("kafka.internal", true, "vpc-1"),
        &[(Error, ATTRIBUTE, "at most 63 characters")],
    );
}

#[test]
fn what_the_cluster_needs_by_itself_fits_into_the_quotas() {
    let mut spec = spec();
    spec.dedicated_controllers = true;
    spec.size.controller_instance_type = Some("x2idn.16xlarge".to_owned());
    spec.size.volume_type = "gp3".to_owned();
    spec.size.volume_size = 16_384;
    let mut account = account();
    let mut beside = account.instance_types["m5.large"].clone();
    beside.processors = 64;
    account.instance_types.insert("x2idn.16xlarge".to_owned(), beside);
    for zone in ["a", "b", "c"] {
        let zone = format!("{REGION}{zone}");
        account.offers.insert(("x2idn.16xlarge".to_owned(), zone));
    }
    account.quotas = Quotas {
        standard_processors: Some(5),
        gp3_storage: Some(48),
        group_rules: Some(200),
    };
    spec.client_sources.cidr_blocks = (0..29).map(|number| format!("10.{number}.0.0/16")).collect();
    let sum = "6 virtual processors (3 × 2 of m5.large), and the account may run 5 in eu-central-1";
    let storage = "49 TiB of gp3 volumes, and the account may have 48";
    let expected = [(Error, "instance_type", sum), (Error, "volume_size", storage)];
    finds(&spec, &account, &expected);

    account.quotas.standard_processors = Some(6);
    account.quotas.gp3_storage = Some(49);
    finds(&spec, &account, &[]);
    account.quotas.group_rules = Some(20);
    finds(
        &spec,
        &account,
        &[(Error, "client_cidr_blocks", "(20 for each kind of address)")],
    );

    account.quotas = Quotas::default();
    account.quotas_unasked = Some("the credentials may not do servicequotas:GetServiceQuota".to_owned());
    spec.client_sources = Sources::default();
    finds(&spec, &account, &[(Warning, "", "servicequotas:GetServiceQuota")]);
}

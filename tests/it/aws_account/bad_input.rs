//! What cannot work is said by the plan, before anything is made: each with its attribute or setting, and the way out.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use serde_json::{Value, json};

use super::Account;

/// Makes what is wrong on purpose; prints the ids.
const WRONG: &str = "
ec2, s3, kms = boto3.client('ec2'), boto3.client('s3'), boto3.client('kms')
own = ec2.describe_subnets(SubnetIds=json.loads(argument[0])[:1])['Subnets'][0]
region = own['AvailabilityZone'][:-1]
vpc = ec2.create_vpc(CidrBlock='10.90.0.0/16')['Vpc']['VpcId']
time.sleep(1)
def subnet(vpc, cidr, zone):
    return ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)['Subnet']['SubnetId']
def bucket(name, region):
    client = boto3.client('s3', region_name=region)
    client.create_bucket(Bucket=name, CreateBucketConfiguration={'LocationConstraint': region})
    return name
images = ec2.describe_images(Owners=['amazon'], Filters=[{'Name': 'architecture', 'Values': ['arm64']}])['Images']
key = kms.create_key(Description='disabled')['KeyMetadata']['Arn']
kms.disable_key(KeyId=key)
print(json.dumps({
    'beside': subnet(own['VpcId'], '10.88.100.0/24', own['AvailabilityZone']),
    'tiny': subnet(own['VpcId'], '10.88.101.0/28', region + 'b'),
    'abroad': subnet(vpc, '10.90.1.0/24', region + 'b'),
    'group': ec2.create_security_group(GroupName='abroad', Description='of another VPC', VpcId=vpc)['GroupId'],
    'key': key,
    'image': images[0]['ImageId'],
    'plain_bucket': bucket('msk-plain', region),
    'far_bucket': bucket('msk-far', 'us-west-2'),
}))
time.sleep(4)";

/// Changes of the configuration, by text, and the words of the error.
type Case = (&'static str, &'static str, String, &'static [&'static str]);

fn cases(wrong: &Value, own: &[String]) -> Vec<Case> {
    const SUBNETS: &str = "= var.subnet_ids";
    const KEY: &str = "= var.kms_key_id";
    const BUCKET: &str = "\"msk-stand-control\"";
    let id = |name: &str| wrong[name].as_str().unwrap().to_owned();
    let subnets = |ids: &[&str]| format!("= {}", json!(ids));
    let [first, second, third] = own else {
        panic!("three subnets")
    };
    let more = |attribute: &str| format!("{KEY}\n  {attribute}");
    vec![
        (
            "main.tf",
            SUBNETS,
            subnets(&[first, &id("beside"), third]),
            &["are all in the zone"],
        ),
        (
            "main.tf",
            SUBNETS,
            subnets(&[first, &id("abroad"), third]),
            &["several VPCs"],
        ),
        (
            "main.tf",
            SUBNETS,
            subnets(&[first, second, "subnet-0123456789abcdef0"]),
            &["`subnet-0123456789abcdef0` is not there"],
        ),
        (
            "main.tf",
            SUBNETS,
            subnets(&[first, second, third, &id("beside")]),
            &["subnet_ids", "3"],
        ),
        (
            "main.tf",
            SUBNETS,
            subnets(&["a", "b", "c"]),
            &["the id of a subnet (`subnet-…`)"],
        ),
        (
            "main.tf",
            SUBNETS,
            format!("{}\n  brokers_per_az = 20", subnets(&[first, &id("tiny"), third])),
            &["free addresses, and 21 nodes need one each"],
        ),
        (
            "main.tf",
            KEY,
            more("instance_type = \"q9.large\""),
            &["knows no instance type `q9.large`"],
        ),
        (
            "main.tf",
            KEY,
            more(&format!("ami_id = \"{}\"", id("image"))),
            &["is for arm64"],
        ),
        (
            "main.tf",
            KEY,
            more("ami_id = \"ami-0123456789abcdef0\""),
            &["ami-0123456789abcdef0"],
        ),
        (
            "main.tf",
            KEY,
            more("private_zone_id = \"Z0123\""),
            &["`Z0123` is not there"],
        ),
        (
            "main.tf",
            KEY,
            more("instance_profile = \"nobodys\""),
            &["nobodys"],
        ),
        ("main.tf", KEY, format!("= \"{}\"", id("key")), &["is Disabled"]),
        (
            "main.tf",
            KEY,
            "= \"alias/nobodys\"".to_owned(),
            &["alias/nobodys"],
        ),
        (
            "main.tf",
            KEY,
            more(&format!("security_group_ids = [\"{}\"]", id("group"))),
            &["and the subnets are in vpc-"],
        ),
        (
            "main.tf",
            KEY,
            more("security_group_ids = [\"sg-0123456789abcdef0\"]"),
            &["sg-0123456789abcdef0"],
        ),
        (
            "provider.tf",
            BUCKET,
            format!("\"{}\"", id("plain_bucket")),
            &["msk-plain", "version"],
        ),
        (
            "provider.tf",
            BUCKET,
            format!("\"{}\"", id("far_bucket")),
            &["msk-far", "us-west-2"],
        ),
        (
            "provider.tf",
            BUCKET,
            "\"msk-nobodys\"".to_owned(),
            &["msk-nobodys", "create_control_bucket"],
        ),
        (
            "provider.tf",
            BUCKET,
            format!("{BUCKET}\n    forbidden_account_ids = [\"123456789012\"]"),
            &["123456789012", "forbidden_account_ids"],
        ),
        (
            "provider.tf",
            BUCKET,
            format!("{BUCKET}\n    allowed_account_ids = [\"111111111111\"]"),
            &["123456789012", "allowed_account_ids"],
        ),
    ]
}

/// Variables of the environment, and the words of the error.
type Setting = (
    &'static [(&'static str, Option<&'static str>)],
    &'static [&'static str],
);

const SETTINGS: &[Setting] = &[
    (
        &[
            ("AWS_ACCESS_KEY_ID", None),
            ("AWS_SECRET_ACCESS_KEY", None),
            ("AWS_EC2_METADATA_DISABLED", Some("true")),
            ("AWS_SHARED_CREDENTIALS_FILE", Some("/nowhere")),
            ("AWS_CONFIG_FILE", Some("/nowhere")),
        ],
        &["there are no valid credentials"],
    ),
    (
        &[("AWS_SECRET_ACCESS_KEY", Some("of-somebody-else"))],
        &["there are no valid credentials"],
    ),
    (
        &[
            ("AWS_REGION", None),
            ("AWS_DEFAULT_REGION", None),
            ("AWS_EC2_METADATA_DISABLED", Some("true")),
        ],
        &["Region is known", "`aws.region`"],
    ),
    (
        &[("AWS_REGION", Some("us-west-2"))],
        &["is in eu-central-1", "us-west-2"],
    ),
];

#[test]
fn what_cannot_work_is_said_by_the_plan_before_anything_is_made() {
    let mut account = Account::with("");
    account.nodes = None;
    let own = account.stand.subnets();
    let wrong = account
        .stand
        .by_hand(WRONG, &[&serde_json::to_string(&own).unwrap()]);
    let wrong: Value = serde_json::from_str(&wrong).unwrap();
    let before = account.stand.left();
    for (file, old, new, words) in cases(&wrong, &own) {
        account.terraform.replace(file, old, &new);
        println!("--- {old} {new}");
        account.terraform.plan(&[]).outcome.must_fail_with(words);
        account.terraform.replace(file, &new, old);
    }
    for (variables, words) in SETTINGS {
        println!("--- {variables:?}");
        for (name, value) in *variables {
            match value {
                Some(value) => account.terraform.set(name, value),
                None => account.terraform.unset(name),
            }
        }
        account.terraform.plan(&[]).outcome.must_fail_with(words);
        for (name, _) in *variables {
            match account.stand.exports().get(*name) {
                Some(value) => account.terraform.set(name, value),
                None => account.terraform.unset(name),
            }
        }
    }
    let page = login_page();
    account.terraform.set("AWS_ENDPOINT_URL", &page);
    account
        .terraform
        .plan(&[])
        .outcome
        .must_fail_with(&["is not AWS", "proxy"]);
    account
        .terraform
        .set("AWS_ENDPOINT_URL", account.stand.variable("AWS_ENDPOINT_URL"));

    // A young account may run few machines.
    let quotas = json!({"quotas": {"L-1216C47A": 5.0, "L-0EA8095F": 60.0}});
    account.stand.control("POST", "settings", &quotas.to_string());
    account.terraform.plan(&[]).outcome.must_fail_with(&[
        "need 12 virtual processors",
        "may run 5",
        "request-service-quota-increase",
    ]);
    let quotas = json!({"quotas": {}});
    account.stand.control("POST", "settings", &quotas.to_string());
    // What is only compared does not stand in the way.
    let fault = json!({
        "service": "servicequotas", "action": "GetServiceQuota", "count": 1, "code": "AccessDeniedException", "status": 400
    });
    account.stand.control("POST", "faults", &fault.to_string());
    let warned = account.terraform.plan(&[]).outcome.must_succeed().warnings();
    assert!(
        warned.concat().contains("servicequotas:GetServiceQuota"),
        "{warned:?}"
    );

    // Throttled for a while is a wait, and no error.
    for action in ["DescribeSubnets", "DescribeInstanceTypes"] {
        let fault = json!({
            "service": "ec2", "action": action, "count": 5, "code": "RequestLimitExceeded", "status": 503
        });
        account.stand.control("POST", "faults", &fault.to_string());
    }
    account.terraform.plan(&[]).outcome.must_succeed();
    assert_eq!(account.stand.left(), before, "a plan makes nothing");
}

/// The address of a server that answers everything with a page to sign in.
fn login_page() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.read(&mut [0; 16_384]);
            let page = "<html><body>Sign in to the guest network</body></html>";
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}",
                page.len()
            );
        }
    });
    address
}

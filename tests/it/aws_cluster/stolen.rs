//! Somebody has the credentials of a broker's role. What it may read is what that broker needs; everything else is
//! refused.

use super::World;
use crate::support::stand::Stand;

/// The credentials of an instance's role, as whoever is on the instance gets them.
const CREDENTIALS: &str = "\
token=$(curl -fsS -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)
at=http://169.254.169.254/latest/meta-data/iam/security-credentials
role=$(curl -fsS -H \"X-aws-ec2-metadata-token: $token\" $at/)
curl -fsS -H \"X-aws-ec2-metadata-token: $token\" $at/$role";

/// Nothing but what the broker needs can be done with its role.
#[track_caller]
pub(super) fn a_stolen_role_does_what_its_broker_does(world: &World) {
    let cluster = world.cluster();
    let instance = cluster["brokers"][0]["instance_id"].as_str().unwrap();
    let output = Stand::inside(instance, &["sh", "-c", CREDENTIALS]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let credentials = String::from_utf8_lossy(&output.stdout).into_owned();
    let facts = cluster.to_string();
    let said = world.stand.by_hand(
        include_str!("stolen.py"),
        &[
            &credentials,
            &facts,
            world.stand.variable("TF_VAR_control_bucket"),
        ],
    );
    println!("{said}");
}

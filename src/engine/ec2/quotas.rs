//! What the account may have, as Service Quotas tells it.

use aws_sdk_servicequotas::Client;

use crate::aws::{CallError, Kind, Service};
use crate::observed::account::Quotas;
use crate::planner::firewall::RULE_QUOTA;

/// "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances" of EC2, in virtual processors
/// (codes: EC2, EBS and VPC user guides, pages on quotas).
const STANDARD_PROCESSORS: (&str, &str) = ("ec2", "L-1216C47A");
/// "Storage for General Purpose SSD (gp3) volumes, in TiB" of EBS.
const GP3_STORAGE: (&str, &str) = ("ebs", "L-7A658B76");
/// "Inbound or outbound rules per security group" of VPC.
const GROUP_RULES: (&str, &str) = ("vpc", "L-0EA8095F");

/// Asks for all that a cluster meets first.
///
/// # Errors
/// [`CallError`]: not allowed, or not reached.
pub async fn ask(client: &Client) -> Result<Quotas, CallError> {
    let (standard_processors, gp3_storage, group_rules) = tokio::try_join!(
        value(client, STANDARD_PROCESSORS),
        value(client, GP3_STORAGE),
        value(client, GROUP_RULES),
    )?;
    Ok(Quotas {
        standard_processors,
        gp3_storage,
        group_rules,
    })
}

/// How many rules a security group may have; the default where the account's own number cannot be asked.
pub async fn rules_of_a_group(client: &Client) -> usize {
    let asked = value(client, GROUP_RULES).await.ok().flatten();
    asked
        .and_then(|count| usize::try_from(count).ok())
        .unwrap_or(RULE_QUOTA)
}

async fn value(client: &Client, (service, code): (&str, &str)) -> Result<Option<u64>, CallError> {
    let asked = client
        .get_service_quota()
        .service_code(service)
        .quota_code(code)
        .send()
        .await;
    match asked.map_err(|error| CallError::new(Service::ServiceQuotas, "GetServiceQuota", &error)) {
        Ok(answer) => Ok(answer
            .quota()
            .and_then(aws_sdk_servicequotas::types::ServiceQuota::value)
            .and_then(whole)),
        // A quota that nobody has ever changed may have no value of the account's own.
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Quotas are told as numbers with a fraction.
fn whole(value: f64) -> Option<u64> {
    format!("{:.0}", value.floor()).parse().ok()
}

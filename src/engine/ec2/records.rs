//! The nodes' names in the user's private hosted zone: one address record each.
//!
//! A record has no tags. It is the cluster's if it leads to the node's address, or if the cluster has made its records
//! before; a name that leads elsewhere before that is somebody else's, and an error. Route 53 carries a batch out whole
//! or not at all.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_route53::Client;
use aws_sdk_route53::config::http::HttpResponse;
use aws_sdk_route53::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_route53::types::{
    Change, ChangeAction, ChangeBatch, ChangeInfo, ChangeStatus, HostedZoneConfig, ResourceRecord,
    ResourceRecordSet, RrType,
};

use super::calls::Patience;
use super::error::Ec2Error;
use crate::aws::{CallError, Kind, Service};
use crate::observed::account::HostedZone;
use crate::store::documents::PrivateZone;

/// Seconds for which clients may remember an address. It never changes while the cluster lives.
const TTL: i64 = 60;
/// A change reaches all servers of Route 53 usually within a minute (Route 53 developer guide, "Checking the status of
/// your changes").
const SPREAD_WITHIN: Duration = Duration::from_mins(5);
/// How often a batch is put together again because others changed the records in between.
const RACES: u32 = 4;
/// Pages of 300; more records of other kinds below a cluster's name are not looked through.
const MOST_PAGES: u32 = 20;

/// The address of each name. Names are in lower case, without the dot at the end.
pub type Addresses = BTreeMap<String, String>;

fn route53<E>(action: &'static str) -> impl Fn(SdkError<E, HttpResponse>) -> CallError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    move |error| CallError::new(Service::Route53, action, &error)
}

/// A value of ours that the SDK finds incomplete.
fn incomplete(_: BuildError) -> Ec2Error {
    Ec2Error::Broken
}

/// What a zone is; `None` if there is none.
pub(super) async fn zone(client: &Client, id: &str) -> Result<Option<HostedZone>, Ec2Error> {
    let asked = client.get_hosted_zone().id(id).send().await;
    let answer = match asked.map_err(route53("GetHostedZone")) {
        Ok(answer) => answer,
        Err(error) if error.kind() == Kind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let vpcs = answer.vpcs().iter();
    Ok(answer.hosted_zone().map(|zone| HostedZone {
        domain: bare(zone.name()),
        is_private: zone.config().is_some_and(HostedZoneConfig::private_zone),
        vpc_ids: vpcs.filter_map(|vpc| Some(vpc.vpc_id()?.to_owned())).collect(),
    }))
}

/// Every record of the names that leads somewhere.
pub(super) async fn look(
    client: &Client,
    zone: &PrivateZone,
    names: &Addresses,
) -> Result<BTreeMap<String, Vec<ResourceRecordSet>>, Ec2Error> {
    let mut found: BTreeMap<String, Vec<ResourceRecordSet>> = BTreeMap::new();
    // All are below one name, and Route 53 lists by label from the right: they stand together.
    let Some((_, below)) = names.keys().next().and_then(|name| name.split_once('.')) else {
        return Ok(found);
    };
    let mut start = (below.to_owned(), None, None);
    for _ in 0..MOST_PAGES {
        let page = client
            .list_resource_record_sets()
            .hosted_zone_id(&zone.id)
            .start_record_name(&start.0)
            .set_start_record_type(start.1.take())
            .set_start_record_identifier(start.2.take())
            .send()
            .await
            .map_err(route53("ListResourceRecordSets"))?;
        let mut is_past = false;
        for record in page.resource_record_sets() {
            let name = bare(record.name());
            is_past |= name != below && !name.ends_with(&format!(".{below}"));
            let leads = matches!(record.r#type(), RrType::A | RrType::Aaaa | RrType::Cname);
            if leads && names.contains_key(&name) {
                found.entry(name).or_default().push(record.clone());
            }
        }
        match page.next_record_name() {
            Some(next) if page.is_truncated() && !is_past => {
                let identifier = page.next_record_identifier().map(str::to_owned);
                start = (next.to_owned(), page.next_record_type().cloned(), identifier);
            }
            _ => break,
        }
    }
    Ok(found)
}

/// Whether these records lead to the address and nowhere else.
pub(super) fn is_right(records: &[ResourceRecordSet], address: &str) -> bool {
    let [record] = records else { return false };
    let values = record.resource_records();
    record.r#type() == &RrType::A
        && record.set_identifier().is_none()
        && values.len() == 1
        && values.iter().all(|value| value.value() == address)
}

/// Makes each name lead to its address, and waits until all servers know; `say` hears what is waited for.
///
/// # Errors
/// [`Ec2Error::NameTaken`] before the cluster has made its records; [`Ec2Error`].
pub async fn ensure(
    client: &Client,
    zone: &PrivateZone,
    names: &Addresses,
    say: impl Fn(&str) + Send,
) -> Result<(), Ec2Error> {
    for _ in 0..RACES {
        let found = look(client, zone, names).await?;
        let mut changes = Vec::new();
        for (name, address) in names {
            let there = found.get(name).map(Vec::as_slice).unwrap_or_default();
            if is_right(there, address) {
                continue;
            }
            if !zone.is_ours && !there.is_empty() {
                return Err(Ec2Error::NameTaken {
                    name: name.clone(),
                    zone: zone.id.clone(),
                    values: values(there),
                });
            }
            // One of the same type is written over; what stands beside it goes.
            let is_same = |record: &&ResourceRecordSet| {
                record.r#type() == &RrType::A && record.set_identifier().is_none()
            };
            for record in there.iter().filter(|record| !is_same(record)) {
                changes.push(change(ChangeAction::Delete, record.clone())?);
            }
            // A creation is refused if somebody was faster.
            let action = if there.iter().any(|record| is_same(&record)) {
                ChangeAction::Upsert
            } else {
                ChangeAction::Create
            };
            changes.push(change(action, wanted(name, address)?)?);
        }
        if changes.is_empty() {
            return Ok(());
        }
        if let Some(change) = send(client, zone, changes).await? {
            say("the nodes' names spread over the servers of Route 53");
            return spread(client, &change).await;
        }
    }
    Err(Ec2Error::TakenOver)
}

/// Removes the records that lead to the nodes' addresses. Those that lead elsewhere are somebody else's by now.
///
/// # Errors
/// [`Ec2Error`]; run it again, it goes on.
pub async fn remove(client: &Client, zone: &PrivateZone, names: &Addresses) -> Result<(), Ec2Error> {
    for _ in 0..RACES {
        let found = match look(client, zone, names).await {
            // The zone is gone, and every record with it.
            Err(Ec2Error::Call(error)) if error.kind() == Kind::NotFound => return Ok(()),
            found => found?,
        };
        let mut changes = Vec::new();
        for (name, records) in found {
            if names
                .get(&name)
                .is_some_and(|address| is_right(&records, address))
            {
                for record in records {
                    changes.push(change(ChangeAction::Delete, record)?);
                }
            }
        }
        if changes.is_empty() || send(client, zone, changes).await?.is_some() {
            return Ok(());
        }
    }
    Err(Ec2Error::TakenOver)
}

/// Carries a batch out; `None` if others were faster and it is to be put together again.
async fn send(
    client: &Client,
    zone: &PrivateZone,
    changes: Vec<Change>,
) -> Result<Option<ChangeInfo>, Ec2Error> {
    let batch = ChangeBatch::builder()
        .set_changes(Some(changes))
        .comment("terraform-provider-msk")
        .build()
        .map_err(incomplete)?;
    let asked = client
        .change_resource_record_sets()
        .hosted_zone_id(&zone.id)
        .change_batch(batch)
        .send()
        .await;
    let answer = match asked.map_err(route53("ChangeResourceRecordSets")) {
        Ok(answer) => answer,
        Err(error) if matches!(error.code(), "InvalidChangeBatch" | "InvalidInput") => {
            tracing::debug!(%error, "looks at the records again");
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    answer.change_info.map(Some).ok_or(Ec2Error::Incomplete {
        service: "Route 53",
        action: "ChangeResourceRecordSets",
        what: "the change",
    })
}

/// Waits until a change has reached every server.
async fn spread(client: &Client, change: &ChangeInfo) -> Result<(), Ec2Error> {
    let (id, mut status) = (change.id(), change.status().clone());
    let mut patience = Patience::of(SPREAD_WITHIN);
    while status != ChangeStatus::Insync {
        if !patience.pause().await {
            return Err(patience.too_late(format!("the change {id} of the private zone"), "PENDING"));
        }
        let asked = client.get_change().id(id).send().await;
        let answer = asked.map_err(route53("GetChange"))?;
        if let Some(info) = answer.change_info() {
            status = info.status().clone();
        }
    }
    Ok(())
}

fn wanted(name: &str, address: &str) -> Result<ResourceRecordSet, Ec2Error> {
    let value = ResourceRecord::builder().value(address).build();
    ResourceRecordSet::builder()
        .name(name)
        .r#type(RrType::A)
        .ttl(TTL)
        .resource_records(value.map_err(incomplete)?)
        .build()
        .map_err(incomplete)
}

fn change(action: ChangeAction, record: ResourceRecordSet) -> Result<Change, Ec2Error> {
    let change = Change::builder().action(action).resource_record_set(record);
    change.build().map_err(incomplete)
}

fn values(records: &[ResourceRecordSet]) -> String {
    let values = records.iter().flat_map(|record| {
        let alias = record.alias_target().map(|target| target.dns_name().to_owned());
        let plain = record.resource_records().iter();
        plain.map(|value| value.value().to_owned()).chain(alias)
    });
    values.collect::<Vec<_>>().join(", ")
}

/// A name as we write it: Route 53 puts a dot behind it.
fn bare(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_right_if_it_leads_to_the_address_and_nowhere_else() {
        let right = wanted("b-1.demo.example", "10.0.0.1").unwrap();
        let is_right = |records: &[&ResourceRecordSet]| {
            let records: Vec<ResourceRecordSet> = records.iter().copied().cloned().collect();
            is_right(&records, "10.0.0.1")
        };
        assert!(is_right(&[&right]));
        assert!(!is_right(&[]));
        let other = wanted("b-1.demo.example", "10.0.0.2").unwrap();
        assert!(!is_right(&[&other]));
        assert!(!is_right(&[&right, &other]));
        let change = |change: fn(&mut ResourceRecordSet)| {
            let mut record = right.clone();
            change(&mut record);
            record
        };
        assert!(!is_right(&[&change(|record| record.r#type = RrType::Aaaa)]));
        assert!(!is_right(&[&change(|record| {
            record.set_identifier = Some("blue".to_owned());
        })]));
        assert!(!is_right(&[&change(|record| {
            let more = ResourceRecord::builder().value("10.0.0.2").build();
            record.resource_records.as_mut().unwrap().push(more.unwrap());
        })]));
        assert!(is_right(&[&change(|record| record.ttl = Some(5))]));
        assert_eq!(values(&[right, other]), "10.0.0.1, 10.0.0.2");
        assert_eq!(bare("Example.Internal."), "example.internal");
    }
}

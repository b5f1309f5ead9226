//! Access rules.

use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::{CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest};

use super::{Admin, MAX_ITEMS, text};
use crate::kafka::acl::{AclEntry, AclOperation, AclPatternType, AclPermission, AclResourceType};
use crate::kafka::client::error::{Error, KafkaError};

/// The code of "whatever it is" in filters.
const ANY: i8 = 1;

/// How a filter compares resource names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PatternFilter {
    /// Entries with this very name, of any pattern type.
    #[default]
    Any,
    /// Entries that hold for a resource of this name: literal, prefixes of it, and `*`.
    Match,
    /// Entries with this very name and this pattern type.
    Exactly(AclPatternType),
}

/// Which entries are asked for; what is `None` is not compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AclFilter {
    /// The kind of resource.
    pub resource_type: Option<AclResourceType>,
    /// The resource name, compared as `pattern` says.
    pub resource_name: Option<String>,
    /// How `resource_name` is compared.
    pub pattern: PatternFilter,
    /// Such as `User:app`.
    pub principal: Option<String>,
    /// An address or `*`.
    pub host: Option<String>,
    /// The operation.
    pub operation: Option<AclOperation>,
    /// Allow or deny.
    pub permission: Option<AclPermission>,
}

/// The entries that a filter found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AclListing {
    /// The entries, sorted.
    pub entries: Vec<AclEntry>,
    /// How many more there are that this version does not know how to read, made with a newer Kafka.
    pub unreadable: usize,
}

impl Admin {
    /// Lists access rules; the default filter finds all.
    ///
    /// # Errors
    /// [`Error`]; `SECURITY_DISABLED` if the cluster has no authorizer.
    pub async fn describe_acls(&self, filter: &AclFilter) -> Result<AclListing, Error> {
        let answer = self
            .session
            .call(|_| {
                DescribeAclsRequest::default()
                    .with_resource_type_filter(filter.resource_type.map_or(ANY, AclResourceType::code))
                    .with_resource_name_filter(filter.resource_name.as_deref().map(text))
                    .with_pattern_type_filter(match filter.pattern {
                        PatternFilter::Any => ANY,
                        PatternFilter::Match => 2,
                        PatternFilter::Exactly(pattern) => pattern.code(),
                    })
                    .with_principal_filter(filter.principal.as_deref().map(text))
                    .with_host_filter(filter.host.as_deref().map(text))
                    .with_operation(filter.operation.map_or(ANY, AclOperation::code))
                    .with_permission_type(filter.permission.map_or(ANY, AclPermission::code))
            })
            .await?;
        let body = answer.body;
        self.check::<DescribeAclsRequest>(body.error_code, body.error_message.as_deref())?;
        let mut listing = AclListing::default();
        for resource in &body.resources {
            for acl in &resource.acls {
                let entry = our_entry(
                    (
                        resource.resource_type,
                        resource.resource_name.as_str(),
                        resource.pattern_type,
                    ),
                    (acl.principal.as_str(), acl.host.as_str()),
                    (acl.operation, acl.permission_type),
                );
                match entry {
                    Some(entry) => listing.entries.push(entry),
                    None => listing.unreadable += 1,
                }
            }
        }
        listing.entries.sort();
        Ok(listing)
    }

    /// Adds access rules; one that exists already is a success. The results are in the order of `entries`.
    ///
    /// # Errors
    /// [`Error`]; per entry `INVALID_REQUEST` for names that Kafka does not take.
    pub async fn create_acls(&self, entries: &[AclEntry]) -> Result<Vec<Result<(), KafkaError>>, Error> {
        let mut results = Vec::with_capacity(entries.len());
        for part in entries.chunks(MAX_ITEMS) {
            let answer = self
                .session
                .call(|_| CreateAclsRequest::default().with_creations(part.iter().map(creation).collect()))
                .await?;
            self.expect_as_many::<CreateAclsRequest>(part.len(), answer.body.results.len())?;
            let outcomes = answer.body.results.iter();
            results.extend(outcomes.map(|result| {
                KafkaError::check(result.error_code, result.error_message.as_deref())
                    .map_err(|error| error.with_throttle(answer.body.throttle_time_ms))
            }));
        }
        Ok(results)
    }

    /// Removes exactly these access rules. The results are in the order of `entries`: whether the rule was
    /// there.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delete_acls(&self, entries: &[AclEntry]) -> Result<Vec<Result<bool, KafkaError>>, Error> {
        let mut results = Vec::with_capacity(entries.len());
        for part in entries.chunks(MAX_ITEMS) {
            let answer = self
                .session
                .call(|_| DeleteAclsRequest::default().with_filters(part.iter().map(exact_filter).collect()))
                .await?;
            let body = answer.body;
            self.expect_as_many::<DeleteAclsRequest>(part.len(), body.filter_results.len())?;
            results.extend(body.filter_results.iter().map(|result| {
                KafkaError::check(result.error_code, result.error_message.as_deref())
                    .map_err(|error| error.with_throttle(body.throttle_time_ms))?;
                for entry in &result.matching_acls {
                    KafkaError::check(entry.error_code, entry.error_message.as_deref())?;
                }
                Ok(!result.matching_acls.is_empty())
            }));
        }
        Ok(results)
    }

    /// These answers name no items: they are known by their places only.
    fn expect_as_many<R: crate::kafka::client::api::Api>(
        &self,
        asked: usize,
        given: usize,
    ) -> Result<(), Error> {
        if asked == given {
            return Ok(());
        }
        Err(self.bad_answer::<R>(format!("{given} results for {asked} items")))
    }
}

fn creation(entry: &AclEntry) -> AclCreation {
    AclCreation::default()
        .with_resource_type(entry.resource_type.code())
        .with_resource_name(text(&entry.resource_name))
        .with_resource_pattern_type(entry.pattern_type.code())
        .with_principal(text(&entry.principal))
        .with_host(text(&entry.host))
        .with_operation(entry.operation.code())
        .with_permission_type(entry.permission.code())
}

fn exact_filter(entry: &AclEntry) -> DeleteAclsFilter {
    DeleteAclsFilter::default()
        .with_resource_type_filter(entry.resource_type.code())
        .with_resource_name_filter(Some(text(&entry.resource_name)))
        .with_pattern_type_filter(entry.pattern_type.code())
        .with_principal_filter(Some(text(&entry.principal)))
        .with_host_filter(Some(text(&entry.host)))
        .with_operation(entry.operation.code())
        .with_permission_type(entry.permission.code())
}

fn our_entry(resource: (i8, &str, i8), who: (&str, &str), what: (i8, i8)) -> Option<AclEntry> {
    Some(AclEntry {
        resource_type: AclResourceType::from_code(resource.0)?,
        resource_name: resource.1.to_owned(),
        pattern_type: AclPatternType::from_code(resource.2)?,
        principal: who.0.to_owned(),
        host: who.1.to_owned(),
        operation: AclOperation::from_code(what.0)?,
        permission: AclPermission::from_code(what.1)?,
    })
}

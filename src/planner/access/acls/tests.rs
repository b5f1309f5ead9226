use super::*;
use crate::kafka::acl::{AclPatternType, AclPermission, AclResourceType};
use crate::planner::tests::claims::claim;
use crate::store::documents::Phase;

fn key() -> AclKey {
    AclKey {
        principal: "User:app".to_owned(),
        host: "*".to_owned(),
        resource_type: AclResourceType::Topic,
        pattern_type: AclPatternType::Literal,
        resource_name: "orders".to_owned(),
        permission: AclPermission::Allow,
    }
}

fn desired(operations: &[AclOperation], generation: u64, tombstones: Vec<AclTombstone>) -> AclsDesired {
    let wanted = AclDesired {
        claim: claim(Phase::Held),
        generation: Generation(generation),
        key: key(),
        operations: operations.iter().copied().collect(),
        written: crate::store::documents::WrittenConfiguration::default(),
    };
    AclsDesired {
        keep: [(key().id(), wanted)].into(),
        tombstones,
    }
}

fn tombstone(operation: AclOperation, generation: u64) -> AclTombstone {
    AclTombstone {
        key: key(),
        operations: [operation].into(),
        generation: Generation(generation),
    }
}

fn has(operations: &[AclOperation]) -> BTreeSet<AclEntry> {
    operations
        .iter()
        .map(|operation| entry(&key(), *operation))
        .collect()
}

#[test]
fn missing_operations_are_created_and_foreign_ones_stay_without_a_tombstone() {
    let seen = has(&[AclOperation::Write]);
    let plan = plan_acls(
        &desired(&[AclOperation::Read], 3, Vec::new()),
        &seen,
        &AclsStatus::default(),
    );
    assert_eq!(plan.create, has(&[AclOperation::Read]));
    assert!(plan.delete.is_empty());
}

#[test]
fn a_tombstone_deletes_the_exact_entry_unless_it_is_kept_since() {
    let seen = has(&[AclOperation::Read, AclOperation::Write]);
    let plan = |kept_since| {
        let document = desired(
            &[AclOperation::Read],
            kept_since,
            vec![
                tombstone(AclOperation::Read, 5),
                tombstone(AclOperation::Write, 5),
            ],
        );
        plan_acls(&document, &seen, &AclsStatus::default()).delete
    };
    assert_eq!(plan(6), has(&[AclOperation::Write]));
    assert_eq!(plan(4), has(&[AclOperation::Read, AclOperation::Write]));
}

#[test]
fn what_was_applied_before_is_drift_for_the_provider_and_not_created_again() {
    let last = AclsStatus {
        applied: Generation(3),
        ..AclsStatus::default()
    };
    let document = desired(&[AclOperation::Read], 3, Vec::new());
    assert_eq!(plan_acls(&document, &BTreeSet::new(), &last), AclsPlan::default());
    let wanted = document.keep.values().next().unwrap();
    let drift = acl_drift(wanted, None);
    assert_eq!(drift.missing, [AclOperation::Read].into());
    let seen = AclObserved {
        key: key(),
        operations: [AclOperation::Read, AclOperation::Delete].into(),
    };
    assert_eq!(
        acl_drift(wanted, Some(&seen)).foreign,
        [AclOperation::Delete].into()
    );
}

use super::*;
use crate::planner::tests::claims::claim;

fn desired(phase: Phase, tombstones: Vec<UserTombstone>) -> UsersDesired {
    let wanted = UserDesired {
        claim: claim(phase),
        generation: Generation(4),
        mechanism: "SCRAM-SHA-512".to_owned(),
        iterations: 8192,
        secret: SecretReference::File("/private/app.json".to_owned()),
        secret_version: 1,
        fingerprint: "f".to_owned(),
        written: crate::store::documents::WrittenConfiguration::default(),
    };
    UsersDesired {
        keep: [("app".to_owned(), wanted)].into(),
        tombstones,
    }
}

fn kafka(iterations: u32) -> KafkaUsers {
    [(
        "app".to_owned(),
        [("SCRAM-SHA-512".to_owned(), iterations)].into(),
    )]
    .into()
}

fn snapshot(applied_generation: Option<Generation>) -> UsersStatus {
    let seen = UserObserved {
        mechanisms: [("SCRAM-SHA-512".to_owned(), 4096)].into(),
        applied_generation,
        applied_version: None,
    };
    UsersStatus {
        users: [("app".to_owned(), seen)].into(),
        ..UsersStatus::default()
    }
}

#[test]
fn a_new_entry_sets_the_password_and_an_applied_one_does_not() {
    let document = desired(Phase::Making, Vec::new());
    let plan = plan_users(&document, &KafkaUsers::new(), &UsersStatus::default());
    assert!(matches!(plan.operations[..], [UserOperation::Upsert { .. }]));
    let last = UsersStatus {
        applied: Generation(4),
        ..UsersStatus::default()
    };
    assert_eq!(
        plan_users(&document, &KafkaUsers::new(), &last),
        UsersPlan::default()
    );
}

#[test]
fn the_password_of_a_user_that_was_there_before_is_never_overwritten() {
    let document = desired(Phase::Making, Vec::new());
    let plan = plan_users(&document, &kafka(4096), &snapshot(None));
    assert!(plan.operations.is_empty());
    assert_eq!(plan.failures["app"].code, codes::EXISTS_ALREADY);
    let ours = plan_users(&document, &kafka(4096), &snapshot(Some(Generation(2))));
    assert_eq!(ours.operations.len(), 1);
}

#[test]
fn a_tombstone_deletes_unless_the_user_is_kept_since() {
    let tombstone = |generation| UserTombstone {
        username: "app".to_owned(),
        mechanism: "SCRAM-SHA-512".to_owned(),
        generation: Generation(generation),
    };
    let last = UsersStatus {
        applied: Generation(4),
        ..UsersStatus::default()
    };
    let late = plan_users(&desired(Phase::Held, vec![tombstone(3)]), &kafka(8192), &last);
    assert_eq!(late, UsersPlan::default());
    let document = UsersDesired {
        keep: BTreeMap::new(),
        tombstones: vec![tombstone(5)],
    };
    let plan = plan_users(&document, &kafka(8192), &last);
    assert!(matches!(plan.operations[..], [UserOperation::Delete { .. }]));
}

#[test]
fn other_iterations_and_a_missing_credential_are_drift() {
    let document = desired(Phase::Held, Vec::new());
    let wanted = &document.keep["app"];
    let status = snapshot(None);
    assert_eq!(user_drift(wanted, None), UserDrift::Gone);
    assert_eq!(
        user_drift(wanted, status.users.get("app")),
        UserDrift::Iterations(4096)
    );
}

//! The two snapshot files that an initial voter of a dynamic quorum starts from. Pure.
//!
//! `bootstrap.checkpoint` holds the first metadata records: feature levels and, where nodes log in with
//! SCRAM among each other, their users. The checkpoint in `__cluster_metadata-0` holds the Raft layer's:
//! that the quorum is dynamic, and who votes.

use super::batch::{Purpose, Record, append, append_unsigned};
use super::uuid;
use super::{Error, ScramUser, Voter};
use crate::clock::Timestamp;
use crate::kafka::versions::KafkaVersion;

/// Types of control records (`ControlRecordType.java`, 4.3).
const SNAPSHOT_HEADER: i16 = 3;
const SNAPSHOT_FOOTER: i16 = 4;
const KRAFT_VERSION: i16 = 5;
const KRAFT_VOTERS: i16 = 6;

/// Keys of metadata records (`common/metadata/*.json`, 4.3).
const USER_SCRAM_CREDENTIAL: u8 = 11;
const FEATURE_LEVEL: u8 = 12;

/// SCRAM-SHA-512 in `ScramMechanism.java`.
const SCRAM_SHA_512: u8 = 2;

/// Renders `bootstrap.checkpoint`, the same as `kafka-storage format` of this version writes.
pub(super) fn bootstrap(version: KafkaVersion, users: &[ScramUser], written_at: Timestamp) -> Vec<u8> {
    let features = version
        .bootstrap_features()
        .iter()
        .map(|feature| feature_level(feature.name, feature.level));
    let records: Vec<Record> = features.chain(users.iter().map(scram_credential)).collect();

    let mut out = Vec::new();
    // No record of a log lies before this snapshot, hence the time zero.
    let next = append(
        &mut out,
        Purpose::Control,
        0,
        written_at,
        &[header(Timestamp::default())],
    );
    let next = append(&mut out, Purpose::Data, next, written_at, &records);
    append(&mut out, Purpose::Control, next, written_at, &[footer()]);
    out
}

/// Renders the checkpoint of `__cluster_metadata-0`.
///
/// # Errors
/// [`Error::BrokenId`] if a voter's directory id is not one of Kafka's ids.
pub(super) fn voters(listener: &str, voters: &[Voter], written_at: Timestamp) -> Result<Vec<u8>, Error> {
    let records = [
        header(written_at),
        kraft_version(1),
        kraft_voters(listener, voters)?,
    ];
    let mut out = Vec::new();
    let next = append(&mut out, Purpose::Control, 0, written_at, &records);
    append(&mut out, Purpose::Control, next, written_at, &[footer()]);
    Ok(out)
}

fn control(kind: i16, value: Vec<u8>) -> Record {
    let mut key = 0_i16.to_be_bytes().to_vec(); // version of the key
    key.extend(kind.to_be_bytes());
    Record {
        key: Some(key),
        value,
    }
}

fn header(last_contained: Timestamp) -> Record {
    let mut value = 0_i16.to_be_bytes().to_vec();
    value.extend(last_contained.as_millis().to_be_bytes());
    value.push(0); // no tagged fields
    control(SNAPSHOT_HEADER, value)
}

fn footer() -> Record {
    control(SNAPSHOT_FOOTER, vec![0, 0, 0])
}

fn kraft_version(level: i16) -> Record {
    let mut value = 0_i16.to_be_bytes().to_vec();
    value.extend(level.to_be_bytes());
    value.push(0);
    control(KRAFT_VERSION, value)
}

fn kraft_voters(listener: &str, voters: &[Voter]) -> Result<Record, Error> {
    let mut value = 0_i16.to_be_bytes().to_vec();
    append_count(&mut value, voters.len());
    for voter in voters {
        value.extend(voter.node_id.0.to_be_bytes());
        value.extend(uuid::bytes(&voter.directory_id)?);
        append_count(&mut value, 1); // one endpoint
        append_text(&mut value, listener);
        append_text(&mut value, &voter.host);
        value.extend(voter.port.to_be_bytes());
        value.push(0);
        // The range of `kraft.version` that the voter's program knows.
        value.extend(0_i16.to_be_bytes());
        value.extend(1_i16.to_be_bytes());
        value.push(0);
        value.push(0);
    }
    value.push(0);
    Ok(control(KRAFT_VOTERS, value))
}

/// A metadata record stands in a frame: frame version 1, the record's key, the record's version 0.
fn metadata(key: u8, body: Vec<u8>) -> Record {
    let mut value = vec![1, key, 0];
    value.extend(body);
    value.push(0); // no tagged fields
    Record { key: None, value }
}

fn feature_level(name: &str, level: u16) -> Record {
    let mut body = Vec::new();
    append_text(&mut body, name);
    body.extend(level.to_be_bytes());
    metadata(FEATURE_LEVEL, body)
}

fn scram_credential(user: &ScramUser) -> Record {
    let mut body = Vec::new();
    append_text(&mut body, &user.name);
    body.push(SCRAM_SHA_512);
    append_bytes(&mut body, &user.salt);
    append_bytes(&mut body, user.stored_key.expose());
    append_bytes(&mut body, user.server_key.expose());
    body.extend(user.iterations.to_be_bytes());
    metadata(USER_SCRAM_CREDENTIAL, body)
}

/// The length of a compact array, text or byte string: one more than it has.
fn append_count(out: &mut Vec<u8>, count: usize) {
    append_unsigned(out, u64::try_from(count).unwrap_or(u64::MAX).saturating_add(1));
}

fn append_text(out: &mut Vec<u8>, text: &str) {
    append_bytes(out, text.as_bytes());
}

fn append_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    append_count(out, bytes.len());
    out.extend(bytes);
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::{bootstrap, voters};
    use crate::clock::Timestamp;
    use crate::kafka::format::Voter;
    use crate::kafka::versions::KafkaVersion;
    use crate::spec::ids::{KafkaUuid, NodeId};

    /// What the storage tool of 3.9.2 wrote, without users.
    #[test]
    fn a_bootstrap_checkpoint_has_header_records_and_footer() {
        let bytes = bootstrap(
            KafkaVersion::parse("3.9.2").unwrap(),
            &[],
            Timestamp::from_millis(7),
        );
        // The length of the first batch, then the offset of the second.
        assert_eq!(bytes[8..12], [0, 0, 0, 0x47]);
        assert_eq!(bytes[0x53..0x5b], 1_u64.to_be_bytes());
        let name = b"metadata.version";
        assert!(bytes.windows(name.len()).any(|window| window == name));
        assert_eq!(bytes.len() - 0x53, 61 + 30 + 12 + 0x3f);
    }

    #[test]
    fn a_broken_directory_id_is_an_error() {
        let voter = |id: &str| Voter {
            node_id: NodeId(1),
            directory_id: KafkaUuid::new(id),
            host: "localhost".to_owned(),
            port: 9093,
        };
        for id in [
            "",
            "short",
            "AAAAAAAAAAAAAAAAAAAAZQ==",
            "****AAAAAAAAAAAAAAAAZQ",
            &"A".repeat(10_000),
        ] {
            assert!(
                voters("CONTROLLER", &[voter(id)], Timestamp::default()).is_err(),
                "{id}"
            );
        }
        let good = voters(
            "CONTROLLER",
            &[voter("AAAAAAAAAAAAAAAAAAAAZQ")],
            Timestamp::default(),
        )
        .unwrap();
        assert!(STANDARD.encode(good).len() > 100);
    }
}

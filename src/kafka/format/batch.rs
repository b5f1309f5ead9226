//! Kafka's record batches (magic 2), as far as snapshot files need them: written, never read.
//!
//! Checked byte by byte against what the real storage tool writes (`tests/it/kafka_files.rs`).

use crate::clock::Timestamp;

/// One record: key and value; snapshot files use no headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Vec<u8>,
}

/// What the records of a batch are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Metadata records.
    Data,
    /// Records for the Raft layer itself: attribute bit 5.
    Control,
}

/// Appends a batch and returns the offset behind its last record.
///
/// Assumes at most a few thousand small records; lengths beyond 31 bits saturate (and would give a batch
/// that Kafka refuses), which the callers' limits rule out.
pub(super) fn append(
    out: &mut Vec<u8>,
    purpose: Purpose,
    first_offset: i64,
    written_at: Timestamp,
    records: &[Record],
) -> i64 {
    let count = i32::try_from(records.len()).unwrap_or(i32::MAX);
    let written_at = i64::try_from(written_at.as_millis()).unwrap_or(i64::MAX);
    // From the attributes on: what the checksum covers.
    let mut body = Vec::new();
    let attributes: i16 = match purpose {
        Purpose::Data => 0,
        Purpose::Control => 1 << 5,
    };
    body.extend(attributes.to_be_bytes());
    body.extend((count - 1).to_be_bytes());
    body.extend(written_at.to_be_bytes()); // of the first record
    body.extend(written_at.to_be_bytes()); // of the newest record
    body.extend((-1_i64).to_be_bytes()); // no producer id
    body.extend((-1_i16).to_be_bytes()); // no producer epoch
    body.extend((-1_i32).to_be_bytes()); // no sequence
    body.extend(count.to_be_bytes());
    for (delta, record) in (0_i64..).zip(records) {
        append_record(&mut body, delta, record);
    }

    let length = i32::try_from(body.len() + 4 + 1 + 4).unwrap_or(i32::MAX);
    out.extend(first_offset.to_be_bytes());
    out.extend(length.to_be_bytes());
    out.extend(0_i32.to_be_bytes()); // leader epoch
    out.push(2); // magic
    out.extend(crc32c(&body).to_be_bytes());
    out.extend(body);
    first_offset + i64::from(count)
}

fn append_record(out: &mut Vec<u8>, offset_delta: i64, record: &Record) {
    let mut inner = vec![0]; // attributes
    append_signed(&mut inner, 0); // timestamp delta
    append_signed(&mut inner, offset_delta);
    match &record.key {
        None => append_signed(&mut inner, -1),
        Some(key) => append_sized(&mut inner, key),
    }
    append_sized(&mut inner, &record.value);
    append_signed(&mut inner, 0); // headers
    append_sized(out, &inner);
}

fn append_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    append_signed(out, i64::try_from(bytes.len()).unwrap_or(i64::MAX));
    out.extend(bytes);
}

/// A signed number as Protocol Buffers' zigzag varint.
fn append_signed(out: &mut Vec<u8>, number: i64) {
    append_unsigned(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

/// An unsigned number in groups of seven bits, the lowest first.
pub(super) fn append_unsigned(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = (number & 0x7f).to_le_bytes()[0];
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// The checksum of batches: CRC-32C (Castagnoli), bit by bit: these files have a few hundred bytes.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0x82f6_3b78
            } else {
                crc >> 1
            };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::{append_signed, append_unsigned, crc32c};

    #[test]
    fn the_checksum_is_that_of_rfc_3720() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    }

    #[test]
    fn numbers_are_written_in_groups_of_seven_bits() {
        let unsigned = |number| {
            let mut out = Vec::new();
            append_unsigned(&mut out, number);
            out
        };
        assert_eq!(unsigned(0), [0]);
        assert_eq!(unsigned(300), [0xac, 0x02]);
        assert_eq!(unsigned(u64::MAX).len(), 10);
        let signed = |number| {
            let mut out = Vec::new();
            append_signed(&mut out, number);
            out
        };
        assert_eq!(signed(-1), [1]);
        assert_eq!(signed(1), [2]);
        assert_eq!(signed(i64::MIN).len(), 10);
    }
}

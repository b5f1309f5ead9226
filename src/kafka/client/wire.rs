//! Turns requests into frames and frames into answers.
//!
//! The generated codec reserves memory for as many array items as the peer announces, before it has seen one.
//! So only *flexible* versions of the APIs are used ([`super::api`]): all their lengths are variable-length
//! integers, which [`CheckedBuf`] compares with the bytes that are left before the codec sees them.

use bytes::{Buf, BufMut, Bytes, BytesMut, TryGetError};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::buf::ByteBuf;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};

use super::api::Api;

/// Bytes of the length in front of each message.
pub(super) const LENGTH_BYTES: usize = 4;

/// A variable-length integer has at most this many bytes.
const VARINT_BYTES: u32 = 5;

/// How much an integer may exceed the bytes that are left: tags of optional fields are numbers, not lengths.
/// Kafka 4.3 has no tag above 10.
const TAG_SLACK: u64 = 32;

/// One request as a frame: length, header, body.
pub(super) fn encode_frame<R: Api>(
    request: &R,
    version: i16,
    correlation: i32,
    client_id: &StrBytes,
) -> Result<BytesMut, String> {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation)
        .with_client_id(Some(client_id.clone()));
    let mut frame = BytesMut::new();
    frame.put_u32(0);
    header
        .encode(&mut frame, R::header_version(version))
        .and_then(|()| request.encode(&mut frame, version))
        .map_err(|error| error.to_string())?;
    let length = i32::try_from(frame.len() - LENGTH_BYTES).map_err(|_| "larger than 2 GiB".to_owned())?;
    if let Some(place) = frame.get_mut(..LENGTH_BYTES) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    Ok(frame)
}

/// The header of an answer, taken off its front: its correlation id.
pub(super) fn decode_header<R: Api>(frame: &mut CheckedBuf, version: i16) -> Result<i32, String> {
    ResponseHeader::decode(frame, R::Response::header_version(version))
        .map(|header| header.correlation_id)
        .map_err(|error| error.to_string())
}

/// The body of an answer. Bytes behind it are an error: then the two sides do not mean the same version.
pub(super) fn decode_body<T: Decodable>(mut frame: CheckedBuf, version: i16) -> Result<T, String> {
    let body = T::decode(&mut frame, version).map_err(|error| error.to_string())?;
    match frame.remaining() {
        0 => Ok(body),
        rest => Err(format!("{rest} bytes too many")),
    }
}

/// A frame that lets no variable-length integer through that is larger than the rest of the frame.
///
/// Every byte that the codec reads by itself belongs to such an integer or is a boolean, which reads as an
/// integer of one byte. A forged boolean with its high bit set makes the integer that follows look larger to
/// us than to the codec, never smaller, so the check still holds.
#[derive(Debug)]
pub(super) struct CheckedBuf {
    rest: Bytes,
    value: u64,
    bytes: u32,
}

impl CheckedBuf {
    /// Wraps the bytes of a frame behind its length.
    pub(super) const fn new(frame: Bytes) -> Self {
        Self {
            rest: frame,
            value: 0,
            bytes: 0,
        }
    }

    fn too_large(&self) -> TryGetError {
        TryGetError {
            requested: usize::try_from(self.value).unwrap_or(usize::MAX),
            available: self.rest.len(),
        }
    }
}

impl Buf for CheckedBuf {
    fn remaining(&self) -> usize {
        self.rest.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.rest
    }

    fn advance(&mut self, count: usize) {
        self.rest.advance(count.min(self.rest.len()));
    }

    fn copy_to_bytes(&mut self, length: usize) -> Bytes {
        self.rest.split_to(length.min(self.rest.len()))
    }

    fn try_get_u8(&mut self) -> Result<u8, TryGetError> {
        let byte = self.rest.try_get_u8()?;
        self.value |= u64::from(byte & 0x7f) << (7 * self.bytes);
        self.bytes += 1;
        if byte & 0x80 != 0 {
            return if self.bytes < VARINT_BYTES {
                Ok(byte)
            } else {
                Err(self.too_large())
            };
        }
        let left = u64::try_from(self.rest.len()).unwrap_or(u64::MAX);
        if self.value > left.saturating_add(TAG_SLACK) {
            return Err(self.too_large());
        }
        self.value = 0;
        self.bytes = 0;
        Ok(byte)
    }
}

impl ByteBuf for CheckedBuf {
    fn peek_bytes(&mut self, range: std::ops::Range<usize>) -> Bytes {
        let end = range.end.min(self.rest.len());
        self.rest.slice(range.start.min(end)..end)
    }

    fn get_bytes(&mut self, size: usize) -> Bytes {
        self.copy_to_bytes(size)
    }
}

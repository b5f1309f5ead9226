//! Kafka's ids: a UUID as 22 characters of URL-safe base64.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Error;
use crate::spec::ids::KafkaUuid;

/// Draws a new random id: version 4, and not beginning with `-`, which command lines would take for an
/// option (`Uuid.java`, 4.3).
///
/// # Errors
/// [`Error::NoRandomness`] if the system gives none.
pub fn draw() -> Result<KafkaUuid, Error> {
    let random = SystemRandom::new();
    loop {
        let mut bytes = [0_u8; 16];
        random.fill(&mut bytes).map_err(|_| Error::NoRandomness)?;
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let text = URL_SAFE_NO_PAD.encode(bytes);
        if !text.starts_with('-') {
            return Ok(KafkaUuid::new(text));
        }
    }
}

/// The 16 bytes of an id.
pub(super) fn bytes(id: &KafkaUuid) -> Result<[u8; 16], Error> {
    let broken = || Error::BrokenId {
        text: id.as_str().chars().take(40).collect(),
    };
    if id.as_str().len() != 22 {
        return Err(broken());
    }
    let bytes = URL_SAFE_NO_PAD.decode(id.as_str()).map_err(|_| broken())?;
    bytes.try_into().map_err(|_| broken())
}

#[cfg(test)]
mod tests {
    use super::{bytes, draw};

    #[test]
    fn drawn_ids_are_valid_and_differ() {
        let (one, other) = (draw().unwrap(), draw().unwrap());
        assert_ne!(one, other);
        for id in [one, other] {
            assert_eq!(id.as_str().len(), 22);
            assert!(!id.as_str().starts_with('-'));
            assert_eq!(bytes(&id).unwrap()[6] >> 4, 4);
        }
    }
}

//! SCRAM credentials as the controller stores them, for the nodes' own user in `bootstrap.checkpoint`.

use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use zeroize::Zeroizing;

use super::Error;
use crate::secret::Secret;

/// Iterations that Kafka takes (`ScramMechanism.java` and `ScramControlManager.java`, 4.3).
const ITERATIONS: std::ops::RangeInclusive<u32> = 4096..=16384;

/// A user with SCRAM-SHA-512 who exists from a cluster's first moment on.
#[derive(Debug, Clone)]
pub struct ScramUser {
    pub(super) name: String,
    pub(super) salt: Vec<u8>,
    pub(super) stored_key: Secret<Vec<u8>>,
    pub(super) server_key: Secret<Vec<u8>>,
    pub(super) iterations: u32,
}

impl ScramUser {
    /// Derives what the controller stores from a password, which is used as its UTF-8 bytes: Kafka does
    /// not normalize. Takes a few milliseconds.
    ///
    /// # Errors
    /// [`Error::BadScramUser`] for an empty name or salt, one beyond 256 bytes, or iterations that Kafka
    /// does not take.
    pub fn derive(
        name: &str,
        password: &Secret<String>,
        salt: &[u8],
        iterations: u32,
    ) -> Result<Self, Error> {
        let rounds = match NonZeroU32::new(iterations) {
            Some(rounds) if ITERATIONS.contains(&iterations) => rounds,
            _ => {
                return Err(Error::BadScramUser {
                    rule: "iterations must be 4096 to 16384",
                });
            }
        };
        if name.is_empty() || name.len() > 256 {
            return Err(Error::BadScramUser {
                rule: "the name must have 1 to 256 bytes",
            });
        }
        if salt.is_empty() || salt.len() > 256 {
            return Err(Error::BadScramUser {
                rule: "the salt must have 1 to 256 bytes",
            });
        }
        let mut salted = Zeroizing::new([0_u8; digest::SHA512_OUTPUT_LEN]);
        let algorithm = pbkdf2::PBKDF2_HMAC_SHA512;
        pbkdf2::derive(
            algorithm,
            rounds,
            salt,
            password.expose().as_bytes(),
            salted.as_mut(),
        );
        Ok(Self::from_salted(name, salt, iterations, salted.as_ref()))
    }

    fn from_salted(name: &str, salt: &[u8], iterations: u32, salted: &[u8]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA512, salted);
        let client_key = hmac::sign(&key, b"Client Key");
        Self {
            name: name.to_owned(),
            salt: salt.to_vec(),
            stored_key: Secret::new(
                digest::digest(&digest::SHA512, client_key.as_ref())
                    .as_ref()
                    .to_vec(),
            ),
            server_key: Secret::new(hmac::sign(&key, b"Server Key").as_ref().to_vec()),
            iterations,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ScramUser;
    use crate::secret::Secret;

    /// The keys that Kafka 4.3.1's storage tool printed for this salted password.
    #[test]
    fn keys_are_those_that_kafka_derives() {
        let salted: Vec<u8> = (0..64).collect();
        let user = ScramUser::from_salted("__msk-node", b"saltsalt", 8192, &salted);
        assert_eq!(user.stored_key.expose()[..4], [0xab, 0xf1, 0x2b, 0x79]);
        assert_eq!(user.server_key.expose()[..4], [0xef, 0x30, 0xdc, 0x24]);
        assert_eq!(
            (user.stored_key.expose().len(), user.server_key.expose().len()),
            (64, 64)
        );
    }

    #[test]
    fn what_kafka_would_refuse_is_refused() {
        let password = Secret::new("a password".to_owned());
        for (name, salt, iterations) in [
            ("", &b"salt"[..], 8192),
            ("u", b"", 8192),
            ("u", b"salt", 4095),
            ("u", b"salt", 16385),
        ] {
            assert!(ScramUser::derive(name, &password, salt, iterations).is_err());
        }
        let user = ScramUser::derive("u", &password, b"salt", 4096).unwrap();
        assert!(!format!("{user:?}").contains("stored_key: [")); // keys are secrets
    }
}

//! SCRAM (RFC 5802, RFC 7677): salted passwords for users, and the login itself.
//!
//! Kafka takes the password's UTF-8 bytes as they are, without `SASLprep` (`ScramFormatter`, Kafka 4.3).

use std::num::NonZeroU32;

use aws_lc_rs::{constant_time, digest, hmac, pbkdf2, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{RequestHeader, SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::{Encodable, HeaderVersion, StrBytes};

use super::connection::Connection;
use super::error::{Error, KafkaError};
use super::wire::LENGTH_BYTES;
use crate::secret::Secret;

/// The iterations that Kafka allows (`ScramMechanism`): a broker that asks us for more is not one.
pub const SCRAM_ITERATIONS: std::ops::RangeInclusive<u32> = 4096..=16_384;

const HANDSHAKE: &str = "SaslHandshake";
const AUTHENTICATE: &str = "SaslAuthenticate";

/// Which hash a SCRAM user's password is kept with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScramMechanism {
    /// SCRAM-SHA-256.
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

impl ScramMechanism {
    /// The name in SASL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    /// The code in Kafka's protocol.
    pub const fn code(self) -> i8 {
        match self {
            Self::Sha256 => 1,
            Self::Sha512 => 2,
        }
    }

    /// The mechanism of a code.
    pub const fn from_code(code: i8) -> Option<Self> {
        match code {
            1 => Some(Self::Sha256),
            2 => Some(Self::Sha512),
            _ => None,
        }
    }

    /// The salted password that Kafka stores a user by: PBKDF2 with HMAC of the mechanism's hash.
    pub fn salt(self, password: &Secret<String>, salt: &[u8], iterations: NonZeroU32) -> Secret<Vec<u8>> {
        let (algorithm, length) = match self {
            Self::Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, digest::SHA256_OUTPUT_LEN),
            Self::Sha512 => (pbkdf2::PBKDF2_HMAC_SHA512, digest::SHA512_OUTPUT_LEN),
        };
        let mut salted = vec![0; length];
        pbkdf2::derive(
            algorithm,
            iterations,
            salt,
            password.expose().as_bytes(),
            &mut salted,
        );
        Secret::new(salted)
    }

    fn hmac(self, key: &[u8], text: &[u8]) -> hmac::Tag {
        let algorithm = match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), text)
    }

    fn hash(self, text: &[u8]) -> digest::Digest {
        match self {
            Self::Sha256 => digest::digest(&digest::SHA256, text),
            Self::Sha512 => digest::digest(&digest::SHA512, text),
        }
    }
}

/// Name and password of a SCRAM user.
#[derive(Debug, Clone)]
pub struct ScramLogin {
    /// The hash; Kafka keeps the two apart as different credentials.
    pub mechanism: ScramMechanism,
    /// The user's name.
    pub user: String,
    /// The user's password.
    pub password: Secret<String>,
}

/// Logs in on a fresh connection.
pub(super) async fn log_in(connection: &mut Connection, login: &ScramLogin) -> Result<(), Error> {
    let refuse = |connection: &Connection, reason: String| Error::Login {
        broker: connection.broker().to_owned(),
        mechanism: login.mechanism.name(),
        reason,
    };
    shake_hands(connection, login.mechanism)
        .await
        .map_err(|error| match error {
            HandshakeError::Refused(reason) => refuse(connection, reason),
            HandshakeError::Failed(error) => error,
        })?;
    let nonce = nonce().map_err(|reason| refuse(connection, reason))?;
    let exchange = Exchange::start(login, &nonce);
    let challenge = authenticate(connection, login.mechanism, exchange.first.clone().into_bytes()).await?;
    let (proof, expected) = exchange
        .answer(login, &challenge)
        .map_err(|reason| refuse(connection, reason))?;
    let last = authenticate(connection, login.mechanism, proof.into_bytes()).await?;
    check_server(&last, expected.as_ref()).map_err(|reason| refuse(connection, reason))
}

enum HandshakeError {
    Refused(String),
    Failed(Error),
}

/// Names the mechanism. This API never became flexible, so its answer is read by hand: only the error code;
/// the list of mechanisms behind it is for people.
async fn shake_hands(connection: &mut Connection, mechanism: ScramMechanism) -> Result<(), HandshakeError> {
    const KEY: i16 = 17;
    const VERSION: i16 = 1;
    const CORRELATION: i32 = -1;
    let mut frame = BytesMut::new();
    let header = RequestHeader::default()
        .with_request_api_key(KEY)
        .with_request_api_version(VERSION)
        .with_correlation_id(CORRELATION);
    let request = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism.name()));
    frame.extend_from_slice(&[0; LENGTH_BYTES]);
    header
        .encode(&mut frame, SaslHandshakeRequest::header_version(VERSION))
        .and_then(|()| request.encode(&mut frame, VERSION))
        .map_err(|error| {
            HandshakeError::Failed(Error::BadRequest {
                api: HANDSHAKE,
                reason: error.to_string(),
            })
        })?;
    let length = u32::try_from(frame.len() - LENGTH_BYTES).unwrap_or(u32::MAX);
    if let Some(place) = frame.get_mut(..LENGTH_BYTES) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    let answer = connection
        .send_and_receive(HANDSHAKE, frame)
        .await
        .map_err(HandshakeError::Failed)?;
    let correlation = answer.first_chunk().map(|&bytes| i32::from_be_bytes(bytes));
    let code = answer
        .get(4..)
        .and_then(<[u8]>::first_chunk)
        .map(|&bytes| i16::from_be_bytes(bytes));
    match (correlation, code) {
        (Some(CORRELATION), Some(code)) => {
            KafkaError::check(code, None).map_err(|error| HandshakeError::Refused(error.to_string()))
        }
        _ => Err(HandshakeError::Failed(
            connection.bad_answer(HANDSHAKE, "neither id nor code".to_owned()),
        )),
    }
}

async fn authenticate(
    connection: &mut Connection,
    mechanism: ScramMechanism,
    text: Vec<u8>,
) -> Result<Bytes, Error> {
    let text = Bytes::from(text);
    let answer = connection
        .call(|_| SaslAuthenticateRequest::default().with_auth_bytes(text))
        .await?;
    KafkaError::check(answer.body.error_code, answer.body.error_message.as_deref()).map_err(|error| {
        Error::Login {
            broker: connection.broker().to_owned(),
            mechanism: mechanism.name(),
            reason: format!("{AUTHENTICATE}: {error}"),
        }
    })?;
    Ok(answer.body.auth_bytes)
}

fn nonce() -> Result<String, String> {
    let mut bytes = [0; 24];
    rand::fill(&mut bytes).map_err(|_| "no random numbers".to_owned())?;
    Ok(BASE64.encode(bytes))
}

/// The client's side of the exchange.
struct Exchange {
    first: String,
    nonce: String,
}

impl Exchange {
    fn start(login: &ScramLogin, nonce: &str) -> Self {
        let user = login.user.replace('=', "=3D").replace(',', "=2C");
        Self {
            first: format!("n,,n={user},r={nonce}"),
            nonce: nonce.to_owned(),
        }
    }

    /// The proof that we know the password, and the signature that proves that the broker knows it.
    fn answer(&self, login: &ScramLogin, challenge: &[u8]) -> Result<(String, hmac::Tag), String> {
        let text = std::str::from_utf8(challenge).map_err(|_| "challenge is not text".to_owned())?;
        let mut parts = text.splitn(3, ',');
        let mut part = |prefix: &str| parts.next().and_then(|part| part.strip_prefix(prefix));
        let (Some(nonce), Some(salt), Some(rest)) = (part("r="), part("s="), part("i=")) else {
            return Err("challenge lacks nonce, salt or iterations".to_owned());
        };
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("challenge is not an answer to our nonce".to_owned());
        }
        let salt = BASE64.decode(salt).map_err(|_| "salt is not base64".to_owned())?;
        let iterations = rest
            .split(',')
            .next()
            .and_then(|text| text.parse::<NonZeroU32>().ok());
        let iterations = iterations
            .filter(|count| SCRAM_ITERATIONS.contains(&count.get()))
            .ok_or_else(|| format!("iterations are not within {SCRAM_ITERATIONS:?}"))?;

        let mechanism = login.mechanism;
        let salted = mechanism.salt(&login.password, &salt, iterations);
        let without_proof = format!("c=biws,r={nonce}");
        let first_bare = self.first.strip_prefix("n,,").unwrap_or_default();
        let signed = format!("{first_bare},{text},{without_proof}");
        let client_key = mechanism.hmac(salted.expose(), b"Client Key");
        let stored_key = mechanism.hash(client_key.as_ref());
        let signature = mechanism.hmac(stored_key.as_ref(), signed.as_bytes());
        let proof: Vec<u8> = client_key
            .as_ref()
            .iter()
            .zip(signature.as_ref())
            .map(|(key, sign)| key ^ sign)
            .collect();
        let server_key = mechanism.hmac(salted.expose(), b"Server Key");
        let expected = mechanism.hmac(server_key.as_ref(), signed.as_bytes());
        Ok((format!("{without_proof},p={}", BASE64.encode(proof)), expected))
    }
}

fn check_server(last: &[u8], expected: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(last).map_err(|_| "last answer is not text".to_owned())?;
    let first = text.split(',').next().unwrap_or_default();
    let signature = first.strip_prefix("v=").and_then(|text| BASE64.decode(text).ok());
    match signature {
        Some(signature) if constant_time::verify_slices_are_equal(&signature, expected).is_ok() => Ok(()),
        _ => Err("the broker could not prove that it knows the password".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::{Exchange, ScramLogin, ScramMechanism, check_server};
    use crate::secret::Secret;

    fn login() -> ScramLogin {
        ScramLogin {
            mechanism: ScramMechanism::Sha256,
            user: "user".to_owned(),
            password: Secret::new("pencil".to_owned()),
        }
    }

    /// The example of RFC 7677, section 3.
    #[test]
    fn the_exchange_of_the_rfc_comes_out_the_same() {
        let exchange = Exchange::start(&login(), "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(exchange.first, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let challenge =
            b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let (proof, expected) = exchange.answer(&login(), challenge).unwrap();
        assert_eq!(
            proof,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        let last = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(check_server(last, expected.as_ref()), Ok(()));
        assert!(check_server(b"v=AAAA", expected.as_ref()).is_err());
        assert!(check_server(b"e=other-error", expected.as_ref()).is_err());
    }

    #[test]
    fn a_challenge_that_costs_too_much_or_too_little_is_refused() {
        let exchange = Exchange::start(&login(), "abc");
        for challenge in [
            "r=abcd,s=AAAA,i=4000000000",
            "r=abcd,s=AAAA,i=1",
            "r=abc,s=AAAA,i=4096",
            "r=x",
            "",
        ] {
            assert!(
                exchange.answer(&login(), challenge.as_bytes()).is_err(),
                "{challenge}"
            );
        }
    }

    #[test]
    fn commas_and_equal_signs_of_user_names_are_escaped() {
        let login = ScramLogin {
            user: "a,b=c".to_owned(),
            ..login()
        };
        assert_eq!(Exchange::start(&login, "n").first, "n,,n=a=2Cb=3Dc,r=n");
    }

    #[test]
    fn salted_passwords_have_the_length_of_the_hash() {
        let password = Secret::new("pencil".to_owned());
        let iterations = NonZeroU32::new(4096).unwrap();
        assert_eq!(
            ScramMechanism::Sha512
                .salt(&password, b"salt", iterations)
                .expose()
                .len(),
            64
        );
        assert_eq!(
            ScramMechanism::Sha256
                .salt(&password, b"salt", iterations)
                .expose()
                .len(),
            32
        );
    }
}

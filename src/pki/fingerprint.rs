//! Keyed fingerprints of users' secrets.
//!
//! A desired document only refers to the file of a secret. The fingerprint lets an agent tell whether
//! what it reads there is what was meant; its key lies beside the secrets and in no document.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::secret::Secret;

/// HMAC-SHA-256 over user name, a zero byte and password, in URL-safe base64.
pub fn of(key: &Secret<String>, username: &str, password: &Secret<String>) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(username.as_bytes());
    context.update(&[0]);
    context.update(password.expose().as_bytes());
    URL_SAFE_NO_PAD.encode(context.sign().as_ref())
}

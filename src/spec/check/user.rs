//! The rules of `msk_scram_secret`.

use super::{Check, quoted};
use crate::spec::objects::{PasswordSource, RESERVED_USER_PREFIX, SCRAM_MECHANISM, UserSpec};
use crate::tfplugin::{Attr, AttributePath, Diagnostics, Object};

/// Checks a user.
pub fn check_user(written: &Object, diagnostics: &mut Diagnostics) -> Option<UserSpec> {
    let mut check = Check::new(diagnostics);
    let username = username(&mut check, written);
    let rule = format!("`{SCRAM_MECHANISM}`");
    let mechanism = check.optional_text(written, "mechanism", rule, |text| text == SCRAM_MECHANISM);
    let iterations = check.number(written, "iterations", &(4_096..=16_384), Some(8_192));
    let source = source(&mut check, written);
    let made = (|| {
        Some(UserSpec {
            username: username?,
            mechanism: mechanism?.unwrap_or_else(|| SCRAM_MECHANISM.to_owned()),
            iterations: iterations?,
            source: source?,
        })
    })();
    check.finish(made)
}

fn username(check: &mut Check<'_>, written: &Object) -> Option<String> {
    let path = AttributePath::of("username");
    let name = check.known(written.string("username"), None)?;
    if name.starts_with(RESERVED_USER_PREFIX) {
        let detail = format!(
            "{} belongs to the cluster's own nodes: names that start with `{RESERVED_USER_PREFIX}` are reserved. Take \
             another one.",
            quoted(&name)
        );
        check.error(&path, "Reserved user name", detail);
        return None;
    }
    let is_letter = |letter: char| !letter.is_control() && letter != ',' && letter != '=';
    if (1..=128).contains(&name.chars().count()) && name.chars().all(is_letter) {
        return Some(name);
    }
    let rule = "1 to 128 characters, without control characters, `,` and `=`";
    check.breaks(&path, quoted(&name), rule);
    None
}

/// A secret that exists on AWS is no source on one machine. For plans.
pub fn refuse_secret_arn(written: &Object, is_there: bool, diagnostics: &mut Diagnostics) {
    let Attr::Known(arn) = written.str("secret_arn") else {
        return;
    };
    let way_out = if is_there {
        " `terraform destroy -refresh=false` destroys the user as it is."
    } else {
        ""
    };
    let detail = format!(
        "`secret_arn` = {} names a secret on AWS, and this cluster is on one machine. Use `password_wo`, or leave both \
         out for a random password.{way_out}",
        quoted(arn)
    );
    diagnostics.error(&AttributePath::of("secret_arn"), "No AWS on one machine", detail);
}

/// Whether the password is written, or else made at random. Its value is not looked at: it may be null in
/// a plan although it is written.
fn source(check: &mut Check<'_>, written: &Object) -> Option<PasswordSource> {
    let password = written.get("password_wo");
    if !written.get("secret_arn").is_null() && !password.is_null() {
        let path = AttributePath::of("secret_arn");
        let detail = "`secret_arn` and `password_wo` are two sources of one password. Take one of them out.";
        check.error(&path, "Two sources of one password", detail);
    }
    let given = written.string("secret_arn");
    if !written.get("secret_arn").is_null() && password.is_null() {
        return Some(PasswordSource::Given { arn: given.known() });
    }
    let version = written.integer("password_wo_version");
    let is_written = !password.is_null();
    if is_written && version.is_null() {
        let detail = "`password_wo` is never stored, so only a new `password_wo_version` tells that it changed. Add \
                      `password_wo_version = 1`.";
        check.error(
            &AttributePath::of("password_wo_version"),
            "A password needs its version",
            detail,
        );
        return None;
    }
    if let Attr::Known(text) = password.as_str()
        && text.is_empty()
    {
        let path = AttributePath::of("password_wo");
        check.error(
            &path,
            "Empty password",
            "`password_wo` is empty. Give at least one character.",
        );
        return None;
    }
    let version = if version.is_null() {
        None
    } else {
        Some(check.known(version, None)?)
    };
    Some(if is_written {
        PasswordSource::Written { version }
    } else {
        PasswordSource::Random { version }
    })
}

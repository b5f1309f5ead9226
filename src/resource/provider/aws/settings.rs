//! What `aws = { … }` says, checked as a whole.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8PathBuf;

use super::forms;
use crate::aws::settings::{AccessKey, AssumeRole, Proxy, Service, Settings, WebIdentity};
use crate::engine::ec2::artifacts::{Architecture, JavaArchive};
use crate::resource::provider::ArchiveSettings;
use crate::store::release::Sha256;
use crate::tfplugin::schema::parse_duration;
use crate::tfplugin::{Attr, AttributePath, Diagnostics, Object};

/// The block with every default.
#[derive(Debug, Clone)]
pub struct AwsSettings {
    /// How the account is reached.
    pub account: Settings,
    /// The bucket of the control store.
    pub control_bucket: String,
    /// Whether it is made if it is not there.
    pub creates_control_bucket: bool,
    /// The prefix of the control store in it; ends with `/`.
    pub control_prefix: String,
    /// The KMS key of its objects.
    pub control_kms_key_id: Option<String>,
    /// Tags that every taggable object gets.
    pub default_tags: BTreeMap<String, String>,
    /// Tags that others manage.
    pub ignored_tags: IgnoredTags,
    /// Where Kafka's distributions lie on this machine.
    pub kafka_directory: Option<Utf8PathBuf>,
    /// Where to fetch archives.
    pub archive: Option<ArchiveSettings>,
    /// The Maven command.
    pub maven_command: String,
    /// Archives with Java for the nodes.
    pub java_archives: BTreeMap<Architecture, JavaArchive>,
}

/// Tags that others manage: neither changed nor shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IgnoredTags {
    /// Whole keys.
    pub keys: BTreeSet<String>,
    /// Beginnings of keys.
    pub prefixes: BTreeSet<String>,
}

/// Checks what no single value shows.
pub(in crate::resource::provider) fn check(aws: &Object, diagnostics: &mut Diagnostics) {
    let at = |name: &str| AttributePath::of("aws").attribute(name);
    let is_set = |name: &str| !aws.get(name).is_null();
    let mut wrong = |name: &str, summary: &str, detail: &str| diagnostics.error(&at(name), summary, detail);
    if is_set("access_key") != is_set("secret_key") {
        let (there, missing) = if is_set("access_key") {
            ("access_key", "secret_key")
        } else {
            ("secret_key", "access_key")
        };
        let detail = format!("`aws.{there}` is set, and `aws.{missing}` is not. Set both, or take it out.");
        wrong(there, "Half a pair of keys", &detail);
    }
    if is_set("token") && !is_set("access_key") {
        let detail = "`aws.token` belongs to `access_key` and `secret_key`, which are not set.";
        wrong("token", "A token without its keys", detail);
    }
    if is_set("allowed_account_ids") && is_set("forbidden_account_ids") {
        let detail =
            "`aws.allowed_account_ids` and `aws.forbidden_account_ids` exclude each other. Take one out.";
        wrong("forbidden_account_ids", "Two lists of accounts", detail);
    }
    if let (Attr::Known(region), Attr::Known(false) | Attr::Null) =
        (aws.string("region"), aws.boolean("skip_region_validation"))
        && !forms::is_region(&region)
    {
        let detail = format!(
            "`aws.region` is `{region}`; it must be the name of a Region, such as eu-central-1 (without the letter of a \
             zone). Set `skip_region_validation = true` if it is one that this form does not know."
        );
        wrong("region", "No Region", &detail);
    }
    if aws.boolean("insecure") == Attr::Known(true) {
        let detail = "`aws.insecure` is not in this version: TLS certificates are always checked. Name your authority \
                      in `custom_ca_bundle`.";
        wrong("insecure", "Not in this version", detail);
    }
    if let (Attr::Known(http), Attr::Known(https)) = (aws.string("http_proxy"), aws.string("https_proxy"))
        && http != https
    {
        let detail = "`aws.http_proxy` and `aws.https_proxy` differ, which is not in this version. Set both to the same, \
                      or only `https_proxy`, which is what AWS's endpoints need.";
        wrong("http_proxy", "Two proxies", detail);
    }
    check_roles(aws, diagnostics);
    check_java(aws, diagnostics);
}

/// A digest without a file, and a file without a digest.
fn check_java(aws: &Object, diagnostics: &mut Diagnostics) {
    let Attr::Known(archives) = aws.object("java_archives") else {
        return;
    };
    for architecture in Architecture::ALL {
        let name = architecture.name();
        let Attr::Known(archive) = archives.object(name) else {
            continue;
        };
        for (missing, other) in [("url", "sha256"), ("sha256", "url")] {
            if archive.get(missing).is_null() {
                let path = AttributePath::of("aws").attribute("java_archives");
                diagnostics.error(
                    &path.attribute(name).attribute(missing),
                    "An attribute is missing",
                    format!(
                        "`aws.java_archives.{name}` has no `{missing}`. Set it beside `{other}`, or take `{name}` out."
                    ),
                );
            }
        }
    }
}

fn check_roles(aws: &Object, diagnostics: &mut Diagnostics) {
    if let Attr::Known(roles) = aws.objects("assume_role") {
        for (index, role) in roles.into_iter().enumerate() {
            let path = AttributePath::of("aws").attribute("assume_role").index(index);
            check_role(role, &path, &["role_arn"], diagnostics);
        }
    }
    if let Attr::Known(web) = aws.object("assume_role_with_web_identity") {
        let path = AttributePath::of("aws").attribute("assume_role_with_web_identity");
        check_role(web, &path, &["role_arn", "web_identity_token_file"], diagnostics);
        if !web.get("duration").is_null() {
            let detail = "`duration` of `aws.assume_role_with_web_identity` is not in this version: the session lasts as \
                          long as the role says. Take it out.";
            diagnostics.error(&path.attribute("duration"), "Not in this version", detail);
        }
    }
}

fn check_role(role: &Object, path: &AttributePath, required: &[&str], diagnostics: &mut Diagnostics) {
    for name in required {
        if role.get(name).is_null() {
            diagnostics.error(
                &path.attribute(*name),
                "An attribute is missing",
                format!("`{name}` is required where a role is assumed."),
            );
        }
    }
    let duration = role
        .string("duration")
        .known()
        .and_then(|text| parse_duration(&text));
    if duration.is_some_and(|duration| !(900..=43_200).contains(&duration.as_secs())) {
        diagnostics.error(
            &path.attribute("duration"),
            "A session of another length",
            "`duration` must be from 15m to 12h, and not more than the role allows.",
        );
    }
}

/// Reads an accepted block whose values are all known.
pub(in crate::resource::provider) fn read(aws: &Object) -> AwsSettings {
    let text = |name: &str| aws.string(name).known();
    let texts = |name: &str| aws.strings(name).known_or(Vec::new());
    let set = |object: &Object, name: &str| -> BTreeSet<String> {
        object.strings(name).known_or(Vec::new()).into_iter().collect()
    };
    let ignored_tags = match aws.object("ignore_tags") {
        Attr::Known(tags) => IgnoredTags {
            keys: set(tags, "keys"),
            prefixes: set(tags, "key_prefixes"),
        },
        Attr::Null | Attr::Unknown => IgnoredTags::default(),
    };
    AwsSettings {
        account: account(aws),
        control_bucket: text("control_bucket").unwrap_or_default(),
        creates_control_bucket: aws.boolean("create_control_bucket").known_or(false),
        control_prefix: text("control_prefix").unwrap_or_else(|| "msk/".to_owned()),
        control_kms_key_id: text("control_kms_key_id"),
        default_tags: aws.string_map("default_tags").known_or(BTreeMap::new()),
        ignored_tags,
        kafka_directory: text("kafka_directory").map(Utf8PathBuf::from),
        archive: text("kafka_archive_url").map(|url| ArchiveSettings {
            url,
            sha512: aws.string_map("kafka_archive_sha512").known_or(BTreeMap::new()),
        }),
        maven_command: text("maven_command").unwrap_or_else(|| "mvn".to_owned()),
        java_archives: java_archives(aws),
    }
    .with_files(texts("shared_config_files"), texts("shared_credentials_files"))
}

/// An accepted block has whole archives alone.
fn java_archives(aws: &Object) -> BTreeMap<Architecture, JavaArchive> {
    let Attr::Known(archives) = aws.object("java_archives") else {
        return BTreeMap::new();
    };
    let of = |architecture: Architecture| {
        let archive = archives.object(architecture.name()).known()?;
        let sha256 = archive.string("sha256").known()?.to_ascii_lowercase();
        let archive = JavaArchive {
            url: archive.string("url").known()?,
            sha256: Sha256::parse(sha256).ok()?,
        };
        Some((architecture, archive))
    };
    Architecture::ALL.into_iter().filter_map(of).collect()
}

impl AwsSettings {
    fn with_files(mut self, config: Vec<String>, credentials: Vec<String>) -> Self {
        let paths = |texts: Vec<String>| texts.into_iter().map(|path| expand(&path)).collect();
        self.account.config_files = paths(config);
        self.account.credentials_files = paths(credentials);
        self
    }
}

/// As with hashicorp/aws, `~/` is the home of who runs Terraform.
fn expand(path: &str) -> Utf8PathBuf {
    match (path.strip_prefix("~/"), std::env::var("HOME")) {
        (Some(rest), Ok(home)) => Utf8PathBuf::from(home).join(rest),
        _ => Utf8PathBuf::from(path),
    }
}

fn account(aws: &Object) -> Settings {
    let text = |name: &str| aws.string(name).known();
    let flag = |name: &str| aws.boolean(name).known_or(false);
    let accounts = |name: &str| aws.strings(name).known_or(Vec::new()).into_iter().collect();
    let defaults = Settings::default();
    let access_key = match (text("access_key"), aws.secret("secret_key")) {
        (Some(id), Attr::Known(secret)) => Some(AccessKey {
            id,
            secret,
            token: aws.secret("token").known(),
        }),
        _ => None,
    };
    let proxy = Proxy {
        http: text("http_proxy"),
        https: text("https_proxy"),
        except: text("no_proxy"),
    };
    let attempts = aws.integer("max_retries").known();
    Settings {
        region: text("region"),
        profile: text("profile"),
        access_key,
        assume_roles: aws
            .objects("assume_role")
            .known_or(Vec::new())
            .into_iter()
            .map(assume_role)
            .collect(),
        web_identity: match aws.object("assume_role_with_web_identity") {
            Attr::Known(web) => web_identity(web),
            Attr::Null | Attr::Unknown => None,
        },
        endpoints: endpoints(aws),
        allowed_accounts: accounts("allowed_account_ids"),
        forbidden_accounts: accounts("forbidden_account_ids"),
        attempts: attempts
            .and_then(|attempts| u32::try_from(attempts).ok())
            .unwrap_or(defaults.attempts),
        is_adaptive: text("retry_mode").is_some_and(|mode| mode == "adaptive"),
        uses_path_style: flag("s3_use_path_style"),
        skips_account: flag("skip_requesting_account_id"),
        skips_metadata: flag("skip_metadata_api_check"),
        uses_fips: flag("use_fips_endpoint"),
        uses_dual_stack: flag("use_dualstack_endpoint"),
        authorities: text("custom_ca_bundle").map(|path| expand(&path)),
        proxy: (proxy.http.is_some() || proxy.https.is_some()).then_some(proxy),
        ..defaults
    }
}

fn endpoints(aws: &Object) -> BTreeMap<Service, String> {
    let Attr::Known(endpoints) = aws.object("endpoints") else {
        return BTreeMap::new();
    };
    let of = |service: Service| Some((service, endpoints.string(service.name()).known()?));
    Service::ALL.into_iter().filter_map(of).collect()
}

fn assume_role(role: &Object) -> AssumeRole {
    let text = |name: &str| role.string(name).known();
    AssumeRole {
        role_arn: text("role_arn").unwrap_or_default(),
        session_name: text("session_name"),
        external_id: text("external_id"),
        duration: text("duration").and_then(|text| parse_duration(&text)),
        policy: text("policy"),
        tags: role.string_map("tags").known_or(BTreeMap::new()),
    }
}

fn web_identity(web: &Object) -> Option<WebIdentity> {
    let text = |name: &str| web.string(name).known();
    Some(WebIdentity {
        role_arn: text("role_arn")?,
        session_name: text("session_name").unwrap_or_else(|| "terraform-provider-msk".to_owned()),
        token_file: expand(&text("web_identity_token_file")?),
    })
}

#[cfg(test)]
mod tests;

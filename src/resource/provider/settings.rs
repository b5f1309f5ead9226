//! The provider block as checked settings.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;

use super::Settings;
use crate::tfplugin::{Attr, AttributePath, Diagnostics, Object};

/// The settings of `local = { … }`, with every default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalSettings {
    /// Where clusters, the control store and Kafka lie. Absolute.
    pub data_directory: Utf8PathBuf,
    /// Where Kafka's distributions lie, if not in the data directory.
    pub kafka_directory: Option<Utf8PathBuf>,
    /// Where to fetch archives.
    pub archive: Option<ArchiveSettings>,
    /// The Maven command.
    pub maven_command: String,
    /// The Java installation, if not `$JAVA_HOME` or the `java` in `PATH`.
    pub java_home: Option<Utf8PathBuf>,
    /// Where listeners bind, and what they advertise.
    pub listen_address: String,
    /// Where blocks of ports begin.
    pub base_port: u16,
    /// The heap of a node.
    pub broker_heap: String,
}

/// Where to fetch Kafka's archives, and what they must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveSettings {
    /// With `{version}` and `{scala}`.
    pub url: String,
    /// Lower-case hexadecimal SHA-512 digests by version.
    pub sha512: BTreeMap<String, String>,
}

/// Exactly one of `local` and `aws` must be there. Unknown counts as there: it may be either.
pub(super) fn check_one_engine(config: &Object, diagnostics: &mut Diagnostics) {
    let (local, aws) = (config.get("local"), config.get("aws"));
    if local.is_null() && aws.is_null() {
        diagnostics.general_error(
            "The provider block names no engine",
            "Say where clusters run: `local = {}` for this machine, or `aws = { … }` for your AWS account. There is \
             no default, so that no cluster is made in a place that nobody chose.",
        );
    }
    let both = !local.is_null() && !aws.is_null();
    if both && !local.is_unknown() && !aws.is_unknown() {
        diagnostics.error(
            &AttributePath::of("aws"),
            "The provider block names two engines",
            "`local` and `aws` exclude each other. Take one out, or write two provider blocks, one with an `alias`.",
        );
    }
    if let Attr::Known(local) = config.object("local") {
        check_archive("local", local, diagnostics);
    }
    if let Attr::Known(aws) = config.object("aws") {
        check_archive("aws", aws, diagnostics);
        super::aws::settings::check(aws, diagnostics);
    }
}

fn check_archive(block: &str, settings: &Object, diagnostics: &mut Diagnostics) {
    let path = AttributePath::of(block);
    let (url, digests) = (
        settings.get("kafka_archive_url"),
        settings.get("kafka_archive_sha512"),
    );
    if !url.is_null() && digests.is_null() {
        diagnostics.error(
            &path.attribute("kafka_archive_url"),
            "An archive needs its digest",
            format!(
                "`{block}.kafka_archive_url` is set, and `{block}.kafka_archive_sha512` is not. Add the SHA-512 digest \
                 of each version's archive, such as `{{ \"4.3.1\" = \"…\" }}`."
            ),
        );
    }
    if url.is_null() && !digests.is_null() {
        diagnostics.error(
            &path.attribute("kafka_archive_sha512"),
            "Digests without an archive",
            format!(
                "`{block}.kafka_archive_sha512` is set, and `{block}.kafka_archive_url` is not. Add the URL, or take \
                 the digests out."
            ),
        );
    }
}

/// Reads the settings of an accepted block. `None` beside an error.
pub(super) fn read(config: &Object, diagnostics: &mut Diagnostics) -> Option<Settings> {
    match config.object("aws") {
        Attr::Known(aws) if aws.is_wholly_known() => {
            return Some(Settings::Aws(Box::new(super::aws::settings::read(aws))));
        }
        Attr::Known(_) | Attr::Unknown => return Some(Settings::Unknown),
        Attr::Null => {}
    }
    let local = match config.object("local") {
        Attr::Known(local) if local.is_wholly_known() => local,
        Attr::Known(_) | Attr::Unknown => return Some(Settings::Unknown),
        Attr::Null => return None,
    };
    let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let data_directory = local
        .string("data_directory")
        .known()
        .or_else(|| default_data_directory(environment));
    let Some(data_directory) = data_directory
        .map(Utf8PathBuf::from)
        .filter(|path| path.is_absolute())
    else {
        diagnostics.error(
            &AttributePath::of("local").attribute("data_directory"),
            "No data directory",
            "`local.data_directory` is not set, and neither `MSK_LOCAL_DATA_DIRECTORY`, `XDG_DATA_HOME` nor `HOME` \
             holds an absolute path. Set one of them.",
        );
        return None;
    };
    let archive = local
        .string("kafka_archive_url")
        .known()
        .map(|url| ArchiveSettings {
            url,
            sha512: local
                .string_map("kafka_archive_sha512")
                .known_or(BTreeMap::new())
                .into_iter()
                .map(|(version, digest)| (version, digest.to_ascii_lowercase()))
                .collect(),
        });
    Some(Settings::Local(LocalSettings {
        data_directory,
        kafka_directory: local.string("kafka_directory").known().map(Utf8PathBuf::from),
        archive,
        maven_command: local.string("maven_command").known_or("mvn".to_owned()),
        java_home: local
            .string("java_home")
            .known()
            .or_else(|| environment("JAVA_HOME"))
            .map(Utf8PathBuf::from),
        listen_address: local.string("listen_address").known_or("127.0.0.1".to_owned()),
        base_port: local
            .integer("base_port")
            .known()
            .and_then(|port| u16::try_from(port).ok())
            .unwrap_or(20_000),
        broker_heap: local.string("broker_heap").known_or("512m".to_owned()),
    }))
}

fn default_data_directory(environment: impl Fn(&str) -> Option<String>) -> Option<String> {
    let below =
        |root: String, rest: &str| format!("{}/{rest}terraform-provider-msk", root.trim_end_matches('/'));
    environment("MSK_LOCAL_DATA_DIRECTORY")
        .or_else(|| environment("XDG_DATA_HOME").map(|root| below(root, "")))
        .or_else(|| environment("HOME").map(|root| below(root, ".local/share/")))
}

#[cfg(test)]
mod tests {
    use super::{check_one_engine, default_data_directory};
    use crate::tfplugin::{Diagnostics, Object, Value};

    fn findings(local: Value, aws: Value) -> Vec<String> {
        let mut found = Diagnostics::new();
        check_one_engine(&Object::new().with("local", local).with("aws", aws), &mut found);
        found.into_iter().map(|finding| finding.summary).collect()
    }

    fn local() -> Value {
        Object::new()
            .with("kafka_archive_url", Value::Null)
            .with("kafka_archive_sha512", Value::Null)
            .into()
    }

    #[test]
    fn exactly_one_engine_is_named() {
        assert_eq!(
            findings(Value::Null, Value::Null),
            ["The provider block names no engine"]
        );
        assert_eq!(
            findings(local(), super::super::aws::empty_block().into()),
            ["The provider block names two engines"]
        );
        assert_eq!(findings(local(), Value::Null), [""; 0]);
        assert_eq!(findings(Value::unknown(), Value::Null), [""; 0]);
        assert_eq!(findings(Value::unknown(), Value::unknown()), [""; 0]);
    }

    #[test]
    fn the_data_directory_comes_from_the_first_variable_that_is_set() {
        let of = |set: &[(&str, &str)]| {
            default_data_directory(|name| {
                set.iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| (*value).to_owned())
            })
        };
        let all = [
            ("MSK_LOCAL_DATA_DIRECTORY", "/m"),
            ("XDG_DATA_HOME", "/x/"),
            ("HOME", "/h"),
        ];
        assert_eq!(of(&all).as_deref(), Some("/m"));
        assert_eq!(of(&all[1..]).as_deref(), Some("/x/terraform-provider-msk"));
        assert_eq!(
            of(&all[2..]).as_deref(),
            Some("/h/.local/share/terraform-provider-msk")
        );
        assert_eq!(of(&[]), None);
    }
}

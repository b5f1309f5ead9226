//! An archive that the user names, checked by the digest that the user gives.

use std::fs;

use aws_lc_rs::digest;
use camino::{Utf8Path, Utf8PathBuf};

use super::fetch::Workshop;
use super::lock::hex_digest;
use super::tool::Run;
use super::{Archive, Error, SCALA, directory_name};
use crate::kafka::versions::KafkaVersion;

/// Kafka's archives have some 130 MB.
const LARGEST: &str = "1073741824";

/// Downloads, checks and unpacks; returns the directory that is to be put in place.
pub(super) async fn fetch(
    version: KafkaVersion,
    archive: &Archive,
    workshop: &Workshop,
    report: &(dyn Fn(String) + Send + Sync),
) -> Result<Utf8PathBuf, Error> {
    let wanted = wanted_digest(version, archive)?;
    let url = archive
        .url
        .replace("{version}", &version.to_string())
        .replace("{scala}", SCALA);
    let shown = without_secrets(&url);
    report(format!("downloading Kafka {version} from {shown}"));
    let file = workshop.scratch().join("archive");
    download(&url, &file, workshop.scratch()).await?;

    report(format!("checking and unpacking Kafka {version}"));
    let hashed = file.clone();
    let task = tokio::task::spawn_blocking(move || hex_digest(&hashed, &digest::SHA512));
    let found = task
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
        .map_err(Error::io("read", &file))?;
    if found != wanted {
        return Err(Error::WrongArchive {
            url: shown,
            wanted,
            found,
        });
    }
    let unpacked = workshop.scratch().join("unpacked");
    fs::create_dir(&unpacked).map_err(Error::io("make the directory", &unpacked))?;
    let unpack = Run {
        program: "tar",
        arguments: ["-x", "-f", file.as_str(), "-C", unpacked.as_str()]
            .map(str::to_owned)
            .to_vec(),
        directory: workshop.scratch(),
        input: String::new(),
        task: "to unpack the archive".to_owned(),
        way_out: "install tar",
    };
    unpack.to_end().await?;
    let directory = unpacked.join(directory_name(version));
    if !directory.join("libs").is_dir() {
        let flaw = format!("the archive holds no folder `{}/libs`", directory_name(version));
        return Err(Error::NotADistribution {
            directory,
            version,
            flaw,
        });
    }
    Ok(directory)
}

/// Downloads a file.
pub(super) async fn download(url: &str, to: &Utf8Path, folder: &Utf8Path) -> Result<(), Error> {
    let run = Run {
        program: "curl",
        arguments: ["--config", "-"].map(str::to_owned).to_vec(),
        directory: folder,
        // Not among the arguments: a URL may hold a password or a signature, and all users see those.
        input: curl_settings(url, to.as_str()),
        task: format!("to download {}", without_secrets(url)),
        way_out: "install curl, or name a file or directory of this machine instead of a URL",
    };
    run.to_end().await
}

fn wanted_digest(version: KafkaVersion, archive: &Archive) -> Result<String, Error> {
    let Some(wanted) = archive.sha512.get(&version.to_string()) else {
        return Err(Error::NoDigest {
            version,
            flaw: "the map has no such key",
        });
    };
    // As published, digests come in either case and in groups.
    let wanted: String = wanted.chars().filter(|letter| !letter.is_whitespace()).collect();
    if wanted.len() != 128 || !wanted.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Error::NoDigest {
            version,
            flaw: "it must have 128 hexadecimal digits",
        });
    }
    Ok(wanted.to_ascii_lowercase())
}

/// What curl reads as its settings.
fn curl_settings(url: &str, output: &str) -> String {
    let quoted = |text: &str| {
        let text: String = text.chars().filter(|letter| !letter.is_control()).collect();
        text.replace('\\', "\\\\").replace('"', "\\\"")
    };
    format!(
        "url = \"{}\"\noutput = \"{}\"\nfail\nlocation\nsilent\nshow-error\ngloboff\nproto = \"=https,http,file\"\n\
         retry = 2\nconnect-timeout = 30\nspeed-time = 60\nspeed-limit = 1000\nmax-filesize = {LARGEST}\n",
        quoted(url),
        quoted(output),
    )
}

/// A URL without user, password, query and fragment.
pub(super) fn without_secrets(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let plain = url.get(..end).unwrap_or_default();
    let Some((scheme, rest)) = plain.split_once("://") else {
        return plain.to_owned();
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}/{path}")
}

#[cfg(test)]
mod tests {
    use super::{curl_settings, without_secrets};

    #[test]
    fn secrets_of_a_url_are_not_shown() {
        let cases = [
            (
                "https://u:p@host/a/k.tgz?X-Signature=abc#d",
                "https://host/a/k.tgz",
            ),
            ("https://host:8443/k.tgz", "https://host:8443/k.tgz"),
            ("file:///srv/k.tgz", "file:///srv/k.tgz"),
            ("https://u:p@w@host/k", "https://host/k"),
            ("nonsense?secret", "nonsense"),
        ];
        for (url, shown) in cases {
            assert_eq!(without_secrets(url), shown);
        }
    }

    #[test]
    fn a_url_cannot_smuggle_settings() {
        let text = curl_settings("https://h/\"\noutput = \"/etc/x\\", "/tmp/a \"b\"");
        assert!(
            text.starts_with(
                "url = \"https://h/\\\"output = \\\"/etc/x\\\\\"\noutput = \"/tmp/a \\\"b\\\"\"\n"
            ),
            "{text}"
        );
    }
}

//! The schema of the provider block: `local` and `aws`.

use super::aws;
use crate::tfplugin::Type;
use crate::tfplugin::schema::{Attribute, Schema, each, map, number, object, range, string, text};

/// The schema of `provider "msk"`.
pub(super) fn schema() -> Schema {
    Schema::new(
        "Managed streaming for Apache Kafka, run by you: this provider creates and looks after the brokers \
         itself.\n\n\
         Exactly one of `local` and `aws` says where clusters run. With `local = {}` they run on this machine, \
         as real Apache Kafka processes that live on after Terraform has ended. With `aws = { … }` they run in your \
         AWS account: EC2 instances in your subnets, data on encrypted EBS volumes, lost instances replaced while nobody \
         runs Terraform.",
    )
    .attribute("local", object(local()).optional().description(
        "Clusters run on this machine. `local = {}` is enough: every member has a default. \
         Excludes `aws`.",
    ))
    .attribute("aws", object(aws::schema::members()).optional().description(
        "Clusters run in your AWS account, as EC2 instances that look after themselves. Excludes `local`.",
    ))
}

fn local() -> Vec<(&'static str, Attribute)> {
    vec![
        ("data_directory", string().optional().validate(text(absolute_path)).description(
            "Absolute path of the directory that holds clusters, the control store and Kafka distributions; made \
             with mode 0700. Default: the environment variable `MSK_LOCAL_DATA_DIRECTORY`, else \
             `$XDG_DATA_HOME/terraform-provider-msk`, else `~/.local/share/terraform-provider-msk`.",
        )),
        ("kafka_directory", string().optional().validate(text(absolute_path)).description(
            "Absolute path of the directory that holds `kafka_2.13-<version>/libs/*.jar`; an unpacked Apache \
             archive works as it is. Default: `<data_directory>/kafka`.",
        )),
        ("kafka_archive_url", string().optional().validate(text(url)).description(
            "Where to fetch Kafka's archive when the version is not in `kafka_directory`: an `https`, `http` or \
             `file` URL with the placeholders `{version}` and `{scala}`. Needs `kafka_archive_sha512`.",
        )),
        ("kafka_archive_sha512", map(Type::String).optional().validate(each(text(sha512))).description(
            "The SHA-512 digest of each version's archive, in hexadecimal, by version.",
        )),
        ("maven_command", string().optional().validate(text(not_empty)).description(
            "The Maven that fetches Kafka's published artifacts when neither `kafka_directory` nor \
             `kafka_archive_url` has the version. It uses your own Maven settings (mirrors, proxies), and each \
             file is checked against the SHA-256 list that ships with the provider. Default: `mvn`.",
        )),
        ("java_home", string().optional().validate(text(absolute_path)).description(
            "The Java installation that runs Kafka: 17 or newer for Kafka 4.x, 11 or newer for 3.9. Default: the \
             environment variable `JAVA_HOME`, else the `java` in `PATH`.",
        )),
        ("listen_address", string().optional().validate(text(ip_address)).description(
            "The IP address that listeners bind to and advertise. Default: `127.0.0.1`.",
        )),
        ("base_port", number().optional().validate(range(1024..=64_536)).description(
            "A cluster takes the first block of 1,000 ports from here of which every port that it needs is free. \
             The block is claimed at apply and recorded. Default: 20000.",
        )),
        ("broker_heap", string().optional().validate(text(heap)).description(
            "The JVM heap of a broker or controller, such as `512m` or `2g`. Default: `512m`.",
        )),
    ]
}

pub(super) fn absolute_path(path: &str) -> Result<(), String> {
    match path {
        "" => Err("not be empty; leave it out to get the default".to_owned()),
        path if path.starts_with('~') => Err(format!("be an absolute path; write pathexpand(\"{path}\")")),
        path if !path.starts_with('/') => Err(format!(
            "be an absolute path; write abspath(\"{path}\") if it is relative to the working directory"
        )),
        _ => Ok(()),
    }
}

pub(super) fn not_empty(text: &str) -> Result<(), String> {
    if text.is_empty() {
        Err("not be empty; leave it out to get the default".to_owned())
    } else {
        Ok(())
    }
}

pub(super) fn url(url: &str) -> Result<(), String> {
    let known = ["https://", "http://", "file:///"]
        .iter()
        .any(|scheme| url.starts_with(scheme));
    if known && url.contains("{version}") {
        return Ok(());
    }
    Err("be an https, http or file URL that holds {version}".to_owned())
}

pub(super) fn sha512(digest: &str) -> Result<(), String> {
    if digest.len() == 128 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err("be a SHA-512 digest: 128 hexadecimal digits".to_owned())
}

fn ip_address(address: &str) -> Result<(), String> {
    match address.parse::<std::net::IpAddr>() {
        Ok(address) if !address.is_unspecified() && !address.is_multicast() => Ok(()),
        Ok(_) => Err("be the address of one interface: clients are told to connect to it".to_owned()),
        Err(_) => Err("be an IP address such as 127.0.0.1".to_owned()),
    }
}

fn heap(heap: &str) -> Result<(), String> {
    let rule = || "be a JVM heap size from 128m to 1024g, such as 512m or 2g".to_owned();
    let unit = heap.chars().last().ok_or_else(rule)?;
    let digits = heap.strip_suffix(unit).ok_or_else(rule)?;
    let factor: u64 = match unit {
        'k' | 'K' => 1 << 10,
        'm' | 'M' => 1 << 20,
        'g' | 'G' => 1 << 30,
        _ => return Err(rule()),
    };
    if digits.is_empty() || digits.len() > 9 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(rule());
    }
    let bytes = digits.parse::<u64>().map_err(|_| rule())?.saturating_mul(factor);
    if (128 << 20..=1024 << 30).contains(&bytes) {
        Ok(())
    } else {
        Err(rule())
    }
}

#[cfg(test)]
mod tests {
    use super::{absolute_path, heap, ip_address, url};

    #[test]
    fn a_heap_has_a_unit_and_a_sane_size() {
        for right in ["512m", "2g", "131072k", "1G"] {
            assert_eq!(heap(right), Ok(()), "{right}");
        }
        for wrong in [
            "",
            "m",
            "512",
            "1m",
            "9999999999m",
            "0x200m",
            "-512m",
            "512 m",
            "2t",
            "ü",
        ] {
            assert!(heap(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_relative_path_is_refused_with_the_function_to_use() {
        assert!(
            absolute_path("~/kafka")
                .unwrap_err()
                .contains("pathexpand(\"~/kafka\")")
        );
        assert!(absolute_path("kafka").unwrap_err().contains("abspath(\"kafka\")"));
        assert_eq!(absolute_path("/mein Verzeichnis ü"), Ok(()));
    }

    #[test]
    fn an_address_that_nobody_can_connect_to_is_refused() {
        assert_eq!(ip_address("127.0.0.1"), Ok(()));
        assert_eq!(ip_address("::1"), Ok(()));
        for wrong in ["0.0.0.0", "::", "localhost", "224.0.0.1", ""] {
            assert!(ip_address(wrong).is_err(), "{wrong}");
        }
        assert!(url("ftp://x/{version}").is_err());
        assert!(url("https://x/kafka.tgz").is_err());
        assert_eq!(url("https://x/{version}/kafka_{scala}-{version}.tgz"), Ok(()));
    }
}

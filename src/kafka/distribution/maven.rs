//! Kafka's published artifacts through the user's own Maven: its settings know mirrors and proxies.

use std::fmt::Write as _;
use std::fs;

use camino::Utf8PathBuf;

use super::fetch::Workshop;
use super::lock::Lock;
use super::tool::Run;
use super::{CHECKED_MARK, Error};
use crate::kafka::versions::KafkaVersion;

/// Pinned, so that the same thing happens everywhere.
const PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies";

const WAY_OUT: &str = "install Maven, or set `maven_command` to where it is, or set `kafka_directory` to a \
    directory that holds an unpacked Kafka, or set `kafka_archive_url`";

/// Fetches and checks a version; returns the directory that is to be put in place.
pub(super) async fn fetch(
    version: KafkaVersion,
    maven_command: &str,
    workshop: &Workshop,
    report: &(dyn Fn(String) + Send + Sync),
) -> Result<Utf8PathBuf, Error> {
    let lock = Lock::of(version);
    report(format!(
        "fetching the {} files of Kafka {version} with `{maven_command}`",
        lock.files.len()
    ));
    let project = workshop.scratch().join("pom.xml");
    fs::write(&project, project_text(&lock)).map_err(Error::io("write", &project))?;
    let unpacked = workshop.scratch().join("kafka");
    let libs = unpacked.join("libs");
    fs::create_dir_all(&libs).map_err(Error::io("make the directory", &libs))?;
    let run = Run {
        program: maven_command,
        arguments: vec![
            "--batch-mode".to_owned(),
            "--quiet".to_owned(),
            "-Dstyle.color=never".to_owned(),
            PLUGIN.to_owned(),
            "-DincludeScope=runtime".to_owned(),
            format!("-DoutputDirectory={libs}"),
        ],
        directory: workshop.scratch(),
        input: String::new(),
        task: format!("to fetch Kafka {version}"),
        way_out: WAY_OUT,
    };
    run.to_end().await?;

    report(format!("checking Kafka {version} against its lock"));
    let task = tokio::task::spawn_blocking(move || lock.check(&libs));
    task.await
        .map_err(|error| Error::io("check", workshop.scratch())(std::io::Error::other(error)))??;
    let mark = unpacked.join(CHECKED_MARK);
    fs::write(
        &mark,
        "Fetched with Maven; every jar is checked against a lock before use.\n",
    )
    .map_err(Error::io("write", &mark))?;
    Ok(unpacked)
}

/// A project that needs Kafka and nothing else.
fn project_text(lock: &Lock) -> String {
    let mut dependencies = String::new();
    for root in &lock.roots {
        let mut parts = root.split(':');
        let mut part = || parts.next().unwrap_or_default();
        let (group, artifact, version) = (part(), part(), part());
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            dependencies,
            "    <dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
             <version>{version}</version></dependency>"
        );
    }
    include_str!("pom.xml").replace("@DEPENDENCIES@\n", &dependencies)
}

#[cfg(test)]
mod tests {
    use super::super::lock::Lock;
    use super::project_text;
    use crate::kafka::versions::KafkaVersion;

    #[test]
    fn the_project_names_every_root_of_the_lock() {
        let text = project_text(&Lock::of(KafkaVersion::DEFAULT));
        assert!(
            text.contains("<artifactId>kafka_2.13</artifactId><version>4.3.1</version>"),
            "{text}"
        );
        assert!(
            text.contains("<artifactId>log4j-slf4j-impl</artifactId>"),
            "{text}"
        );
        assert!(!text.contains('@'), "{text}");
    }
}

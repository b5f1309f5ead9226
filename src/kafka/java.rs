//! Finding the Java that runs Kafka, and what it is. Runs `java -version` once per call, nothing else.

use std::ffi::OsStr;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use tokio::process::Command;

use crate::kafka::versions::KafkaVersion;

/// A Java that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Java {
    /// The program.
    pub program: Utf8PathBuf,
    /// The feature release: 17 for `17.0.15`, 8 for `1.8.0_292`.
    pub release: u16,
    /// The exact build, such as `17.0.15+6-Debian-1deb12u1`: class-data archives fit one build only.
    pub build: String,
}

/// Where to look, in this order. Nothing is read from the environment here.
#[derive(Debug, Clone, Copy, Default)]
pub struct Places<'a> {
    /// The provider's setting `java_home`.
    pub java_home: Option<&'a Utf8Path>,
    /// The value of `$JAVA_HOME`.
    pub environment_home: Option<&'a str>,
    /// The value of `$PATH`.
    pub search_path: Option<&'a OsStr>,
}

/// Why there is no usable Java.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing was found.
    #[error(
        "no Java found ({looked_at}); install a Java runtime, 17 or newer for Kafka 4, or set `java_home` in \
         the provider's block `local`"
    )]
    NotFound {
        /// Where was looked.
        looked_at: String,
    },
    /// A home was named, but there is no program in it.
    #[error("{setting} is `{home}`, but there is no program `bin/java` in it")]
    NotAHome {
        /// Who named it.
        setting: &'static str,
        /// What was named.
        home: Utf8PathBuf,
    },
    /// The program does not start.
    #[error("cannot start `{program}`")]
    Start {
        /// The program.
        program: Utf8PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The program runs, but does not say which Java it is.
    #[error("`{program} -version` does not say which Java it is; it said: {answer}")]
    NoAnswer {
        /// The program.
        program: Utf8PathBuf,
        /// The beginning of what it printed.
        answer: String,
    },
    /// Too old for this Kafka.
    #[error(
        "Kafka {version} needs Java {minimum} or newer, but `{program}` is Java {release} ({build}); install a \
         newer one or set `java_home` in the provider's block `local`"
    )]
    TooOld {
        /// The Kafka.
        version: KafkaVersion,
        /// What it needs.
        minimum: u16,
        /// The program.
        program: Utf8PathBuf,
        /// What it is.
        release: u16,
        /// What it is, exactly.
        build: String,
    },
}

/// Finds Java and asks it for its version. A home that is named but wrong is an error: what follows it in
/// the order is not tried then.
///
/// # Errors
/// All of [`Error`] but [`Error::TooOld`].
pub async fn find(places: Places<'_>) -> Result<Java, Error> {
    let program = locate(places)?;
    ask(program).await
}

impl Java {
    /// Checks that it can run a version of Kafka.
    ///
    /// # Errors
    /// [`Error::TooOld`], naming what was found.
    pub fn check(&self, version: KafkaVersion) -> Result<(), Error> {
        let minimum = version.minimum_java();
        if self.release >= minimum {
            return Ok(());
        }
        let Self {
            program,
            release,
            build,
        } = self.clone();
        Err(Error::TooOld {
            version,
            minimum,
            program,
            release,
            build,
        })
    }
}

fn locate(places: Places<'_>) -> Result<Utf8PathBuf, Error> {
    let environment = places
        .environment_home
        .filter(|home| !home.is_empty())
        .map(Utf8Path::new);
    let homes = [
        ("`java_home`", places.java_home),
        ("the environment variable JAVA_HOME", environment),
    ];
    for (setting, home) in homes {
        let Some(home) = home else { continue };
        let program = home.join("bin/java");
        if !program.is_file() {
            return Err(Error::NotAHome {
                setting,
                home: home.to_owned(),
            });
        }
        return Ok(program);
    }
    let folders = std::env::split_paths(places.search_path.unwrap_or_default());
    folders
        .filter(|folder| folder.is_absolute())
        .filter_map(|folder| Utf8PathBuf::from_path_buf(folder.join("java")).ok())
        .find(|program| program.is_file())
        .ok_or_else(|| Error::NotFound {
            looked_at: "`java_home` and JAVA_HOME are not set, and no folder of PATH holds `java`".to_owned(),
        })
}

/// A Java that needs longer than this for its version is stuck.
const PATIENCE: Duration = Duration::from_secs(30);

async fn ask(program: Utf8PathBuf) -> Result<Java, Error> {
    let child = Command::new(&program)
        .arg("-version")
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let output = match tokio::time::timeout(PATIENCE, child).await {
        Ok(Ok(output)) => output,
        Ok(Err(source)) => return Err(Error::Start { program, source }),
        Err(_) => {
            return Err(Error::NoAnswer {
                program,
                answer: "nothing for 30 seconds".to_owned(),
            });
        }
    };
    let text = String::from_utf8_lossy(&output.stderr);
    let Some((release, build)) = parse(&text) else {
        let answer: String = text.chars().take(200).collect();
        return Err(Error::NoAnswer { program, answer });
    };
    Ok(Java {
        program,
        release,
        build,
    })
}

/// Reads release and build from what `java -version` prints.
fn parse(text: &str) -> Option<(u16, String)> {
    let (_, after) = text.split_once(" version \"")?;
    let (version, _) = after.split_once('"')?;
    let mut numbers = version.split(['.', '_', '-', '+']);
    let first: u16 = numbers.next()?.parse().ok()?;
    let release = if first == 1 {
        numbers.next()?.parse().ok()?
    } else {
        first
    };
    // The virtual machine's own line is the last one: "… (build 17.0.15+6, mixed mode, sharing)".
    let build = text.rsplit_once("(build ").map_or(version, |(_, rest)| {
        rest.split([',', ')', '\n']).next().unwrap_or(version)
    });
    let build: String = build
        .trim()
        .chars()
        .filter(|letter| !letter.is_control())
        .take(80)
        .collect();
    Some((release, build))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use camino::{Utf8Path, Utf8PathBuf};
    use proptest::prelude::{any, proptest};

    use super::{Error, Java, Places, find, parse};
    use crate::kafka::versions::KafkaVersion;

    #[test]
    fn what_virtual_machines_print_is_read() {
        let cases = [
            (
                "openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime Environment (build 17.0.15+6-Debian-1)\n\
                 OpenJDK 64-Bit Server VM (build 17.0.15+6-Debian-1, mixed mode, sharing)\n",
                17,
                "17.0.15+6-Debian-1",
            ),
            (
                "java version \"1.8.0_292\"\nJava(TM) SE Runtime Environment (build 1.8.0_292-b10)\n",
                8,
                "1.8.0_292-b10",
            ),
            (
                "Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version \"21\" 2023-09-19\n",
                21,
                "21",
            ),
            ("openjdk version \"25-ea\" 2025-09-16\n", 25, "25-ea"),
        ];
        for (text, release, build) in cases {
            assert_eq!(parse(text), Some((release, build.to_owned())), "{text}");
        }
        for text in [
            "",
            "java",
            "openjdk version \"\"",
            "openjdk version \"x.y\"",
            "openjdk version \"17",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    /// A program that prints as Java does, in a directory with a blank and a letter beyond ASCII.
    fn fake_java(script: &str) -> (tempfile::TempDir, Utf8PathBuf) {
        let outer = tempfile::tempdir().unwrap();
        let home = Utf8PathBuf::from_path_buf(outer.path().join("ein Java für uns")).unwrap();
        fs::create_dir_all(home.join("bin")).unwrap();
        let program = home.join("bin/java");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        (outer, home)
    }

    fn in_home(home: &Utf8Path) -> Places<'_> {
        Places {
            java_home: Some(home),
            ..Places::default()
        }
    }

    #[tokio::test]
    async fn an_old_java_is_refused_by_name_and_number() {
        let (_outer, home) = fake_java("echo 'openjdk version \"11.0.2\" 2019-01-15' >&2");
        let java = find(in_home(&home)).await.unwrap();
        assert_eq!(java.release, 11);
        assert!(java.check(KafkaVersion::parse("3.9.2").unwrap()).is_ok());
        let text = java.check(KafkaVersion::DEFAULT).unwrap_err().to_string();
        assert!(
            text.starts_with("Kafka 4.3.1 needs Java 17 or newer, but `"),
            "{text}"
        );
        assert!(text.contains("is Java 11 (11.0.2)"), "{text}");
    }

    #[tokio::test]
    async fn the_setting_comes_before_the_environment_and_that_before_the_path() {
        let (_one, first) = fake_java("echo 'x version \"21\"' >&2");
        let (_two, second) = fake_java("echo 'x version \"22\"' >&2");
        let (_three, third) = fake_java("echo 'x version \"23\"' >&2");
        let path = third.join("bin");
        let mut places = Places {
            java_home: Some(&first),
            environment_home: Some(second.as_str()),
            search_path: Some(OsStr::new(path.as_str())),
        };
        assert_eq!(find(places).await.unwrap().release, 21);
        places.java_home = None;
        assert_eq!(find(places).await.unwrap().release, 22);
        places.environment_home = Some("");
        assert_eq!(find(places).await.unwrap().release, 23);
    }

    #[tokio::test]
    async fn no_java_a_wrong_home_and_a_program_that_is_not_java_are_told_apart() {
        let none = find(Places {
            search_path: Some(OsStr::new("/nowhere:relative")),
            ..Places::default()
        })
        .await;
        assert!(matches!(none, Err(Error::NotFound { .. })), "{none:?}");
        let wrong = find(in_home(Utf8Path::new("/nowhere"))).await;
        assert!(matches!(wrong, Err(Error::NotAHome { .. })), "{wrong:?}");
        let (_outer, home) = fake_java("echo hello >&2; exit 1");
        let text = find(in_home(&home)).await.unwrap_err().to_string();
        assert!(text.ends_with("it said: hello\n"), "{text}");
    }

    #[test]
    fn a_java_exactly_old_enough_will_do() {
        let java = Java {
            program: "/java".into(),
            release: 17,
            build: "17".to_owned(),
        };
        for version in KafkaVersion::all() {
            assert!(java.check(version).is_ok(), "{version}");
        }
    }

    proptest! {
        #[test]
        fn reading_an_answer_never_panics(text in any::<String>()) {
            let _ = parse(&format!(" version \"{text}"));
            let _ = parse(&text);
        }
    }
}

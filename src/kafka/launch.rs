//! How a Kafka node is started: the command line, and the logging configuration beside it. Pure.
//!
//! The program runs in an empty environment but for [`CommandLine::environment`], and no secret is in
//! its arguments.

use std::fmt::Write as _;

use camino::{Utf8Path, Utf8PathBuf};

use crate::kafka::java::Java;
use crate::kafka::versions::{KafkaVersion, LoggingBinding};

/// A program with its arguments and its whole environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// The program.
    pub program: Utf8PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// All variables that it gets.
    pub environment: Vec<(&'static str, &'static str)>,
}

/// The heap of a JVM, such as `512m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heap {
    mebibytes: u32,
}

/// A heap that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a heap size: write mebibytes or gibibytes, such as `512m` or `4g`, from 256m to 64g"
)]
pub struct HeapError {
    text: String,
}

impl Heap {
    /// Enough for a node without clients.
    pub(crate) const TRAINING: Self = Self { mebibytes: 256 };

    /// Reads `512m`, `512M`, `2g` or `2G`; from 256 MiB (below it a broker spends its time collecting
    /// garbage) to 64 GiB.
    ///
    /// # Errors
    /// [`HeapError`] says what can be written.
    pub fn parse(text: &str) -> Result<Self, HeapError> {
        let error = || HeapError {
            text: text.chars().take(40).collect(),
        };
        let split = text.len().checked_sub(1).ok_or_else(error)?;
        let (digits, unit) = text.split_at_checked(split).ok_or_else(error)?;
        let factor = match unit {
            "m" | "M" => 1,
            "g" | "G" => 1024,
            _ => return Err(error()),
        };
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(error());
        }
        let number: u32 = digits.parse().map_err(|_| error())?;
        let mebibytes = number.checked_mul(factor).ok_or_else(error)?;
        if !(256..=64 * 1024).contains(&mebibytes) {
            return Err(error());
        }
        Ok(Self { mebibytes })
    }

    /// Mebibytes.
    pub const fn mebibytes(self) -> u32 {
        self.mebibytes
    }
}

/// What the JVM is tuned for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tuning {
    /// Several nodes share one machine: a quick start and little memory count.
    ///
    /// Measured with 4.3.1 on 2 cores (three combined TLS nodes, JDK 17, processor time of one node until
    /// it runs): G1 and both compilers 7.1 s; serial collector and first compiler alone 5.1 s; and with a
    /// class-data archive 4.0 s. The price is peak throughput, which one machine's brokers share anyway.
    OneMachine,
    /// The node has its machine to itself: throughput and short pauses count.
    OwnMachine,
}

/// What a node's command line is made from.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    /// The version, which decides the logging library.
    pub version: KafkaVersion,
    /// The Java to run it with.
    pub java: &'a Java,
    /// Every jar, absolute and in a fixed order: a class-data archive fits one exact class path, and does
    /// not work with a `*` in it.
    pub jars: &'a [Utf8PathBuf],
    /// The heap, minimum and maximum alike.
    pub heap: Heap,
    /// What to tune for.
    pub tuning: Tuning,
    /// Absolute path of the node's `server.properties`.
    pub configuration: &'a Utf8Path,
    /// Absolute path of the file that [`logging_configuration`] renders.
    pub logging: &'a Utf8Path,
    /// Absolute directory for log files, heap dump and error file.
    pub logs: &'a Utf8Path,
    /// Absolute directory, on a file system that may run programs, for the compression libraries.
    pub scratch: &'a Utf8Path,
    /// The class-data archive, if it may be used; one that does not fit is passed over by the JVM.
    pub class_data: Option<&'a Utf8Path>,
}

/// The class that runs a node, in every supported version.
const MAIN_CLASS: &str = "kafka.Kafka";

/// Login modules that nodes may load; Kafka's own list of bad ones only names two.
const LOGIN_MODULES: &str = "org.apache.kafka.common.security.scram.ScramLoginModule,\
    org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";

/// Without a UTF-8 locale, Java cannot open a file whose path has letters beyond ASCII.
pub(crate) const ENVIRONMENT: &[(&str, &str)] = &[("LC_ALL", "C.UTF-8")];

/// Makes the command line of a node.
pub fn command_line(node: &Node<'_>) -> CommandLine {
    let mut arguments = jvm_arguments(node);
    arguments.extend([
        "-cp".to_owned(),
        class_path(node.jars),
        MAIN_CLASS.to_owned(),
        node.configuration.to_string(),
    ]);
    CommandLine {
        program: node.java.program.clone(),
        arguments,
        environment: ENVIRONMENT.to_vec(),
    }
}

/// The jars as Java's class path.
pub(crate) fn class_path(jars: &[Utf8PathBuf]) -> String {
    jars.iter().map(|jar| jar.as_str()).collect::<Vec<_>>().join(":")
}

fn jvm_arguments(node: &Node<'_>) -> Vec<String> {
    let mebibytes = node.heap.mebibytes;
    let mut arguments = vec![format!("-Xms{mebibytes}m"), format!("-Xmx{mebibytes}m")];
    let collector: &[&str] = match node.tuning {
        Tuning::OneMachine => &["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xss512k"],
        // As in Kafka's own start script (`kafka-run-class.sh`, 4.3).
        Tuning::OwnMachine => &[
            "-XX:+UseG1GC",
            "-XX:MaxGCPauseMillis=20",
            "-XX:InitiatingHeapOccupancyPercent=35",
            "-XX:+ExplicitGCInvokesConcurrent",
        ],
    };
    arguments.extend(collector.iter().map(|&argument| argument.to_owned()));
    if let Some(archive) = node.class_data {
        arguments.push(format!("-XX:SharedArchiveFile={archive}"));
        arguments.push("-Xshare:auto".to_owned());
        // A mismatch is no news: the archive is then not used, and made anew by and by.
        arguments.push("-Xlog:disable".to_owned());
        arguments.push("-Xlog:all=error:stderr".to_owned());
    }
    let (logs, scratch) = (node.logs, node.scratch);
    arguments.extend([
        // A node without memory does harm half alive; the agent starts it again.
        "-XX:+ExitOnOutOfMemoryError".to_owned(),
        // To one fixed file that is never overwritten, so dumps cannot fill the disk.
        "-XX:+HeapDumpOnOutOfMemoryError".to_owned(),
        format!("-XX:HeapDumpPath={logs}/heap.hprof"),
        format!("-XX:ErrorFile={logs}/hs_err.log"),
        "-XX:-UsePerfData".to_owned(),
        "-Djava.awt.headless=true".to_owned(),
        "-Dfile.encoding=UTF-8".to_owned(),
        format!("-Dkafka.logs.dir={logs}"),
        format!("-Djava.io.tmpdir={scratch}"),
        format!("-DZstdTempFolder={scratch}"),
        format!("-Dorg.xerial.snappy.tempdir={scratch}"),
    ]);
    if node.version.minor() >= (4, 2) {
        arguments.push(format!(
            "-Dorg.apache.kafka.allowed.login.modules={LOGIN_MODULES}"
        ));
    } else {
        // Up to 4.1 there is only a list of bad ones; these two are Kafka's default.
        arguments.push(
            "-Dorg.apache.kafka.disallowed.login.modules=com.sun.security.auth.module.JndiLoginModule,\
             com.sun.security.auth.module.LdapLoginModule"
                .to_owned(),
        );
    }
    arguments.push(match node.version.logging() {
        LoggingBinding::Reload4j => format!("-Dlog4j.configuration={}", file_url(node.logging)),
        LoggingBinding::Log4j2 => format!("-Dlog4j2.configurationFile={}", file_url(node.logging)),
    });
    arguments
}

/// A path as a `file:` URL: both logging libraries take that form, and only that with blanks.
fn file_url(path: &Utf8Path) -> String {
    let mut url = "file://".to_owned();
    for byte in path.as_str().bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url
}

/// Renders the logging configuration of a version. It finds the directory through the property
/// `kafka.logs.dir`, so it is the same for every node. Its name must end with `.properties`.
///
/// A node writes `server.log`: at most five files of 10 MB.
pub const fn logging_configuration(binding: LoggingBinding) -> &'static str {
    match binding {
        LoggingBinding::Log4j2 => LOG4J2,
        LoggingBinding::Reload4j => RELOAD4J,
    }
}

const LOG4J2: &str = "\
# Written by msk; changes are lost.
status = error
appenders = file
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = ${sys:kafka.logs.dir}/server.log
appender.file.filePattern = ${sys:kafka.logs.dir}/server.log.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = [%d{yyyy-MM-dd'T'HH:mm:ss,SSSXXX}] %p %m (%c)%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.fileIndex = min
appender.file.strategy.max = 4
rootLogger.level = INFO
rootLogger.appenderRef.file.ref = file
loggers = state, request
logger.state.name = state.change.logger
logger.state.level = WARN
logger.request.name = kafka.request.logger
logger.request.level = WARN
";

const RELOAD4J: &str = "\
# Written by msk; changes are lost.
log4j.rootLogger = INFO, file
log4j.appender.file = org.apache.log4j.RollingFileAppender
log4j.appender.file.File = ${kafka.logs.dir}/server.log
log4j.appender.file.MaxFileSize = 10MB
log4j.appender.file.MaxBackupIndex = 4
log4j.appender.file.layout = org.apache.log4j.PatternLayout
log4j.appender.file.layout.ConversionPattern = [%d{yyyy-MM-dd'T'HH:mm:ss,SSSX}] %p %m (%c)%n
log4j.logger.state.change.logger = WARN
log4j.logger.kafka.request.logger = WARN
";

#[cfg(test)]
mod tests {
    use camino::{Utf8Path, Utf8PathBuf};

    use super::{Heap, Node, Tuning, command_line, file_url, logging_configuration};
    use crate::kafka::java::Java;
    use crate::kafka::versions::KafkaVersion;

    #[test]
    fn heaps_are_read_within_their_bounds() {
        for (text, mebibytes) in [("512m", 512), ("256M", 256), ("2g", 2048), ("64G", 65536)] {
            assert_eq!(Heap::parse(text).unwrap().mebibytes(), mebibytes, "{text}");
        }
        for text in [
            "",
            "m",
            "512",
            "512k",
            "255m",
            "65g",
            "-1g",
            "+1g",
            "1 g",
            "1.5g",
            "999999999999g",
            "1gü",
            "ü",
        ] {
            let error = Heap::parse(text).unwrap_err().to_string();
            assert!(error.contains("`512m`"), "{text}: {error}");
        }
    }

    fn arguments(version: &str, tuning: Tuning, class_data: Option<&Utf8Path>) -> Vec<String> {
        let java = Java {
            program: "/java/bin/java".into(),
            release: 17,
            build: "17".to_owned(),
        };
        let jars = [
            Utf8PathBuf::from("/libs/a b.jar"),
            Utf8PathBuf::from("/libs/ü.jar"),
        ];
        let node = Node {
            version: KafkaVersion::parse(version).unwrap(),
            java: &java,
            jars: &jars,
            heap: Heap::parse("512m").unwrap(),
            tuning,
            configuration: Utf8Path::new("/node/server.properties"),
            logging: Utf8Path::new("/node/log 1/ü.properties"),
            logs: Utf8Path::new("/node/logs"),
            scratch: Utf8Path::new("/node/tmp"),
            class_data,
        };
        command_line(&node).arguments
    }

    #[test]
    fn the_class_path_lists_every_jar_and_the_main_class_follows() {
        let arguments = arguments("4.3.1", Tuning::OneMachine, None);
        let tail = &arguments[arguments.len() - 4..];
        assert_eq!(
            tail,
            [
                "-cp",
                "/libs/a b.jar:/libs/ü.jar",
                "kafka.Kafka",
                "/node/server.properties"
            ]
        );
        assert!(!arguments.iter().any(|argument| argument.contains("jmxremote")));
        assert!(
            !arguments
                .iter()
                .any(|argument| argument.starts_with("-XX:SharedArchiveFile"))
        );
    }

    #[test]
    fn each_version_gets_the_flags_of_its_logging_library_and_login_modules() {
        let has = |version, start: &str| {
            arguments(version, Tuning::OwnMachine, None)
                .iter()
                .any(|argument| argument.starts_with(start))
        };
        assert!(has(
            "3.9.2",
            "-Dlog4j.configuration=file:///node/log%201/%C3%BC.properties"
        ));
        assert!(has(
            "4.0.2",
            "-Dlog4j2.configurationFile=file:///node/log%201/%C3%BC.properties"
        ));
        assert!(has("4.1.2", "-Dorg.apache.kafka.disallowed.login.modules="));
        assert!(has("4.2.2", "-Dorg.apache.kafka.allowed.login.modules="));
        assert!(!has("4.3.1", "-Dorg.apache.kafka.disallowed.login.modules="));
    }

    #[test]
    fn a_class_data_archive_is_used_where_there_is_one() {
        let arguments = arguments("4.3.1", Tuning::OneMachine, Some(Utf8Path::new("/cds/k.jsa")));
        assert!(arguments.contains(&"-XX:SharedArchiveFile=/cds/k.jsa".to_owned()));
        assert!(arguments.contains(&"-Xshare:auto".to_owned()));
    }

    #[test]
    fn urls_are_escaped() {
        assert_eq!(
            file_url(Utf8Path::new("/a b/%ü#?.x")),
            "file:///a%20b/%25%C3%BC%23%3F.x"
        );
    }

    #[test]
    fn logs_are_bounded_in_every_version() {
        for version in KafkaVersion::all() {
            let text = logging_configuration(version.logging());
            assert!(text.contains("= 10MB\n") && text.contains("= 4\n"), "{version}");
        }
    }
}

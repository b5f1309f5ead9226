//! Log lines as the host reads them: JSON objects on stderr, one per line.
//!
//! Only events of this crate are shown. Those of the HTTP and TLS libraries could hold pieces of
//! messages, and messages hold secrets.

use std::fmt::{Debug, Write as _};
use std::io::Write as _;

use serde_json::{Map, Value as Json};
use time::OffsetDateTime;
use time::macros::format_description;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// The host cuts lines at 64 KiB.
const LONGEST_LINE: usize = 60 * 1024;
/// Longest text of one field.
const LONGEST_TEXT: usize = 8 * 1024;

/// Starts logging at the level that the user asked Terraform for; off by default.
pub(crate) fn start() {
    let level = ["TF_LOG_PROVIDER", "TF_LOG"].into_iter().find_map(|name| {
        let value = std::env::var(name).ok()?;
        (!value.is_empty()).then(|| level_of(&value))
    });
    let level = level.unwrap_or(LevelFilter::OFF);
    if level != LevelFilter::OFF {
        // Fails only if a subscriber is set already, which then does the work.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Hclog { level }));
    }
}

/// As Terraform reads it: a word that it does not know means everything.
fn level_of(text: &str) -> LevelFilter {
    match text.to_ascii_uppercase().as_str() {
        "OFF" | "NONE" => LevelFilter::OFF,
        "ERROR" => LevelFilter::ERROR,
        "WARN" => LevelFilter::WARN,
        "INFO" => LevelFilter::INFO,
        "DEBUG" => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    }
}

/// Makes a panic known to the host, which looks for lines that begin like this.
pub(crate) fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let text = panic.payload_as_str().unwrap_or("no message");
        write_line(&format!("panic: {text}\n\nat {place}\n"));
    }));
}

/// Writes to stderr in one call. That the host is gone is no reason to fail.
pub(crate) fn write_line(line: &str) {
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

struct Hclog {
    level: LevelFilter,
}

impl<S: Subscriber> Layer<S> for Hclog {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let ours = metadata.target().split("::").next() == Some(env!("CARGO_CRATE_NAME"));
        ours && *metadata.level() <= self.level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        write_line(&line_of(event));
    }
}

fn line_of(event: &Event<'_>) -> String {
    let mut fields = Fields::default();
    event.record(&mut fields);
    let metadata = event.metadata();
    let level = match *metadata.level() {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    };
    line(level, metadata.target(), OffsetDateTime::now_utc(), fields)
}

fn line(level: &str, module: &str, now: OffsetDateTime, fields: Fields) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
    // The host crashes on a value of these keys that is no text.
    let head = [
        ("@level", level.to_owned()),
        ("@message", fields.message),
        ("@module", module.to_owned()),
        ("@timestamp", now.format(format).unwrap_or_default()),
    ];
    let mut object: Map<String, Json> = head
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.into()))
        .collect();
    let mut length = 0;
    for (key, value) in fields.others {
        let text = value.to_string().len() + key.len();
        if length + text <= LONGEST_LINE / 2 {
            length += text;
            object.insert(key, value);
        }
    }
    let mut text = Json::Object(object).to_string();
    text.push('\n');
    text
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(String, Json)>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Json) {
        self.others
            .push((field.name().trim_start_matches('@').to_owned(), value));
    }

    fn put_text(&mut self, field: &Field, mut text: String) {
        if text.len() > LONGEST_TEXT {
            let end = (0..=LONGEST_TEXT)
                .rev()
                .find(|end| text.is_char_boundary(*end))
                .unwrap_or(0);
            text.truncate(end);
            text.push('…');
        }
        if field.name() == "message" {
            self.message = text;
        } else {
            self.put(field, text.into());
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        let _ = write!(text, "{value:?}");
        self.put_text(field, text);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put_text(field, value.to_owned());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_line_is_what_the_host_understands() {
        let fields = Fields {
            message: "hello".to_owned(),
            others: vec![("n".to_owned(), 3.into())],
        };
        let text = line("info", "msk::x", datetime!(2026-11-22 10:20:30.5 UTC), fields);
        let wanted = concat!(
            r#"{"@level":"info","@message":"hello","@module":"msk::x","#,
            r#""@timestamp":"2026-11-22T10:20:30.500000Z","n":3}"#,
            "\n"
        );
        assert_eq!(text, wanted);
    }

    #[test]
    fn a_line_stays_below_the_limit_of_the_host() {
        let others = (0..100)
            .map(|n| (format!("f{n}"), Json::from("\n".repeat(8000))))
            .collect();
        let fields = Fields {
            message: "\u{1}".repeat(LONGEST_TEXT / 8),
            others,
        };
        assert!(line("info", "x", OffsetDateTime::UNIX_EPOCH, fields).len() < 64 * 1024);
    }

    #[test]
    fn levels_are_read_as_terraform_reads_them() {
        assert_eq!(level_of("warn"), LevelFilter::WARN);
        assert_eq!(level_of("JSON"), LevelFilter::TRACE);
        assert_eq!(level_of("off"), LevelFilter::OFF);
    }
}

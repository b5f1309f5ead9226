//! The embedded tables: parsed once per minor, on first use.

use std::sync::LazyLock;

use super::value::{Kind, Valid};
use super::{Property, Scope, UpdateMode};
use crate::kafka::versions::KafkaVersion;

/// The properties of one minor, each scope sorted by name.
#[derive(Debug, Default)]
pub(super) struct Table {
    broker: Vec<Property>,
    topic: Vec<Property>,
}

impl Table {
    pub(super) fn rows(&self, scope: Scope) -> &[Property] {
        match scope {
            Scope::Broker => &self.broker,
            Scope::Topic => &self.topic,
        }
    }

    pub(super) fn find(&self, scope: Scope, name: &str) -> Option<&Property> {
        let rows = self.rows(scope);
        let position = rows.binary_search_by(|row| row.name.cmp(name)).ok()?;
        rows.get(position)
    }
}

macro_rules! table {
    ($name:ident, $minor:literal, $strict_lists:literal) => {
        static $name: LazyLock<Table> = LazyLock::new(|| {
            parse(
                include_str!(concat!("tables/", $minor, ".tsv")),
                $strict_lists,
            )
        });
    };
}

table!(TABLE_3_9, "3.9", false);
table!(TABLE_4_0, "4.0", false);
table!(TABLE_4_1, "4.1", false);
table!(TABLE_4_2, "4.2", true);
table!(TABLE_4_3, "4.3", true);

/// The table of a version's minor.
pub(super) fn of(version: KafkaVersion) -> &'static Table {
    match version.minor() {
        (3, 9) => &TABLE_3_9,
        (4, 0) => &TABLE_4_0,
        (4, 1) => &TABLE_4_1,
        (4, 2) => &TABLE_4_2,
        // A test walks all versions and fails if one has no table of its own.
        _ => &TABLE_4_3,
    }
}

/// The properties of Kafka's own authorizer, which stand in no `ConfigDef`
/// (`StandardAuthorizer.java`, 4.3).
const AUTHORIZER: &[&str] = &["broker\tallow.everyone.if.no.acl.found\tboolean\tfalse\t\tread-only"];

fn parse(text: &'static str, strict_lists: bool) -> Table {
    let mut table = Table::default();
    for line in text.lines().chain(AUTHORIZER.iter().copied()) {
        match row(line, strict_lists) {
            Some((Scope::Broker, property)) => table.broker.push(property),
            Some((Scope::Topic, property)) => table.topic.push(property),
            None => {}
        }
    }
    table.broker.sort_by_key(|property| property.name);
    table.topic.sort_by_key(|property| property.name);
    table
}

/// Reads one line; `None` for comments. A test holds that every other line is read.
fn row(line: &'static str, strict_lists: bool) -> Option<(Scope, Property)> {
    let mut cells = line.split('\t');
    let scope = match cells.next()? {
        "broker" => Scope::Broker,
        "topic" => Scope::Topic,
        _ => return None,
    };
    let name = cells.next()?;
    let kind = Kind::parse(cells.next()?)?;
    let default = match cells.next()? {
        "" | "null" => None,
        "\"\"" => Some(""),
        text => Some(text),
    };
    let valid = Valid::parse(cells.next()?)?;
    let last = cells.next()?;
    let (update, broker_synonym) = match (scope, last) {
        (Scope::Topic, "null") => (UpdateMode::Topic, None),
        (Scope::Topic, synonym) => (UpdateMode::Topic, Some(synonym)),
        (Scope::Broker, "cluster-wide") => (UpdateMode::ClusterWide, None),
        (Scope::Broker, "per-broker") => (UpdateMode::PerBroker, None),
        (Scope::Broker, "read-only") => (UpdateMode::ReadOnly, None),
        (Scope::Broker, _) => return None,
    };
    Some((
        scope,
        Property {
            name,
            kind,
            default,
            valid,
            update,
            broker_synonym,
            strict_lists,
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::row;

    #[test]
    fn every_line_of_every_table_is_read() {
        let tables = [
            include_str!("tables/3.9.tsv"),
            include_str!("tables/4.0.tsv"),
            include_str!("tables/4.1.tsv"),
            include_str!("tables/4.2.tsv"),
            include_str!("tables/4.3.tsv"),
        ];
        for line in tables
            .into_iter()
            .flat_map(str::lines)
            .filter(|line| !line.starts_with('#'))
        {
            assert!(row(line, true).is_some(), "{line}");
        }
    }
}

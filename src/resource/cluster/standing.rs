//! Which attributes of `msk_cluster` work on one machine, which are refused, which are only recorded:
//! the table in the documentation. Every attribute that a user may write has a row, or a test fails.

use std::fmt::Write as _;

use super::{refusals, schema};

/// What becomes of an attribute on one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has its effect.
    Works,
    /// It has its effect at creation; a later change is refused.
    WorksAtCreation,
    /// These values are refused by the plan; the others work.
    Refused(&'static str),
    /// Recorded, changed without operation, not enforced; one warning names it.
    Warned,
}

impl Standing {
    const fn cells(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Works => ("yes", "", ""),
            Self::WorksAtCreation => ("at creation", "a later change", ""),
            Self::Refused(values) => ("the other values", values, ""),
            Self::Warned => ("", "", "recorded, not enforced"),
        }
    }
}

/// The standing of an attribute; `None` for one that has no row yet.
pub fn of(name: &str) -> Option<Standing> {
    if refusals::RECORDED_ONLY.contains(&name) {
        return Some(Standing::Warned);
    }
    Some(match name {
        "name" | "configuration" | "max_message_bytes" | "deletion_protection" | "tags" | "timeouts" => {
            Standing::Works
        }
        "kafka_version"
        | "subnet_ids"
        | "brokers_per_az"
        | "encryption"
        | "dedicated_controllers"
        | "controller_subnet_ids" => Standing::WorksAtCreation,
        "authentication" => Standing::Refused("`iam = true`; a later change"),
        "metadata_mode" => Standing::Refused("`ZOOKEEPER`; a later change"),
        "monitoring" => {
            Standing::Refused("`level` above `DEFAULT`, `jmx_exporter = true`, `node_exporter = true`")
        }
        "logging" => Standing::Refused("every member"),
        _ => return None,
    })
}

/// The table in Markdown.
pub fn table() -> String {
    let mut text = String::from(
        "## On one machine\n\n\
         | attribute | works | refused by the plan, \"not in this version\" | recorded with a warning |\n\
         | --- | --- | --- | --- |\n",
    );
    let names = schema::inputs()
        .into_iter()
        .map(|(name, _)| name)
        .chain(["timeouts"]);
    for name in names {
        let (works, refused, warned) = of(name).map_or(("", "", ""), Standing::cells);
        let _ = writeln!(text, "| `{name}` | {works} | {refused} | {warned} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{of, schema};

    #[test]
    fn every_attribute_works_is_refused_or_is_warned_about() {
        for (name, _) in schema::inputs() {
            assert!(
                of(name).is_some(),
                "{name} would be accepted without a word on what it does"
            );
        }
    }
}

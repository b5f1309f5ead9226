//! Who may connect to which port of the nodes: the rules of the cluster's own security group on AWS.
//!
//! The group is on every node's interface. Replication, controllers and agents are reached from nodes of the
//! cluster only; each open client listener from each client source; the exporters from monitoring sources. Rules
//! that we did not make are neither counted as ours nor taken away.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::spec::cluster::Sources;
pub use crate::spec::firewall::{Rule, Source};
use crate::store::documents::ListenerName;

/// The port of the JMX exporter.
pub const JMX_EXPORTER_PORT: u16 = 11_001;
/// The port of the node exporter.
pub const NODE_EXPORTER_PORT: u16 = 11_002;
/// Inbound rules that a security group may have, for IPv4 and IPv6 each; a rule that names a group counts in both
/// (VPC user guide, quotas: "inbound or outbound rules per security group", the default).
pub const RULE_QUOTA: usize = 60;

/// What is to be done to a group so that it has the wanted rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// To add; first, so that nobody who may connect is locked out in between.
    pub add: BTreeSet<Rule>,
    /// To take away: the ids of rules of ours.
    pub remove: BTreeSet<String>,
}

/// The ports that a cluster's nodes open, by what reaches them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenPorts {
    /// From other nodes.
    pub internal: BTreeSet<u16>,
    /// From clients.
    pub client: BTreeSet<u16>,
    /// From monitoring.
    pub monitoring: BTreeSet<u16>,
}

impl OpenPorts {
    /// Of listeners with their ports, and the exporters that are on.
    pub fn new<'a>(
        listeners: impl IntoIterator<Item = (&'a ListenerName, &'a u16)>,
        exporters: impl IntoIterator<Item = u16>,
    ) -> Self {
        let mut open = Self {
            monitoring: exporters.into_iter().collect(),
            ..Self::default()
        };
        for (name, port) in listeners {
            match name {
                ListenerName::Agent | ListenerName::Replication | ListenerName::Controller => {
                    open.internal.insert(*port);
                }
                ListenerName::ClientPlaintext
                | ListenerName::ClientTls
                | ListenerName::ClientScram
                | ListenerName::ClientIam => {
                    open.client.insert(*port);
                }
            }
        }
        open
    }
}

/// Every rule that the group should have.
pub fn wanted(open: &OpenPorts, clients: &Sources, monitoring: &Sources) -> BTreeSet<Rule> {
    let rules = |ports: &BTreeSet<u16>, sources: &[Source]| -> Vec<Rule> {
        let of = |port: &u16| {
            let port = *port;
            sources.iter().cloned().map(move |source| Rule { port, source })
        };
        ports.iter().flat_map(of).collect()
    };
    let all = [
        rules(&open.internal, &[Source::Nodes]),
        rules(&open.client, &sources(clients)),
        rules(&open.monitoring, &sources(monitoring)),
    ];
    all.into_iter().flatten().collect()
}

fn sources(of: &Sources) -> Vec<Source> {
    let groups = of.security_group_ids.iter().cloned().map(Source::Group);
    let ranges = of.cidr_blocks.iter().map(|block| Source::range(block));
    groups.chain(ranges).collect()
}

/// Compares what is wanted with the rules of ours that are there, by id. Of two that say the same the first stays.
pub fn changes(wanted: &BTreeSet<Rule>, there: &BTreeMap<String, Rule>) -> Changes {
    let mut seen: BTreeSet<&Rule> = BTreeSet::new();
    let remove = there
        .iter()
        .filter(|(_, rule)| !wanted.contains(*rule) || !seen.insert(rule))
        .map(|(id, _)| id.clone())
        .collect();
    let add = wanted
        .iter()
        .filter(|rule| !seen.contains(rule))
        .cloned()
        .collect();
    Changes { add, remove }
}

/// How many rules count against the quota, for IPv4 and for IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Rules that name a group; they count twice.
    pub groups: usize,
    /// Rules with an IPv4 range.
    pub ipv4: usize,
    /// Rules with an IPv6 range.
    pub ipv6: usize,
}

impl Count {
    /// Of some rules.
    pub fn of<'a>(rules: impl IntoIterator<Item = &'a Rule>) -> Self {
        let mut count = Self {
            groups: 0,
            ipv4: 0,
            ipv6: 0,
        };
        for rule in rules {
            match rule.source {
                Source::Nodes | Source::Group(_) => count.groups += 1,
                Source::Ipv4(_) => count.ipv4 += 1,
                Source::Ipv6(_) => count.ipv6 += 1,
            }
        }
        count
    }

    /// Whether they fit beside `foreign` rules that others have put into the group.
    pub const fn fits(self, foreign: Self, quota: usize) -> bool {
        let groups = self.groups + foreign.groups;
        groups + self.ipv4 + foreign.ipv4 <= quota && groups + self.ipv6 + foreign.ipv6 <= quota
    }
}

/// The arithmetic, for people.
impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { groups, ipv4, ipv6 } = self;
        write!(
            f,
            "{groups} with a group + {ipv4} with an IPv4 range = {}; {groups} with a group + {ipv6} with an IPv6 range = {}",
            groups + ipv4,
            groups + ipv6
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sources_of(groups: &[&str], blocks: &[&str]) -> Sources {
        Sources {
            security_group_ids: groups.iter().map(|&group| group.to_owned()).collect(),
            cidr_blocks: blocks.iter().map(|&block| block.to_owned()).collect(),
        }
    }

    fn open() -> OpenPorts {
        let listeners = [
            (ListenerName::Agent, 9090),
            (ListenerName::Replication, 9091),
            (ListenerName::Controller, 9093),
            (ListenerName::ClientTls, 9094),
            (ListenerName::ClientScram, 9096),
        ];
        OpenPorts::new(
            listeners.iter().map(|(name, port)| (name, port)),
            [JMX_EXPORTER_PORT, NODE_EXPORTER_PORT],
        )
    }

    #[test]
    fn internal_ports_are_open_to_nodes_alone_and_each_other_to_its_own_sources() {
        let rules = wanted(
            &open(),
            &sources_of(&["sg-apps"], &["10.0.0.0/8", "fd00::/8"]),
            &sources_of(&["sg-prometheus"], &[]),
        );
        for rule in &rules {
            match rule.port {
                9090 | 9091 | 9093 => assert_eq!(rule.source, Source::Nodes),
                9094 | 9096 => assert!(
                    matches!(
                        &rule.source,
                        Source::Group(id) if id == "sg-apps"
                    ) || matches!(rule.source, Source::Ipv4(_) | Source::Ipv6(_))
                ),
                JMX_EXPORTER_PORT | NODE_EXPORTER_PORT => {
                    assert_eq!(rule.source, Source::Group("sg-prometheus".to_owned()));
                }
                other => panic!("{other}"),
            }
        }
        assert_eq!(rules.len(), 3 + 2 * 3 + 2);
        // Nobody is named: nobody may connect.
        let closed = wanted(&open(), &Sources::default(), &Sources::default());
        assert!(closed.iter().all(|rule| rule.source == Source::Nodes));
    }

    #[test]
    fn a_group_counts_for_both_kinds_of_addresses() {
        let rules = wanted(
            &open(),
            &sources_of(&["sg-a", "sg-b"], &["10.0.0.0/8"]),
            &Sources::default(),
        );
        let count = Count::of(&rules);
        assert_eq!((count.groups, count.ipv4, count.ipv6), (3 + 4, 2, 0));
        assert!(
            count
                .to_string()
                .contains("7 with a group + 2 with an IPv4 range = 9")
        );
        let none = Count::of([]);
        assert!(count.fits(none, 9) && !count.fits(none, 8));
        let foreign = Count {
            groups: 0,
            ipv4: 0,
            ipv6: 53,
        };
        assert!(count.fits(foreign, RULE_QUOTA));
        assert!(!count.fits(Count { ipv6: 54, ..foreign }, RULE_QUOTA));
    }

    fn rule() -> impl Strategy<Value = Rule> {
        let source = prop_oneof![
            Just(Source::Nodes),
            "[a-c]".prop_map(Source::Group),
            "[0-3]".prop_map(|number| Source::Ipv4(format!("10.{number}.0.0/16"))),
        ];
        (9090_u16..9098, source).prop_map(|(port, source)| Rule { port, source })
    }

    proptest! {
        #[test]
        fn after_the_changes_the_group_has_exactly_what_is_wanted(
            wanted in proptest::collection::btree_set(rule(), 0..12),
            there in proptest::collection::vec(rule(), 0..12),
        ) {
            let there: BTreeMap<String, Rule> =
                there.into_iter().enumerate().map(|(number, rule)| (format!("sgr-{number:02}"), rule)).collect();
            let made = changes(&wanted, &there);
            let mut after: Vec<Rule> = there
                .iter()
                .filter(|(id, _)| !made.remove.contains(*id))
                .map(|(_, rule)| rule.clone())
                .collect();
            after.extend(made.add.iter().cloned());
            after.sort();
            prop_assert_eq!(after, wanted.iter().cloned().collect::<Vec<_>>());
            let settled: BTreeMap<String, Rule> =
                wanted.iter().cloned().enumerate().map(|(number, rule)| (number.to_string(), rule)).collect();
            prop_assert_eq!(changes(&wanted, &settled), Changes::default());
        }
    }
}

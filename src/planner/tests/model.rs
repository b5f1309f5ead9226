//! A model of the world: what each step does to a cluster, and what can happen to it.

use std::collections::BTreeMap;

use super::account::{align_network, align_objects, instance, machine, make_places, replace_volume};
use super::world::{identity, status};
use crate::clock::Timestamp;
use crate::observed::cloud::ObservedVolume;
use crate::observed::{ObservedCluster, ObservedNode, Seen};
use crate::planner::account::volume_shape;
use crate::planner::document::{desired_document, removal_document};
use crate::planner::step::Action;
use crate::planner::{FollowUp, Plan, plan_cluster};
use crate::spec::cluster::ClusterSpec;
use crate::spec::ids::{ClusterUid, Generation, NodeId};
use crate::store::documents::{NodePhase, Phase, PropertiesStatus};

/// One cluster's record, documents and nodes; or nothing.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) seen: Option<ObservedCluster>,
    pub(super) now: Timestamp,
    /// How often an identity was drawn.
    pub(super) identities: u32,
}

impl World {
    pub(super) fn empty() -> Self {
        Self {
            seen: None,
            now: Timestamp::from_millis(1_000_000_000),
            identities: 0,
        }
    }

    /// Writes the record, as the engine does before any step of a create.
    pub(super) fn begin_create(&mut self) {
        if self.seen.is_none() {
            self.seen = Some(ObservedCluster {
                places: Seen::Absent,
                security_group: Seen::Absent,
                observed_at: self.now,
                uid: ClusterUid::new("u"),
                phase: Phase::Making,
                was_active: false,
                identity: Seen::Absent,
                desired: Seen::Absent,
                nodes: BTreeMap::new(),
                properties: Seen::Absent,
            });
        }
    }

    pub(super) fn plan(&self, wanted: Option<&ClusterSpec>) -> Plan {
        plan_cluster(wanted, self.seen.as_ref(), self.now)
    }

    /// Performs one action. Twice is as good as once.
    pub(super) fn perform(&mut self, action: &Action, wanted: Option<&ClusterSpec>) {
        let now = self.now;
        let Some(seen) = &mut self.seen else {
            panic!("{action:?} without a record");
        };
        match action {
            Action::FetchKafka(_) => {}
            Action::ClaimIdentity => {
                if seen.identity == Seen::Absent {
                    self.identities += 1;
                    seen.identity = Seen::Known(identity(wanted.unwrap()));
                }
            }
            Action::MakePlaces => make_places(seen, wanted.unwrap()),
            Action::AlignNetwork => align_network(seen, wanted.unwrap()),
            Action::AlignObjects => align_objects(seen, wanted.unwrap()),
            Action::ChangeVolume(node) => {
                let machine = seen.nodes.get_mut(node).and_then(|node| node.machine.as_mut());
                machine.unwrap().volume = Seen::Known(ObservedVolume {
                    shape: volume_shape(wanted.unwrap(), *node),
                    changing: None,
                });
            }
            Action::ReplaceVolume(node) => replace_volume(seen, wanted.unwrap(), *node),
            Action::WriteDesired => {
                let document = desired_document(wanted.unwrap(), seen).expect("an identity");
                seen.desired = Seen::Known((next_generation(seen), document));
            }
            Action::StartNode(node) => {
                set_phase(seen, *node, NodePhase::Starting, wanted, now);
            }
            Action::AwaitNodes(nodes) => {
                for node in nodes {
                    let there = seen.nodes.get(node);
                    assert!(
                        there.is_some_and(|there| there.agent == Seen::Known(())),
                        "{node} would never come up"
                    );
                    set_phase(seen, *node, NodePhase::InSync, wanted, now);
                }
            }
            Action::AwaitProperties => {
                let (generation, document) = seen.desired.known().unwrap();
                seen.properties = Seen::Known(PropertiesStatus {
                    observed_at: now,
                    applied: *generation,
                    dynamic: document.live_properties.clone(),
                    failure: None,
                });
            }
            Action::RecordActive => seen.was_active = true,
            Action::WriteRemoval => {
                let (_, document) = seen.desired.known().unwrap();
                seen.desired = Seen::Known((next_generation(seen), removal_document(document)));
            }
            Action::RemoveNode(node) => {
                seen.nodes.remove(node);
            }
            Action::RemoveCluster => {
                assert!(seen.nodes.is_empty(), "nodes are left");
                self.seen = None;
            }
        }
    }

    /// Applies until nothing is left to do; at most `steps` steps. Returns whether it came to the end.
    pub(super) fn apply(&mut self, wanted: Option<&ClusterSpec>, mut steps: usize) -> bool {
        for _ in 0..6 {
            if wanted.is_some() {
                self.begin_create();
            }
            let plan = self.plan(wanted);
            if plan.is_empty() {
                return true;
            }
            for step in &plan.steps {
                if steps == 0 {
                    return false;
                }
                steps -= 1;
                self.perform(&step.action, wanted);
            }
            if plan.follow_up == FollowUp::CreateAnew {
                assert!(self.seen.is_none());
            }
        }
        panic!("does not converge: {:#?}", self.plan(wanted));
    }

    pub(super) fn node(&mut self, node: NodeId) -> &mut ObservedNode {
        self.seen.as_mut().unwrap().nodes.get_mut(&node).unwrap()
    }
}

fn next_generation(seen: &ObservedCluster) -> Generation {
    seen.desired
        .known()
        .map_or(Generation(1), |(generation, _)| generation.next())
}

fn set_phase(
    seen: &mut ObservedCluster,
    node: NodeId,
    phase: NodePhase,
    wanted: Option<&ClusterSpec>,
    now: Timestamp,
) {
    let (generation, document) = seen.desired.known().expect("a document");
    assert!(document.node(node).is_some(), "{node} is not in the document");
    let mut status = status(document, node, *generation, now);
    status.phase = phase;
    let machine = wanted.and_then(|wanted| machine(wanted, node));
    if machine.is_some() {
        status.incarnation.instance_id = instance(node);
    }
    let observed = ObservedNode {
        machine,
        disk: Seen::Known(()),
        agent: Seen::Known(()),
        kafka: Seen::Known(()),
        status: Some(status),
        status_is_fresh: true,
    };
    seen.nodes.insert(node, observed);
}

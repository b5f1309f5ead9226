//! Looks at a cluster's objects: a handful of questions, however many nodes there are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use super::account::Ec2Engine;
use super::error::Ec2Error;
use super::interface::{self, Interface};
use super::placement::{AnyPlacement, Kept, Placement as _};
use super::places::{Book, held, interface_ids};
use super::security_group;
use super::volume::{self, Volume};
use crate::engine::{ClusterPlace, NodePlace, Sight};
use crate::observed::Seen;
use crate::observed::cloud::{ObservedMachine, ObservedPlacement, ObservedSecurityGroup, ObservedVolume};
use crate::spec::ids::NodeId;
use crate::store::Store;
use crate::store::documents::{ClusterPlaces, PlacedNode};

impl Ec2Engine {
    pub(super) async fn look(
        &self,
        store: &Store,
        place: &ClusterPlace,
        places: Option<&ClusterPlaces>,
    ) -> Result<Sight, Ec2Error> {
        let read;
        let places = if let Some(places) = places {
            places
        } else {
            read = Book::open(store, place).await?;
            match read.places() {
                Some(places) => places,
                None => return Ok(nothing()),
            }
        };
        let connection = self.connection().await?;
        let client = connection.ec2();
        let names = self.names(place, store);
        let placement = self.placement(&names, places.self_healing).await?;
        let nodes = held(places);
        let volume_ids: Vec<String> = places
            .nodes
            .values()
            .filter_map(|node| node.volume_id.clone())
            .collect();
        let interface_ids = interface_ids(places);
        let group_id = places.security_group_id.as_deref();
        let (kept, interfaces, volumes, security_group) = tokio::try_join!(
            placement.look(&nodes),
            interface::some(&client, &interface_ids),
            volume::some(&client, &volume_ids),
            security_group::observe(&client, &names, group_id),
        )?;
        let found = Found {
            kept,
            interfaces,
            volumes,
        };
        let mut sight = Sight {
            nodes: BTreeMap::new(),
            security_group: security_group.map_or(Seen::Absent, |rules| {
                Seen::Known(ObservedSecurityGroup { rules: rules.ours })
            }),
        };
        for (node, placed) in &places.nodes {
            let seen = found.node(*node, placed);
            self.note_instance(place, *node, instance_of(&seen));
            sight.nodes.insert(*node, seen);
        }
        self.listen(place, &sight, &placement).await;
        Ok(sight)
    }

    /// Keeps what AWS says of nodes without an instance: why none comes up.
    async fn listen(&self, place: &ClusterPlace, sight: &Sight, placement: &AnyPlacement) {
        for (node, seen) in &sight.nodes {
            let words = if seen.agent == Seen::Known(()) {
                None
            } else {
                let said = placement.words(*node).await.unwrap_or_default();
                said.into_iter().next()
            };
            let mut all = self.words.lock().unwrap_or_else(PoisonError::into_inner);
            let key = (place.uid.clone(), *node);
            match words {
                Some(words) => all.insert(key, words),
                None => all.remove(&key),
            };
        }
    }
}

fn nothing() -> Sight {
    Sight {
        nodes: BTreeMap::new(),
        security_group: Seen::Absent,
    }
}

fn instance_of(seen: &NodePlace) -> Option<&str> {
    let placement = seen.machine.as_ref()?.placement.known()?;
    placement.instance_id.as_deref()
}

struct Found {
    kept: BTreeMap<NodeId, Kept>,
    interfaces: BTreeMap<String, Interface>,
    volumes: BTreeMap<String, Volume>,
}

impl Found {
    fn node(&self, node: NodeId, placed: &PlacedNode) -> NodePlace {
        let interface = placed
            .interface
            .as_ref()
            .and_then(|known| self.interfaces.get(&known.id));
        let volume = placed.volume_id.as_ref().and_then(|id| self.volumes.get(id));
        let volume = match volume {
            Some(volume) if !volume.is_lost() => Seen::Known(ObservedVolume {
                shape: volume.shape.clone(),
                changing: None,
            }),
            _ => Seen::Absent,
        };
        let kept = self.kept.get(&node);
        let agent = match kept {
            None => Seen::Absent,
            Some(kept) if kept.instance_id.is_none() => Seen::Uncertain,
            Some(_) => Seen::Known(()),
        };
        NodePlace {
            disk: match &volume {
                Seen::Known(_) => Seen::Known(()),
                Seen::Absent => Seen::Absent,
                Seen::Uncertain => Seen::Uncertain,
            },
            agent,
            kafka: Seen::Uncertain,
            machine: Some(ObservedMachine {
                interface: interface.map_or(Seen::Absent, |interface| {
                    Seen::Known(interface.groups.iter().cloned().collect::<BTreeSet<_>>())
                }),
                volume,
                placement: kept.map_or(Seen::Absent, |kept| {
                    Seen::Known(ObservedPlacement {
                        drift: kept.drift.clone(),
                        instance_id: kept.instance_id.clone(),
                    })
                }),
            }),
        }
    }
}

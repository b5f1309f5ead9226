//! Looks at a cluster's objects: a handful of questions, however many nodes there are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use aws_sdk_route53::types::ResourceRecordSet;

use super::account::Ec2Engine;
use super::error::Ec2Error;
use super::interface::{self, Interface};
use super::placement::{AnyPlacement, Kept, Placement as _};
use super::places::{Book, addresses, held, interface_ids};
use super::records::{self, Addresses};
use super::security_group;
use super::volume::{self, Volume};
use crate::aws::Kind;
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
        let addresses = addresses(&place.name, places);
        let (kept, interfaces, volumes, security_group, records) = tokio::try_join!(
            placement.look(&nodes),
            interface::some(&client, &interface_ids),
            volume::some(&client, &volume_ids),
            security_group::observe(&client, &names, group_id),
            self.records(places, &addresses),
        )?;
        let found = Found {
            kept,
            interfaces,
            volumes,
            names: places
                .private_zone
                .as_ref()
                .map(|_| right_names(&addresses, &records)),
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

    /// What stands under the nodes' names; nothing is asked without a private zone.
    async fn records(
        &self,
        places: &ClusterPlaces,
        addresses: &Addresses,
    ) -> Result<BTreeMap<String, Vec<ResourceRecordSet>>, Ec2Error> {
        let Some(zone) = &places.private_zone else {
            return Ok(BTreeMap::new());
        };
        let client = self.connection().await?.route53();
        match records::look(&client, zone, addresses).await {
            // The zone is gone: no name leads anywhere.
            Err(Ec2Error::Call(error)) if error.kind() == Kind::NotFound => Ok(BTreeMap::new()),
            found => found,
        }
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

/// Which of these names lead to their addresses.
fn right_names(
    addresses: &Addresses,
    records: &BTreeMap<String, Vec<ResourceRecordSet>>,
) -> BTreeSet<String> {
    let is_right = |(name, address): &(&String, &String)| {
        let there = records.get(*name).map(Vec::as_slice).unwrap_or_default();
        records::is_right(there, address)
    };
    let right = addresses.iter().filter(is_right);
    right.map(|(name, _)| name.clone()).collect()
}

struct Found {
    /// The names in the private zone that lead to their addresses; `None` without one.
    names: Option<BTreeSet<String>>,
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
                name: match (&self.names, &placed.interface) {
                    (Some(names), Some(known)) => Seen::Known(names.contains(&known.host)),
                    _ => Seen::Absent,
                },
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

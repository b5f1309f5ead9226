//! From a configuration to the document and the properties that the nodes get, without any node.

use std::collections::{BTreeMap, BTreeSet};

use msk::planner::document::{Drawn, first_document};
use msk::resource::cluster::Cluster;
use msk::spec::check::cluster::{AttachedConfiguration, ClusterContext, check_cluster};
use msk::spec::cluster::LocalSpec;
use msk::spec::ids::KafkaUuid;
use msk::store::documents::ClusterIdentity;
use msk::tfplugin::{Attr, Diagnostics, Resource as _};
use serde_json::{Value, json};

/// The document of a cluster of two zones with these attributes, as text.
pub(super) fn of(attributes: &str) -> String {
    let mut written = json!({ "name": "c", "kafka_version": "4.3.1", "subnet_ids": ["a", "b"] });
    let attributes: Value = serde_json::from_str(attributes).unwrap();
    for (name, value) in attributes.as_object().unwrap() {
        written[name] = with_authorities(value.clone());
    }
    let attached = written["configuration"].as_object().map(|reference| {
        let id = reference["id"].as_str().unwrap().to_owned();
        let revision = reference["revision"].as_u64().unwrap();
        // Each revision of each configuration says something else.
        let minutes = revision + 10 * u64::from(id.as_bytes()[0]);
        AttachedConfiguration {
            id,
            revision,
            kafka_versions: BTreeSet::new(),
            server_properties: BTreeMap::from([("log.retention.minutes".to_owned(), minutes.to_string())]),
        }
    });
    let written = Cluster.schema().from_json(&written).unwrap();
    let mut found = Diagnostics::new();
    let context = ClusterContext {
        configuration: attached.as_ref().map_or(Attr::Null, Attr::Known),
        local: LocalSpec::default(),
        is_aws: false,
        default_tags: BTreeMap::new(),
    };
    let spec = check_cluster(&written, &context, &mut found).unwrap_or_else(|| panic!("{found:?}"));
    let voters = spec.controller_ids().into_iter();
    let identity = ClusterIdentity {
        kafka_cluster_id: KafkaUuid::new("clusterAAAAAAAAAAAAAAA"),
        zones: spec.zones.iter().cloned().collect(),
        base_port: Some(20_000),
        voter_directory_ids: voters
            .map(|id| (id, KafkaUuid::new(format!("directory{:013}", id.0))))
            .collect(),
        internal_ca_pem: "internal\n".to_owned(),
        server_ca_pem: "server\n".to_owned(),
    };
    serde_json::to_string(&first_document(&spec, Drawn::on_one_machine(&identity))).unwrap()
}

/// Real certificates for `CA 1` and `CA 2`.
fn with_authorities(mut value: Value) -> Value {
    use std::sync::OnceLock;
    static MADE: OnceLock<[String; 2]> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        [1, 2].map(|_| {
            let key = rcgen::KeyPair::generate().unwrap();
            let mut parameters = rcgen::CertificateParams::new([]).unwrap();
            parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            parameters.self_signed(&key).unwrap().pem()
        })
    });
    if let Some(list) = value.pointer_mut("/tls/ca_certificates_pem") {
        for item in list.as_array_mut().unwrap() {
            *item = match item.as_str() {
                Some("CA 1") => made[0].clone().into(),
                _ => made[1].clone().into(),
            };
        }
    }
    value
}

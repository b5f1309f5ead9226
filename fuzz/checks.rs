//! What has to hold for any bytes at all. Used by the fuzz targets and, with random input, by CI.

use std::collections::BTreeMap;

use msk::kafka::properties::{self, Scope};
use msk::kafka::versions::KafkaVersion;
use msk::spec::ids::{ClusterUid, StoreId};
use msk::store::documents::{
    AclsDesired, AclsStatus, ClusterDesired, ClusterIdentity, ClusterRecord, ConfigurationRecord,
    FormatClaim, Journal, NodeStatus, PortBlock, PropertiesStatus, Tombstone, TopicsDesired, TopicsStatus,
    UsersDesired, UsersStatus,
};
use msk::store::typed::decode;
use msk::store::{Document, Owner};
use msk::tfplugin::{Type, Value};

/// The types that values are read as; the first byte of the input chooses.
fn types() -> Vec<Type> {
    let object = Type::object([
        ("name", Type::String),
        ("count", Type::Number),
        ("on", Type::Bool),
        ("tags", Type::map(Type::String)),
        ("zones", Type::set(Type::String)),
    ]);
    vec![
        Type::String,
        Type::Number,
        Type::Bool,
        Type::Dynamic,
        Type::list(Type::Dynamic),
        Type::set(Type::Number),
        Type::map(Type::list(Type::String)),
        Type::tuple([Type::String, Type::Dynamic]),
        Type::list(object.clone()),
        object,
    ]
}

fn chosen(bytes: &[u8]) -> Option<(Type, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let types = types();
    let ty = types.get(usize::from(*first) % types.len())?.clone();
    Some((ty, rest))
}

/// Reading never crashes, and what was read can be written and read again as the same value.
pub(crate) fn msgpack(bytes: &[u8]) {
    let Some((ty, bytes)) = chosen(bytes) else { return };
    let Ok(value) = Value::from_msgpack(bytes, &ty) else {
        return;
    };
    let written = value.to_msgpack(&ty).expect("what was read can be written");
    let again = Value::from_msgpack(&written, &ty).expect("what was written can be read");
    assert_eq!(again, value);
}

/// As [`msgpack`], for JSON. Values of state have no unknown parts, so JSON can say all of them.
pub(crate) fn json(bytes: &[u8]) {
    let Some((ty, bytes)) = chosen(bytes) else { return };
    let Ok(value) = Value::from_json(bytes, &ty) else {
        return;
    };
    let written = value.to_msgpack(&ty).expect("what was read can be written");
    let again = Value::from_msgpack(&written, &ty).expect("what was written can be read");
    assert_eq!(again, value);
    let _ = Type::from_json(bytes);
}

fn document<T: Document>(owner: &Owner, bytes: &[u8]) {
    const PLACE: &str = "a/place.json";
    if let Err(error) = decode::<T>(PLACE, owner, bytes) {
        assert!(
            error.to_string().contains(PLACE),
            "{error} does not name the file"
        );
    }
    // The same bytes as a body in a frame that is right.
    let cluster = owner
        .cluster
        .as_ref()
        .map_or_else(String::new, |uid| format!("\"cluster\":\"{uid}\","));
    let head = format!(
        "{{\"kind\":\"{}\",\"format\":{},\"store\":\"{}\",{cluster}\"generation\":1,\"body\":",
        T::KIND,
        T::FORMAT,
        owner.store
    );
    let framed = [head.as_bytes(), bytes, b"}"].concat();
    if let Err(error) = decode::<T>(PLACE, owner, &framed) {
        assert!(
            error.to_string().contains(PLACE),
            "{error} does not name the file"
        );
    }
}

/// Reading a document never crashes, and every error names the file.
pub(crate) fn documents(bytes: &[u8]) {
    let of_store = Owner {
        store: StoreId::new("0".repeat(32)),
        cluster: None,
    };
    let of_cluster = Owner {
        cluster: Some(ClusterUid::new("1".repeat(32))),
        ..of_store.clone()
    };
    document::<ClusterRecord>(&of_store, bytes);
    document::<ConfigurationRecord>(&of_store, bytes);
    document::<PortBlock>(&of_store, bytes);
    document::<Tombstone>(&of_store, bytes);
    document::<ClusterDesired>(&of_cluster, bytes);
    document::<ClusterIdentity>(&of_cluster, bytes);
    document::<TopicsDesired>(&of_cluster, bytes);
    document::<AclsDesired>(&of_cluster, bytes);
    document::<UsersDesired>(&of_cluster, bytes);
    document::<NodeStatus>(&of_cluster, bytes);
    document::<TopicsStatus>(&of_cluster, bytes);
    document::<AclsStatus>(&of_cluster, bytes);
    document::<UsersStatus>(&of_cluster, bytes);
    document::<PropertiesStatus>(&of_cluster, bytes);
    document::<FormatClaim>(&of_cluster, bytes);
    document::<Journal>(&of_cluster, bytes);
}

/// Checking names and values never crashes and never takes a forbidden name. Each line of the input is
/// `name=value`; a name that is a number chooses a row of the table.
pub(crate) fn properties(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for version in KafkaVersion::all() {
        for scope in [Scope::Broker, Scope::Topic] {
            let names: Vec<&str> = properties::all(version, scope)
                .map(|property| property.name)
                .collect();
            let mut written = BTreeMap::new();
            for line in text.lines().take(20) {
                let (name, value) = line.split_once('=').unwrap_or((line, ""));
                let row = name
                    .parse::<usize>()
                    .ok()
                    .and_then(|row| names.get(row % names.len()));
                let name = row.copied().unwrap_or(name);
                if let Ok(property) = properties::check(version, scope, name, value) {
                    assert!(properties::same_value(property, value, value), "{name}={value:?}");
                    written.insert(name.to_owned(), value.to_owned());
                }
            }
            for forbidden in ["super.users", "authorizer.class.name", "listener.name.a.b"] {
                assert!(properties::check(version, Scope::Broker, forbidden, &text).is_err());
            }
            let _ = properties::together::contradictions(version, scope, &written);
        }
    }
}

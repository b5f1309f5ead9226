use camino::Utf8PathBuf;

use super::*;
use crate::pki::{NodeKey, Role};
use crate::planner::tests::world::{healthy, spec};
use crate::spec::ids::ClusterName;
use crate::store::documents::{LeafRequest, RunTarget, ServerTrust};

const BOTH: [ServerTrust; 2] = [ServerTrust::Internal, ServerTrust::Server];

/// A cluster of three brokers whose authorities lie in a vault.
struct World {
    _keep: tempfile::TempDir,
    vault: Vault,
    cluster: ClusterDesired,
    now: Timestamp,
}

impl World {
    async fn new() -> Self {
        let keep = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(keep.path().join("private")).unwrap();
        let vault = Vault::directory(path);
        let now = Timestamp::now();
        let (mut cluster, _) = healthy(&spec(3, 1), now);
        let name = ClusterName::new("events");
        let internal = vault.ensure_authority(Role::Internal, &name).await.unwrap();
        let server = vault.ensure_authority(Role::Server, &name).await.unwrap();
        cluster.internal_ca_pem = vec![internal.certificate_pem().to_owned()];
        cluster.server_ca_pem = vec![server.certificate_pem().to_owned()];
        Self {
            _keep: keep,
            vault,
            cluster,
            now,
        }
    }

    async fn sign(
        &self,
        node: u32,
        asked: &CertificateRequest,
        before: Option<&NodeCertificates>,
    ) -> Result<Option<NodeCertificates>, SignError> {
        let node = NodeId(node);
        sign(&self.vault, &self.cluster, node, (asked, before), self.now).await
    }
}

fn request(node: u32, key: &NodeKey) -> CertificateRequest {
    let requests = BOTH.map(|trust| LeafRequest {
        trust,
        request_pem: key.request_pem(&asker(NodeId(node))).unwrap(),
    });
    CertificateRequest {
        node_id: NodeId(node),
        requests: requests.into(),
    }
}

fn leaf(given: &NodeCertificates, trust: ServerTrust) -> Certificate {
    Certificate::from_pem(given.of(trust).unwrap()).unwrap()
}

#[tokio::test]
async fn a_node_gets_what_the_document_says_for_its_own_keys_and_nothing_twice() {
    let world = World::new().await;
    let key = NodeKey::generate().unwrap();
    let asked = request(2, &key);
    let given = world.sign(2, &asked, None).await.unwrap().unwrap();
    for trust in BOTH {
        key.check_owns(&leaf(&given, trust)).unwrap();
    }
    let internal = leaf(&given, ServerTrust::Internal);
    assert_eq!(internal.common_name(), Some("__msk-node-2"));
    let authority = Certificate::from_pem(&world.cluster.internal_ca_pem[0]).unwrap();
    assert!(internal.is_issued_by(&authority));
    // Whoever signs later sees that it is done.
    assert_eq!(world.sign(2, &asked, Some(&given)).await.unwrap(), None);
    // A new key is a renewal; only what is asked for is signed anew.
    let mut renewal = request(2, &NodeKey::generate().unwrap());
    renewal.requests.remove(1);
    let renewed = world.sign(2, &renewal, Some(&given)).await.unwrap().unwrap();
    assert_ne!(renewed.of(ServerTrust::Internal), given.of(ServerTrust::Internal));
    assert_eq!(renewed.of(ServerTrust::Server), given.of(ServerTrust::Server));
}

#[tokio::test]
async fn other_names_in_the_document_are_signed_anew_for_the_same_key() {
    let mut world = World::new().await;
    let asked = request(2, &NodeKey::generate().unwrap());
    let given = world.sign(2, &asked, None).await.unwrap().unwrap();
    world.cluster.nodes[1].certificate_names = vec!["b-2.example.org".to_owned()];
    let again = world.sign(2, &asked, Some(&given)).await.unwrap().unwrap();
    for trust in BOTH {
        let names = leaf(&again, trust);
        assert!(names.dns_names().iter().any(|name| name == "b-2.example.org"));
    }
}

#[tokio::test]
async fn a_node_that_is_not_there_or_to_go_away_gets_nothing() {
    let mut world = World::new().await;
    let key = NodeKey::generate().unwrap();
    let strange = world.sign(9, &request(9, &key), None).await;
    assert!(matches!(strange, Err(SignError::NoNode)));
    world.cluster.nodes[1].run = RunTarget::Removed;
    let removed = world.sign(2, &request(2, &key), None).await;
    assert!(matches!(removed, Err(SignError::NoNode)));
}

#[tokio::test]
async fn a_request_that_another_node_wrote_is_refused() {
    let world = World::new().await;
    let theirs = request(1, &NodeKey::generate().unwrap());
    let sent = world.sign(2, &theirs, None).await;
    assert!(matches!(sent, Err(SignError::OtherNode(NodeId(1)))));
    let copied = CertificateRequest {
        node_id: NodeId(2),
        ..theirs
    };
    let sent = world.sign(2, &copied, None).await;
    assert!(matches!(sent, Err(SignError::Pki(pki::Error::OtherAsker { .. }))));
}

#[tokio::test]
async fn a_damaged_request_is_refused_and_what_was_signed_stays() {
    let world = World::new().await;
    let good = request(2, &NodeKey::generate().unwrap());
    let given = world.sign(2, &good, None).await.unwrap().unwrap();
    for text in [
        "",
        "nonsense",
        &"x".repeat(1 << 20),
        &good.requests[0].request_pem[..200],
    ] {
        let mut bad = good.clone();
        text.clone_into(&mut bad.requests[0].request_pem);
        let sent = world.sign(2, &bad, Some(&given)).await;
        assert!(matches!(sent, Err(SignError::Pki(_))), "{text}");
    }
    // What somebody spoiled in the answer is signed anew.
    let mut spoiled = given.clone();
    spoiled.set(ServerTrust::Server, "nonsense".to_owned());
    assert!(world.sign(2, &good, Some(&spoiled)).await.unwrap().is_some());
}

#[tokio::test]
async fn who_has_no_vault_signs_nothing() {
    let mut world = World::new().await;
    world.vault = Vault::none();
    let asked = request(2, &NodeKey::generate().unwrap());
    match world.sign(2, &asked, None).await {
        Err(SignError::Vault(cause)) => assert!(cause.is_closed()),
        other => panic!("{other:?}"),
    }
}

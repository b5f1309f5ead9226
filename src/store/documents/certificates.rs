//! Certificates for nodes that cannot sign for themselves: what they ask, and what a controller's agent answers.

use serde::{Deserialize, Serialize};

use super::ServerTrust;
use crate::spec::ids::NodeId;

/// What a node asks for, written by its agent alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CertificateRequest {
    /// The node.
    pub node_id: NodeId,
    /// One for each authority that it needs.
    pub requests: Vec<LeafRequest>,
}

/// A public key to be certified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LeafRequest {
    /// By which authority.
    pub trust: ServerTrust,
    /// The public key, who asks, and the proof that the asker has the private key: PKCS #10 as PEM. No name in it
    /// is taken over; what the certificate says stands in the desired document.
    pub request_pem: String,
}

/// What was signed for a node, written by any controller's agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NodeCertificates {
    /// The node.
    pub node_id: NodeId,
    /// One for each authority at most.
    pub chains: Vec<SignedLeaf>,
}

/// A certificate; it names the public key that it was made for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SignedLeaf {
    /// Whose authority signed it.
    pub trust: ServerTrust,
    /// The leaf and the authority's certificate as PEM.
    pub chain_pem: String,
}

impl CertificateRequest {
    /// The request for one authority.
    pub fn of(&self, trust: ServerTrust) -> Option<&str> {
        let mut all = self.requests.iter();
        all.find(|request| request.trust == trust)
            .map(|request| request.request_pem.as_str())
    }
}

impl NodeCertificates {
    /// The chain of one authority.
    pub fn of(&self, trust: ServerTrust) -> Option<&str> {
        let mut all = self.chains.iter();
        all.find(|chain| chain.trust == trust)
            .map(|chain| chain.chain_pem.as_str())
    }

    /// Puts in the chain of one authority.
    pub fn set(&mut self, trust: ServerTrust, chain_pem: String) {
        self.chains.retain(|chain| chain.trust != trust);
        self.chains.push(SignedLeaf { trust, chain_pem });
    }
}

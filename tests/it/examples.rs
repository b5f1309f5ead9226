//! Every example is applied as it stands, planned again, and destroyed.
//!
//! Needs `terraform`, Java 17, and Kafka's jars (fetched through Maven if they are not there). The
//! quickstart example is applied by `scripts/quickstart` as well, with real clients.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

use crate::support::terraform::Terraform;

/// Writes an authority for client certificates and names it in the variable of the examples.
fn set_client_authority(terraform: &mut Terraform) {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = parameters.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let path = terraform.path("client-ca.pem");
    fs::write(&path, certificate.pem()).unwrap();
    terraform.set("TF_VAR_client_ca_file", &path);
}

fn live_through(name: &str, objects: usize) {
    let mut terraform = Terraform::example(name);
    set_client_authority(&mut terraform);
    terraform.apply(&[]).must_succeed();
    let state = terraform.run(&["state", "list"]);
    let listed = String::from_utf8_lossy(&state.stdout).lines().count();
    assert_eq!(listed, objects, "{name} has other objects than expected");
    terraform.plan_must_be_empty();
    terraform.destroy(&[]).must_succeed();
    assert_eq!(terraform.processes(), [], "{name} leaves processes");
    let clusters = fs::read_dir(terraform.data().join("clusters")).unwrap().count();
    assert_eq!(clusters, 0, "{name} leaves directories of clusters");
}

#[test]
fn the_quickstart_example_lives() {
    live_through("quickstart", 9);
}

#[test]
fn the_mutual_tls_example_lives() {
    live_through("mutual-tls", 4);
}

#[test]
fn the_plaintext_example_lives() {
    live_through("plaintext-dev", 4);
}

#[test]
fn the_example_of_two_versions_side_by_side_lives() {
    live_through("two-clusters", 4);
}

#[test]
fn the_example_of_many_topics_lives() {
    live_through("many-topics", 401);
}

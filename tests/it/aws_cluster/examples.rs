//! The other examples for an account: each is applied, used by a client in the authorized group and by none outside it,
//! and destroyed.

use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

use super::World;

/// A client writes, and reads back what was acknowledged; a stranger gets no connection.
fn serves_its_clients(world: World) {
    world.terraform.plan_must_be_empty();
    assert_eq!(world.reach("client"), "reached");
    assert_eq!(world.reach("stranger"), "refused _TRANSPORT");
    let writing = world.write("records");
    std::thread::sleep(Duration::from_secs(5));
    writing.must_be_read_back();
    world.destroy();
}

#[test]
#[ignore = "needs root and a stand with machines of its own"]
fn two_zones_serve_clients_with_passwords() {
    let world = World::with("aws-two-zones");
    world.apply();
    assert_eq!(world.cluster()["brokers"].as_array().unwrap().len(), 2);
    serves_its_clients(world);
}

#[test]
#[ignore = "needs root and a stand with machines of its own"]
fn clients_with_certificates_are_served() {
    let mut world = World::with("aws-mutual-tls");
    let file = world.path("clients.pem");
    let (authority, certificate, key) = client("app");
    std::fs::write(&file, authority).unwrap();
    world.terraform.set("TF_VAR_client_ca_file", &file);
    world.certificate = Some((certificate, key));
    world.apply();
    let brokers = world.cluster()["bootstrap_brokers_tls"].clone();
    assert!(
        brokers
            .as_str()
            .unwrap()
            .starts_with("b-1.mutual-tls.stand.internal:9094,"),
        "{brokers}"
    );
    // Of another authority, with the same name.
    let own = world.certificate.take();
    let (_, certificate, key) = client("app");
    world.certificate = Some((certificate, key));
    assert!(world.reach("client").starts_with("refused"));
    world.certificate = own;
    serves_its_clients(world);
}

/// An authority of the user's, and a certificate of it for this name with its key.
fn client(name: &str) -> (String, String, String) {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new([]).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters
        .distinguished_name
        .push(DnType::CommonName, "clients of the test");
    let authority = parameters.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(parameters, key);
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new([]).unwrap();
    parameters.distinguished_name.remove(DnType::CommonName);
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = parameters.signed_by(&key, &issuer).unwrap();
    (authority, certificate.pem(), key.serialize_pem())
}

//! Tests of authorities and certificates: against OpenSSL's command line (must be installed) and in
//! real TLS handshakes.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use camino::Utf8PathBuf;
use proptest::prelude::*;
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

use super::trust::ListError;
use super::{Authority, Certificate, Chain, Error, LEAF_LIFETIME, LeafProfile, NodeKey, RequestedKey, Role};
use super::{TrustBundle, files};
use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::spec::ids::{ClusterName, NodeId};

const DAY: Duration = Duration::from_hours(24);

const ASKER: &str = "__msk-node-1";

fn authority(role: Role) -> Authority {
    Authority::create(role, &ClusterName::new("demo"), Timestamp::now()).unwrap()
}

fn node_profile(lifetime: Duration) -> LeafProfile {
    let addresses = vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
    LeafProfile::node(NodeId(1), vec!["localhost".to_owned()], addresses, lifetime)
}

fn leaf(authority: &Authority, profile: &LeafProfile) -> (NodeKey, Chain) {
    let key = NodeKey::generate().unwrap();
    let requested = RequestedKey::from_request_pem(&key.request_pem(ASKER).unwrap(), ASKER).unwrap();
    let chain = authority.sign(&requested, profile, Timestamp::now()).unwrap();
    (key, chain)
}

/// Runs `openssl` in a directory of its own that holds these files.
fn openssl(files: &[(&str, &str)], arguments: &[&str]) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(folder.path())
        .output()
        .expect("this test needs the `openssl` command");
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

#[test]
fn openssl_verifies_an_internal_leaf_as_server_and_client() {
    let internal = authority(Role::Internal);
    let (_, chain) = leaf(&internal, &node_profile(LEAF_LIFETIME));
    let files = [
        ("ca.pem", internal.certificate_pem()),
        ("leaf.pem", &chain.leaf_pem),
    ];
    for purpose in ["sslserver", "sslclient"] {
        let arguments = [
            "verify",
            "-x509_strict",
            "-CAfile",
            "ca.pem",
            "-purpose",
            purpose,
            "leaf.pem",
        ];
        let (is_good, text) = openssl(&files, &arguments);
        assert!(is_good, "{text}");
    }
    let (is_good, text) = openssl(
        &files,
        &[
            "verify",
            "-CAfile",
            "ca.pem",
            "-verify_ip",
            "127.0.0.1",
            "leaf.pem",
        ],
    );
    assert!(is_good, "{text}");
    let (_, text) = openssl(
        &files,
        &[
            "x509", "-in", "leaf.pem", "-noout", "-text", "-nameopt", "RFC2253",
        ],
    );
    for part in [
        "Subject: CN=__msk-node-1\n",
        "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1",
        "TLS Web Server Authentication, TLS Web Client Authentication",
        "CA:FALSE",
        "Digital Signature",
        "NIST CURVE: P-256",
        "ecdsa-with-SHA256",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let (_, text) = openssl(&files, &["x509", "-in", "ca.pem", "-noout", "-text"]);
    assert!(
        text.contains("CA:TRUE, pathlen:0") && text.contains("Certificate Sign, CRL Sign"),
        "{text}"
    );
}

#[test]
fn a_server_leaf_is_no_client() {
    let server = authority(Role::Server);
    let hosts = vec!["b1.example.org".to_owned(), "localhost".to_owned()];
    let (_, chain) = leaf(&server, &LeafProfile::server(hosts, vec![], LEAF_LIFETIME));
    let files = [
        ("ca.pem", server.certificate_pem()),
        ("leaf.pem", &chain.leaf_pem),
    ];
    let verify = |purpose| {
        openssl(
            &files,
            &["verify", "-CAfile", "ca.pem", "-purpose", purpose, "leaf.pem"],
        )
    };
    assert!(verify("sslserver").0);
    assert!(!verify("sslclient").0);
    assert_eq!(
        Certificate::from_pem(&chain.leaf_pem).unwrap().common_name(),
        Some("b1.example.org")
    );
}

#[test]
fn a_foreign_authority_cannot_mint_a_node() {
    let (internal, foreign) = (authority(Role::Internal), authority(Role::Internal));
    let (_, chain) = leaf(&foreign, &node_profile(LEAF_LIFETIME));
    let files = [
        ("ca.pem", internal.certificate_pem()),
        ("leaf.pem", &chain.leaf_pem),
    ];
    assert!(!openssl(&files, &["verify", "-CAfile", "ca.pem", "leaf.pem"]).0);
    let minted = Certificate::from_pem(&chain.leaf_pem).unwrap();
    assert_eq!(minted.common_name(), Some("__msk-node-1"));
    assert!(!minted.is_issued_by(internal.certificate()));
    assert!(minted.is_issued_by(foreign.certificate()));
    let trust = TrustBundle::of([internal.certificate()]);
    assert!(!trust.vouches_for(&minted, Timestamp::now()));
}

#[test]
fn the_request_decides_nothing_but_the_key() {
    let internal = authority(Role::Internal);
    let pair = KeyPair::generate().unwrap();
    let mut wishes = CertificateParams::new(vec!["evil.example.org".to_owned()]).unwrap();
    wishes.distinguished_name.push(DnType::CommonName, "__msk-node-7");
    let request = wishes.serialize_request(&pair).unwrap().pem().unwrap();
    let key = RequestedKey::from_request_pem(&request, "__msk-node-7").unwrap();
    let chain = internal.sign(&key, &node_profile(DAY), Timestamp::now()).unwrap();
    let signed = Certificate::from_pem(&chain.to_pem()).unwrap();
    assert_eq!(signed.common_name(), Some("__msk-node-1"));
    assert_eq!(signed.dns_names(), ["localhost"]);
    assert!(node_profile(DAY).is_met_by(&signed));
    let other = LeafProfile::node(NodeId(1), vec!["localhost".to_owned()], vec![], DAY);
    assert!(!other.is_met_by(&signed));
}

#[test]
fn a_request_without_proof_or_with_another_algorithm_is_refused() {
    let key = NodeKey::generate().unwrap();
    let request = key.request_pem(ASKER).unwrap();
    let mut der = rustls::pki_types::CertificateSigningRequestDer::from_pem_slice(request.as_bytes())
        .unwrap()
        .to_vec();
    // A bit of the public key: the signature was made for another one. Or the point is not on the
    // curve any more; both are refused.
    let at = der.len() / 2;
    der[at] ^= 1;
    let forged = super::trust::to_pem(&der).replace("CERTIFICATE", "CERTIFICATE REQUEST");
    assert!(RequestedKey::from_request_pem(&forged, ASKER).is_err());
    let mut der = rustls::pki_types::CertificateSigningRequestDer::from_pem_slice(request.as_bytes())
        .unwrap()
        .to_vec();
    let last = der.len() - 1;
    der[last] ^= 1;
    let forged = super::trust::to_pem(&der).replace("CERTIFICATE", "CERTIFICATE REQUEST");
    assert!(matches!(
        RequestedKey::from_request_pem(&forged, ASKER),
        Err(Error::NotProven)
    ));
    for algorithm in [&rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519] {
        let pair = KeyPair::generate_for(algorithm).unwrap();
        let request = CertificateParams::default()
            .serialize_request(&pair)
            .unwrap()
            .pem()
            .unwrap();
        assert!(matches!(
            RequestedKey::from_request_pem(&request, ASKER),
            Err(Error::OtherAlgorithm)
        ));
        let key = Secret::new(pair.serialize_pem());
        assert!(matches!(NodeKey::from_pem(&key), Err(Error::OtherAlgorithm)));
    }
    for garbage in [
        "",
        "x",
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
    ] {
        assert!(RequestedKey::from_request_pem(garbage, ASKER).is_err());
    }
    assert!(RequestedKey::from_request_pem(&"x".repeat(1 << 20), ASKER).is_err());
    // Whoever copies another node's request has no proof for it.
    for other in ["__msk-node-2", "", "__msk-node-1 "] {
        assert!(matches!(
            RequestedKey::from_request_pem(&request, other),
            Err(Error::OtherAsker { .. })
        ));
    }
    assert_eq!(
        RequestedKey::from_request_pem(&request, ASKER).unwrap(),
        key.public().unwrap()
    );
}

#[test]
fn dates_follow_the_lifetime() {
    let internal = authority(Role::Internal);
    let now = Timestamp::now();
    let (_, long) = leaf(&internal, &node_profile(LEAF_LIFETIME));
    let long = Certificate::from_pem(&long.leaf_pem).unwrap();
    assert!(now.since(long.not_before()) >= Duration::from_secs(299));
    assert!(long.remaining(now) > 396 * DAY && long.remaining(now) <= 397 * DAY + DAY / 24);
    assert!(long.renew_at().since(now) > 264 * DAY && long.renew_at().since(now) < 265 * DAY);
    let (_, short) = leaf(&internal, &node_profile(Duration::from_secs(90)));
    let short = Certificate::from_pem(&short.leaf_pem).unwrap();
    let backdated = now.since(short.not_before());
    assert!(
        (Duration::from_secs(8)..=Duration::from_secs(10)).contains(&backdated),
        "{backdated:?}"
    );
    let renew_in = short.renew_at().since(now);
    assert!(
        (Duration::from_secs(54)..=Duration::from_mins(1)).contains(&renew_in),
        "{renew_in:?}"
    );
    assert!(short.is_valid_at(now) && !short.is_valid_at(now.after(Duration::from_secs(92))));
    assert_ne!(long.serial(), short.serial());

    let key = NodeKey::generate().unwrap().public().unwrap();
    let too_short = node_profile(Duration::from_secs(1));
    assert!(matches!(
        internal.sign(&key, &too_short, now),
        Err(Error::BadLifetime { .. })
    ));
    let late = now.after(9 * 365 * DAY + 300 * DAY);
    let last = internal.sign(&key, &node_profile(LEAF_LIFETIME), late).unwrap();
    let last = Certificate::from_pem(&last.leaf_pem).unwrap();
    assert_eq!(last.not_after(), internal.certificate().not_after());
    let too_late = now.after(11 * 365 * DAY);
    assert!(matches!(
        internal.sign(&key, &node_profile(DAY), too_late),
        Err(Error::AuthorityExpired { .. })
    ));
}

#[test]
fn names_that_do_not_fit_are_refused_or_cut_to_a_label() {
    let server = authority(Role::Server);
    let key = NodeKey::generate().unwrap().public().unwrap();
    let long = format!("b1.{}.example.org", "x".repeat(60));
    let profile = LeafProfile::server(vec![long.clone()], vec![], DAY);
    let chain = server.sign(&key, &profile, Timestamp::now()).unwrap();
    let signed = Certificate::from_pem(&chain.leaf_pem).unwrap();
    assert_eq!(
        (signed.common_name(), signed.dns_names()),
        (Some("b1"), &[long][..])
    );
    for bad in ["", "a b", "ä.example.org", "a\nb", &"x".repeat(300)] {
        let profile = LeafProfile::node(NodeId(1), vec![bad.to_owned()], vec![], DAY);
        assert!(
            matches!(
                server.sign(&key, &profile, Timestamp::now()),
                Err(Error::BadName { .. })
            ),
            "{bad}"
        );
    }
    assert!(
        server
            .sign(&key, &LeafProfile::server(vec![], vec![], DAY), Timestamp::now())
            .is_err()
    );
}

#[test]
fn an_authority_comes_back_from_its_text() {
    let internal = authority(Role::Internal);
    let again = Authority::from_pem(&internal.to_pem()).unwrap();
    assert_eq!(again.certificate(), internal.certificate());
    assert_eq!(again.certificate_pem(), internal.certificate_pem());
    let (_, chain) = leaf(&again, &node_profile(DAY));
    assert!(
        Certificate::from_pem(&chain.leaf_pem)
            .unwrap()
            .is_issued_by(internal.certificate())
    );
    assert!(!format!("{internal:?}").contains("PRIVATE"));

    let other = NodeKey::generate().unwrap();
    let mixed = other.with_chain(internal.certificate_pem());
    assert!(matches!(Authority::from_pem(&mixed), Err(Error::OtherKey { .. })));
    let (key, chain) = leaf(&internal, &node_profile(DAY));
    assert!(matches!(
        Authority::from_pem(&key.with_chain(&chain.to_pem())),
        Err(Error::NotAuthority { .. })
    ));
    assert!(Authority::from_pem(&Secret::new(internal.certificate_pem().to_owned())).is_err());
}

#[test]
fn openssl_reads_the_key_store_as_kafka_wants_it() {
    let internal = authority(Role::Internal);
    let (key, chain) = leaf(&internal, &node_profile(DAY));
    let text = key.with_chain(&chain.to_pem());
    let text = text.expose().as_str();
    assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert_eq!(text.matches("PRIVATE KEY-----").count(), 2);
    assert_eq!(text.matches("-----BEGIN CERTIFICATE-----\n").count(), 2);
    let (_, public) = openssl(&[("k.pem", text)], &["pkey", "-in", "k.pem", "-pubout"]);
    let (_, certified) = openssl(&[("k.pem", text)], &["x509", "-in", "k.pem", "-noout", "-pubkey"]);
    assert_eq!(public, certified);
    key.check_owns(&Certificate::from_pem(text).unwrap()).unwrap();
    assert!(
        NodeKey::generate()
            .unwrap()
            .check_owns(&Certificate::from_pem(text).unwrap())
            .is_err()
    );
}

#[test]
fn every_wrong_element_of_a_list_is_named() {
    let (one, two) = (authority(Role::Internal), authority(Role::Server));
    let (key, chain) = leaf(&one, &node_profile(DAY));
    let good = TrustBundle::from_list(&[one.certificate_pem(), two.certificate_pem()]).unwrap();
    assert_eq!(TrustBundle::from_pem(&good.to_pem()).unwrap(), good);
    assert_eq!(
        good.to_pem(),
        format!("{}{}", one.certificate_pem(), two.certificate_pem())
    );
    let both = good.to_pem();
    let long = "x".repeat(1 << 20);
    let elements = [
        one.certificate_pem(),
        "hello",
        &both,
        key.pem().expose(),
        &chain.leaf_pem,
        one.certificate_pem(),
        &long,
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ];
    let wrong = TrustBundle::from_list(&elements).unwrap_err();
    let places: Vec<_> = wrong.iter().filter_map(ListError::index).collect();
    assert_eq!(places, [1, 2, 3, 4, 5, 6, 7]);
    assert!(matches!(wrong[1], ListError::Several { count: 2, .. }));
    assert!(matches!(wrong[2], ListError::PrivateKey { .. }));
    assert!(matches!(wrong[3], ListError::NotAuthority { .. }));
    assert!(matches!(wrong[4], ListError::Repeated { first: 0, .. }));
    assert!(TrustBundle::from_list::<&str>(&[]).is_err());
    assert!(TrustBundle::from_list(&[one.certificate_pem(); 11]).is_err());
    assert_eq!(good.expired(Timestamp::now()).count(), 0);
    assert_eq!(good.expired(Timestamp::now().after(11 * 365 * DAY)).count(), 2);
}

#[test]
fn openssl_made_authorities_are_taken_too() {
    for algorithm in ["rsa:2048", "ec"] {
        let mut arguments = vec![
            "req",
            "-x509",
            "-newkey",
            algorithm,
            "-nodes",
            "-keyout",
            "/dev/null",
        ];
        if algorithm == "ec" {
            arguments.extend(["-pkeyopt", "ec_paramgen_curve:P-384"]);
        }
        arguments.extend(["-subj", "/O=acme/CN=clients", "-days", "10", "-text"]);
        let (is_good, text) = openssl(&[], &arguments);
        assert!(is_good, "{text}");
        let bundle = TrustBundle::from_list(&[&text]).unwrap();
        assert!(
            bundle.to_pem().starts_with("-----BEGIN CERTIFICATE-----\n"),
            "text around it is dropped"
        );
        assert!(bundle.authorities()[0].is_issued_by(&bundle.authorities()[0]));
    }
}

proptest! {
    #[test]
    fn damaged_texts_are_errors_and_never_panics(at in 0usize..2_000, bit in 0u8..8, cut in 0usize..2_000) {
        static TEXTS: OnceLock<[String; 3]> = OnceLock::new();
        let texts = TEXTS.get_or_init(|| {
            let internal = authority(Role::Internal);
            let (key, chain) = leaf(&internal, &node_profile(DAY));
            let request = key.request_pem(ASKER).unwrap();
            let keys = internal.to_pem().expose().clone();
            [chain.to_pem(), request, keys]
        });
        for text in texts {
            let der = <(SectionKind, Vec<u8>)>::from_pem_slice(text.as_bytes()).unwrap().1;
            let mut flipped = der.clone();
            let at = at % flipped.len();
            flipped[at] ^= 1 << bit;
            let cut = &der[..cut % der.len()];
            for der in [&flipped[..], cut] {
                let _ = Certificate::from_der(der);
                let pem = super::trust::to_pem(der);
                let _ = TrustBundle::from_list(&[&pem]);
                let _ = RequestedKey::from_request_pem(&pem.replace("CERTIFICATE", "CERTIFICATE REQUEST"), ASKER);
                let key = Secret::new(pem.replace("CERTIFICATE", "PRIVATE KEY"));
                let _ = NodeKey::from_pem(&key);
            }
        }
    }
}

#[test]
fn private_files_are_private_and_whole() {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::from_path_buf(folder.path().join("mit Leerzeichen/privat")).unwrap();
    files::ensure_private_folder(&root).unwrap();
    let path = root.join("key.pem");
    assert!(files::read_private(&path).unwrap().is_none());
    for text in ["one", "two"] {
        files::write_private(&path, &Secret::new(text.to_owned())).unwrap();
        assert_eq!(files::read_private(&path).unwrap().unwrap().expose(), text);
    }
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::read_dir(&root).unwrap().count(), 1, "no leftovers");
    fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    let error = files::read_private(&path).unwrap_err();
    assert!(error.to_string().contains("chmod 600"), "{error}");
    files::write_private(&path, &Secret::new("three".to_owned())).unwrap();
    assert!(files::read_private(&path).is_ok());
    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(matches!(
        files::read_private(&path),
        Err(files::Error::Damaged { .. })
    ));
    assert!(files::write_private(&root.join("none/key.pem"), &Secret::new(String::new())).is_err());
}

fn roots(authority: &Authority) -> RootCertStore {
    let mut store = RootCertStore::empty();
    store.add(authority.certificate().der().to_vec().into()).unwrap();
    store
}

fn identity(key: &NodeKey, chain: &Chain) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let text = key.with_chain(&chain.to_pem());
    let chain = CertificateDer::pem_slice_iter(text.expose().as_bytes())
        .map(Result::unwrap)
        .collect();
    (
        chain,
        PrivateKeyDer::from_pem_slice(text.expose().as_bytes()).unwrap(),
    )
}

/// Shakes hands in memory; the error is the server's or else the client's.
fn shake_hands(
    internal: &Authority,
    server: (&NodeKey, &Chain),
    client: (&NodeKey, &Chain),
    host: &str,
) -> Result<(), rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots(internal)), Arc::clone(&provider))
            .build()
            .unwrap();
    let (chain, key) = identity(server.0, server.1);
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .unwrap();
    let (chain, key) = identity(client.0, client.1);
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(internal))
        .with_client_auth_cert(chain, key)
        .unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut wire = Vec::new();
    for _ in 0..10 {
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        server.read_tls(&mut wire.split_off(0).as_slice()).unwrap();
        server.process_new_packets()?;
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        client.read_tls(&mut wire.split_off(0).as_slice()).unwrap();
        client.process_new_packets()?;
    }
    assert!(!server.is_handshaking() && !client.is_handshaking());
    Ok(())
}

#[test]
fn nodes_shake_hands_and_a_minted_node_does_not() {
    let (internal, clients) = (authority(Role::Internal), authority(Role::Internal));
    let (key, chain) = leaf(&internal, &node_profile(Duration::from_secs(90)));
    let (other_key, other_chain) = leaf(&internal, &node_profile(LEAF_LIFETIME));
    let (minted_key, minted_chain) = leaf(&clients, &node_profile(LEAF_LIFETIME));
    let node = (&key, &chain);
    shake_hands(&internal, node, (&other_key, &other_chain), "localhost").unwrap();
    shake_hands(&internal, node, (&other_key, &other_chain), "127.0.0.1").unwrap();
    assert!(shake_hands(&internal, node, (&other_key, &other_chain), "example.org").is_err());
    assert!(shake_hands(&internal, node, (&minted_key, &minted_chain), "localhost").is_err());
    assert!(shake_hands(&internal, (&minted_key, &minted_chain), node, "localhost").is_err());
    let address = "127.0.0.1".parse().unwrap();
    let server = LeafProfile::server(vec!["localhost".to_owned()], vec![address], LEAF_LIFETIME);
    let (server_key, server_chain) = leaf(&internal, &server);
    // The address stands there as a DNS name too, for old clients; it must not trouble strict ones.
    let signed = Certificate::from_pem(&server_chain.leaf_pem).unwrap();
    assert_eq!(
        (signed.dns_names().len(), signed.addresses()),
        (2, &[address][..])
    );
    assert!(signed.dns_names().contains(&"127.0.0.1".to_owned()) && server.is_met_by(&signed));
    for name in ["localhost", "127.0.0.1"] {
        shake_hands(&internal, (&server_key, &server_chain), node, name).unwrap();
    }
    assert!(shake_hands(&internal, node, (&server_key, &server_chain), "localhost").is_err());
}

#[test]
fn a_rotation_trusts_both_authorities() {
    let (old, new) = (authority(Role::Server), authority(Role::Server));
    assert_ne!(old.certificate().subject(), new.certificate().subject());
    let both = TrustBundle::of([old.certificate(), new.certificate(), old.certificate()]);
    assert_eq!(both.authorities().len(), 2);
    let address: IpAddr = "10.0.0.1".parse().unwrap();
    for signer in [&old, &new] {
        let (_, chain) = leaf(signer, &LeafProfile::server(vec![], vec![address], DAY));
        let signed = Certificate::from_pem(&chain.leaf_pem).unwrap();
        assert!(both.vouches_for(&signed, Timestamp::now()));
        assert!(!both.vouches_for(&signed, Timestamp::now().after(2 * DAY)));
        assert_eq!(signed.common_name(), Some("10.0.0.1"));
    }
}

//! The published policies, in force on a stand without machines: they are enough, and no action can be left out.
//!
//! Needs Python 3.11; the test with `terraform` also needs Java 17 with `jlink` and Kafka's jars.

mod one_less;
mod whole;

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use msk::engine::ec2::permissions::{Place, ROWS, Who};
use serde_json::{Value, json};

use crate::support::stand::Stand;

/// The account of a stand, with a control bucket of this name.
pub(super) fn place(stand: &Stand, account: &str, bucket: &str) -> Place {
    Place {
        partition: "aws".to_owned(),
        region: stand.variable("AWS_REGION").to_owned(),
        account: account.to_owned(),
        bucket: bucket.to_owned(),
        prefix: "msk/".to_owned(),
        keys: vec![stand.variable("TF_VAR_kms_key_id").to_owned()],
        permissions_boundary: None,
    }
}

/// A request to the stand itself; its answer.
#[track_caller]
pub(super) fn control(stand: &Stand, method: &str, path: &str, body: &Value) -> Value {
    let address = stand.variable("AWS_STAND_CONTROL");
    let address = address.strip_prefix("http://").unwrap();
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let request = format!(
        "{method} /stand/{path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut connection = TcpStream::connect(address).unwrap();
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(" 200 "), "{answer}");
    serde_json::from_str(body).unwrap()
}

/// From now on the operator may do exactly this.
pub(super) fn may(stand: &Stand, policies: &[Value]) {
    control(stand, "POST", "operator", &json!({ "policies": policies }));
}

/// From now on the operator may do everything, as a test that prepares something has to.
pub(super) fn may_everything(stand: &Stand) {
    let all = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
    may(stand, &[json!({ "Version": "2012-10-17", "Statement": [all] })]);
}

/// A policy with these actions alone.
pub(super) fn only(policy: &Value, actions: &BTreeSet<&str>) -> Value {
    let mut statements = Vec::new();
    for statement in policy["Statement"].as_array().unwrap() {
        let mut statement = statement.clone();
        let kept: Vec<Value> = statement["Action"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|action| actions.contains(action.as_str().unwrap()))
            .cloned()
            .collect();
        if !kept.is_empty() {
            statement["Action"] = Value::Array(kept);
            statements.push(statement);
        }
    }
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// The actions of the table that some people need.
pub(super) fn actions(is_meant: impl Fn(Who) -> bool) -> BTreeSet<&'static str> {
    let rows = ROWS.iter().filter(|row| is_meant(row.who));
    rows.map(|row| row.action).collect()
}

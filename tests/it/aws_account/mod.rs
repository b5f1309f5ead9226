//! What the provider does in an account: real `terraform` on a stand without machines, whose nodes are played.
//!
//! Needs Python 3.11, `terraform`, Java 17 with `jlink`, and Kafka's jars.

mod bad_input;
mod command_line;
mod instances;
mod measure;
mod names;
mod sizes;
pub(crate) mod sweep;
mod tags;

use crate::support::stand::Stand;
use crate::support::stand_in_nodes::StandInNodes;
use crate::support::terraform::Terraform;

/// A cluster's configuration on a stand of its own.
pub(super) struct Account {
    pub(super) terraform: Terraform,
    pub(super) nodes: Option<StandInNodes>,
    // The last to be dropped: the others talk to it.
    pub(super) stand: Stand,
}

impl Account {
    /// Only a cluster, with further attributes.
    pub(super) fn with(attributes: &str) -> Self {
        let stand = Stand::up();
        let nodes = Some(StandInNodes::of(&stand, "events"));
        let terraform = Terraform::on_aws(&cluster(attributes), &stand);
        Self {
            terraform,
            nodes,
            stand,
        }
    }

    /// Destroys everything; the account is as it was.
    #[track_caller]
    pub(super) fn destroy(self) {
        self.terraform.destroy(&[]).must_succeed();
        self.stand.must_be_content();
        assert_eq!(self.stand.left(), serde_json::json!({}), "left in the account");
    }
}

/// A cluster that may be destroyed, with further attributes.
pub(super) fn cluster(attributes: &str) -> String {
    format!(
        "variable \"subnet_ids\" {{ type = set(string) }}\n\
         variable \"kms_key_id\" {{ type = string }}\n\
         variable \"client_security_group_id\" {{ type = string }}\n\
         resource \"msk_cluster\" \"events\" {{\n\
         \x20 name                      = \"events\"\n\
         \x20 kafka_version             = \"4.3.1\"\n\
         \x20 subnet_ids                = var.subnet_ids\n\
         \x20 kms_key_id                = var.kms_key_id\n\
         \x20 client_security_group_ids = [var.client_security_group_id]\n\
         \x20 deletion_protection       = false\n\
         \x20 skip_final_snapshot       = true\n\
         {attributes}\n\
         }}\n"
    )
}

/// The same in one of the subnets.
pub(crate) fn in_one_zone(attributes: &str) -> String {
    cluster(attributes).replace("= var.subnet_ids", "= [sort(tolist(var.subnet_ids))[0]]")
}

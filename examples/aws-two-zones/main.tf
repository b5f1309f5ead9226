# Two brokers in two availability zones, each a controller as well: the smallest cluster that keeps a copy of every
# record in another zone. The loss of one zone is survived by the data, not by every topic's writes: three zones
# (aws-three-zones) survive it whole.

terraform {
  required_version = ">= 1.11"
  required_providers {
    msk = {
      source  = "terraform-provider-msk/msk"
      version = "~> 0.1"
    }
  }
}

provider "msk" {
  aws = {
    control_bucket = var.control_bucket
  }
}

variable "control_bucket" {
  description = "A versioned bucket of this account, for the clusters' documents and what nodes run."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets of one VPC, each in a zone of its own; the first two are used."
  type        = set(string)
}

variable "kms_key_id" {
  description = "The key that encrypts the volumes."
  type        = string
}

variable "client_security_group_id" {
  description = "The security group of the clients."
  type        = string
}

resource "msk_cluster" "events" {
  name          = "two-zones"
  kafka_version = "4.3.1"
  subnet_ids    = slice(sort(tolist(var.subnet_ids)), 0, 2)
  instance_type = "kafka.t3.small"
  volume_size   = 20
  kms_key_id    = var.kms_key_id

  # Brokers are the controllers, so that there are two instances and no more.
  dedicated_controllers = false

  client_security_group_ids = [var.client_security_group_id]

  authentication = { scram = true }

  # An example, so that one `destroy` is enough; and nothing of it is worth a snapshot.
  deletion_protection = false
  skip_final_snapshot = true
}

resource "msk_scram_secret" "app" {
  cluster_id = msk_cluster.events.id
  username   = "app"
  kms_key_id = var.kms_key_id
}

resource "msk_topic" "orders" {
  cluster_id         = msk_cluster.events.id
  name               = "orders"
  partitions         = 6
  replication_factor = 2
}

resource "msk_acl" "app_topics" {
  cluster_id    = msk_cluster.events.id
  principal     = "User:app"
  resource_type = "TOPIC"
  resource_name = "orders"
  operations    = ["READ", "WRITE", "DESCRIBE"]
}

resource "msk_acl" "app_groups" {
  cluster_id    = msk_cluster.events.id
  principal     = "User:app"
  resource_type = "GROUP"
  resource_name = "app"
  operations    = ["READ"]
}

output "bootstrap_brokers" {
  value = msk_cluster.events.bootstrap_brokers_sasl_scram
}

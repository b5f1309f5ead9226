# Three brokers and three controllers over three availability zones of your VPC: TLS, SCRAM, encrypted volumes,
# lost instances replaced while nobody runs Terraform.

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
  description = "Three subnets of one VPC, each in a zone of its own."
  type        = set(string)
}

variable "kms_key_id" {
  description = "The key that encrypts the volumes and the user's secret."
  type        = string
}

variable "client_security_group_id" {
  description = "The security group of the clients."
  type        = string
}

variable "instance_type" {
  description = "The brokers' size."
  type        = string
  default     = "kafka.m5.large"
}

resource "msk_cluster" "events" {
  name          = "events"
  kafka_version = "4.3.1"
  subnet_ids    = var.subnet_ids
  instance_type = var.instance_type
  volume_size   = 100
  kms_key_id    = var.kms_key_id

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
  replication_factor = 3
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

# Clients in your AWS account prove who they are with certificates of your own authority; there are no passwords at all.

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
  description = "The key that encrypts the volumes."
  type        = string
}

variable "client_security_group_id" {
  description = "The security group of the clients."
  type        = string
}

variable "private_zone_id" {
  description = "A private hosted zone that the VPC sees, for names of the brokers' own; without it they have those of their network interfaces."
  type        = string
  default     = null
}

variable "client_ca_file" {
  description = "PEM file of the authority that signs your clients' certificates."
  type        = string
}

resource "msk_cluster" "events" {
  name          = "mutual-tls"
  kafka_version = "4.3.1"
  subnet_ids    = var.subnet_ids
  instance_type = "kafka.t3.small"
  volume_size   = 20
  kms_key_id    = var.kms_key_id

  # Brokers are the controllers, so that there are three instances and no more.
  dedicated_controllers = false

  client_security_group_ids = [var.client_security_group_id]

  # b-1.mutual-tls.<domain of the zone>, …
  private_zone_id = var.private_zone_id

  authentication = {
    tls = { ca_certificates_pem = [file(var.client_ca_file)] }
  }

  # An example, so that one `destroy` is enough; and nothing of it is worth a snapshot.
  deletion_protection = false
  skip_final_snapshot = true
}

resource "msk_topic" "orders" {
  cluster_id         = msk_cluster.events.id
  name               = "orders"
  partitions         = 6
  replication_factor = 3
}

# The principal of a client certificate is its whole subject, as Kafka writes it (RFC 2253).
resource "msk_acl" "app_topics" {
  cluster_id    = msk_cluster.events.id
  principal     = "User:CN=app"
  resource_type = "TOPIC"
  resource_name = "orders"
  operations    = ["READ", "WRITE", "DESCRIBE"]
}

resource "msk_acl" "app_groups" {
  cluster_id    = msk_cluster.events.id
  principal     = "User:CN=app"
  resource_type = "GROUP"
  resource_name = "app"
  operations    = ["READ"]
}

output "bootstrap_brokers" {
  value = msk_cluster.events.bootstrap_brokers_tls
}

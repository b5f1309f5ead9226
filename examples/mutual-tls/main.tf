# Clients prove who they are with certificates of your own authority; there are no passwords at all.

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
  local = {}
}

variable "client_ca_file" {
  description = "PEM file of the authority that signs your clients' certificates."
  type        = string
}

resource "msk_cluster" "secure" {
  name          = "mutual-tls"
  kafka_version = "4.3.1"
  subnet_ids    = ["zone-a", "zone-b", "zone-c"]

  authentication = {
    tls = { ca_certificates_pem = [file(var.client_ca_file)] }
  }

  # Clusters are protected from deletion by default; this one is an example.
  deletion_protection = false
}

resource "msk_topic" "payments" {
  cluster_id = msk_cluster.secure.id
  name       = "payments"
  partitions = 6
  config = {
    "min.insync.replicas" = "2"
  }
}

# The principal of a client certificate is its whole subject, as Kafka writes it (RFC 2253).
resource "msk_acl" "reporter_reads" {
  cluster_id    = msk_cluster.secure.id
  principal     = "User:CN=reporter"
  resource_type = "TOPIC"
  resource_name = msk_topic.payments.name
  operations    = ["READ", "WRITE", "DESCRIBE"]
}

resource "msk_acl" "reporter_groups" {
  cluster_id    = msk_cluster.secure.id
  principal     = "User:CN=reporter"
  resource_type = "GROUP"
  pattern_type  = "PREFIXED"
  resource_name = "reports-"
  operations    = ["READ"]
}

output "bootstrap_brokers_tls" {
  value = msk_cluster.secure.bootstrap_brokers_tls
}

output "ca_certificate_pem" {
  value = msk_cluster.secure.ca_certificate_pem
}

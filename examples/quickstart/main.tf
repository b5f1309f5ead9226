# Three brokers over three simulated zones on this machine, secured like in production: TLS everywhere,
# SCRAM users, client certificates, access denied unless an ACL allows it.

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
  description = "PEM file of the authority that signs client certificates; scripts/quickstart makes one."
  type        = string
}

resource "msk_configuration" "quickstart" {
  name           = "quickstart"
  kafka_versions = ["4.3.1"]
  server_properties = {
    "auto.create.topics.enable" = "false"
    "log.retention.ms"          = "86400000"
  }
}

resource "msk_cluster" "quickstart" {
  name          = "quickstart"
  kafka_version = "4.3.1"
  subnet_ids    = ["zone-a", "zone-b", "zone-c"]

  authentication = {
    scram = true
    tls   = { ca_certificates_pem = [file(var.client_ca_file)] }
  }

  configuration = {
    id       = msk_configuration.quickstart.id
    revision = msk_configuration.quickstart.latest_revision
  }

  # Clusters are protected from deletion by default. This is a toy, so that one `destroy` is enough.
  deletion_protection = false
}

# A user with a random password, which only its file on this machine holds.
resource "msk_scram_secret" "app" {
  cluster_id = msk_cluster.quickstart.id
  username   = "app"
}

# A user without any ACL, to see that it is refused.
resource "msk_scram_secret" "stranger" {
  cluster_id = msk_cluster.quickstart.id
  username   = "stranger"
}

resource "msk_topic" "orders" {
  cluster_id         = msk_cluster.quickstart.id
  name               = "orders"
  partitions         = 3
  replication_factor = 3
  config = {
    "retention.ms" = "3600000"
  }
}

locals {
  # The SCRAM user "app", and the client certificate whose whole subject is "CN=reporter".
  principals = { app = "User:app", reporter = "User:CN=reporter" }
  groups     = { app = "app-", reporter = "reports-" }
}

resource "msk_acl" "orders" {
  for_each      = local.principals
  cluster_id    = msk_cluster.quickstart.id
  principal     = each.value
  resource_type = "TOPIC"
  resource_name = msk_topic.orders.name
  operations    = ["READ", "WRITE", "DESCRIBE"]
}

resource "msk_acl" "groups" {
  for_each      = local.principals
  cluster_id    = msk_cluster.quickstart.id
  principal     = each.value
  resource_type = "GROUP"
  pattern_type  = "PREFIXED"
  resource_name = local.groups[each.key]
  operations    = ["READ"]
}

output "bootstrap_brokers_sasl_scram" {
  value = msk_cluster.quickstart.bootstrap_brokers_sasl_scram
}

output "bootstrap_brokers_tls" {
  value = msk_cluster.quickstart.bootstrap_brokers_tls
}

output "ca_certificate_pem" {
  value = msk_cluster.quickstart.ca_certificate_pem
}

output "app_secret_file" {
  value = msk_scram_secret.app.secret_file
}

output "stranger_secret_file" {
  value = msk_scram_secret.stranger.secret_file
}

# Two clusters side by side with different versions of Kafka, each with its own ports and authorities.

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

resource "msk_cluster" "current" {
  name          = "current"
  kafka_version = "4.3.1"
  subnet_ids    = ["zone-a"]

  # Clusters are protected from deletion by default; this one is an example.
  deletion_protection = false
}

resource "msk_cluster" "previous" {
  name          = "previous"
  kafka_version = "3.9.2"
  subnet_ids    = ["zone-a"]

  # Clusters are protected from deletion by default; this one is an example.
  deletion_protection = false
}

resource "msk_topic" "events" {
  for_each   = { current = msk_cluster.current.id, previous = msk_cluster.previous.id }
  cluster_id = each.value
  name       = "events"
  partitions = 3
}

output "bootstrap_brokers_sasl_scram" {
  value = {
    current  = msk_cluster.current.bootstrap_brokers_sasl_scram
    previous = msk_cluster.previous.bootstrap_brokers_sasl_scram
  }
}

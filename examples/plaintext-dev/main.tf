# One broker without encryption for a laptop. Access is still denied unless an ACL allows it, so
# unauthenticated clients, which Kafka calls User:ANONYMOUS, get ACLs like everybody else.

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

resource "msk_cluster" "dev" {
  name          = "dev"
  kafka_version = "4.3.1"
  subnet_ids    = ["laptop"]

  encryption     = { client_broker = "PLAINTEXT" }
  authentication = { unauthenticated = true }

  # Clusters are protected from deletion by default; this one is an example.
  deletion_protection = false
}

resource "msk_topic" "scratch" {
  cluster_id         = msk_cluster.dev.id
  name               = "scratch"
  partitions         = 1
  replication_factor = 1
}

resource "msk_acl" "anyone_topics" {
  cluster_id    = msk_cluster.dev.id
  principal     = "User:ANONYMOUS"
  resource_type = "TOPIC"
  resource_name = "*"
  operations    = ["ALL"]
}

resource "msk_acl" "anyone_groups" {
  cluster_id    = msk_cluster.dev.id
  principal     = "User:ANONYMOUS"
  resource_type = "GROUP"
  resource_name = "*"
  operations    = ["ALL"]
}

output "bootstrap_brokers" {
  value = msk_cluster.dev.bootstrap_brokers
}

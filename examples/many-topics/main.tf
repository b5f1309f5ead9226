# 200 topics and their ACLs from one map: what waits at a moment goes to Kafka in one request.

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

locals {
  topics = toset([for index in range(200) : format("team-%02d.stream-%02d", floor(index / 20), index % 20)])
}

resource "msk_cluster" "many" {
  name          = "many-topics"
  kafka_version = "4.3.1"
  subnet_ids    = ["zone-a"]

  # Clusters are protected from deletion by default; this one is an example.
  deletion_protection = false
}

resource "msk_topic" "stream" {
  for_each           = local.topics
  cluster_id         = msk_cluster.many.id
  name               = each.key
  partitions         = 1
  replication_factor = 1
}

resource "msk_acl" "stream" {
  for_each      = local.topics
  cluster_id    = msk_cluster.many.id
  principal     = "User:${split(".", each.key)[0]}"
  resource_type = "TOPIC"
  resource_name = msk_topic.stream[each.key].name
  operations    = ["READ", "WRITE"]
}

output "topics" {
  value = length(msk_topic.stream)
}

resource "msk_topic" "orders" {
  cluster_id         = msk_cluster.events.id
  name               = "orders"
  partitions         = 12
  replication_factor = 3
  config = {
    "cleanup.policy"      = "compact"
    "min.insync.replicas" = "2"
  }
}

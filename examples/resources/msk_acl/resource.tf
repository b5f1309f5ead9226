# The SCRAM user "app" may write to a topic.
resource "msk_acl" "app_writes" {
  cluster_id    = msk_cluster.events.id
  principal     = "User:app"
  resource_type = "TOPIC"
  resource_name = msk_topic.orders.name
  operations    = ["WRITE", "DESCRIBE"]
}

# A client certificate may read with every group whose name begins with "reports-".
resource "msk_acl" "reporter_groups" {
  cluster_id    = msk_cluster.events.id
  principal     = "User:CN=reporter,O=Example"
  resource_type = "GROUP"
  pattern_type  = "PREFIXED"
  resource_name = "reports-"
  operations    = ["READ"]
}

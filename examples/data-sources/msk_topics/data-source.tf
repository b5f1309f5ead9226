data "msk_topics" "all" {
  cluster_id = msk_cluster.events.id
}

output "topic_names" {
  value = [for topic in data.msk_topics.all.topics : topic.name]
}

data "msk_kafka_versions" "all" {}

output "default_version" {
  value = data.msk_kafka_versions.all.default_version
}

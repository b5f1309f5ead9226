resource "msk_configuration" "events" {
  name           = "events"
  kafka_versions = ["4.3.1"]
  server_properties = {
    "auto.create.topics.enable" = "false"
    "log.retention.ms"          = "604800000"
  }
}

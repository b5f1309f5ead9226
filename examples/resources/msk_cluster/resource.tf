resource "msk_cluster" "events" {
  name          = "events"
  kafka_version = "4.3.1"
  subnet_ids    = ["zone-a", "zone-b", "zone-c"]

  configuration = {
    id       = msk_configuration.events.id
    revision = msk_configuration.events.latest_revision
  }
}

data "msk_cluster" "events" {
  name = "events"
}

data "msk_configuration" "events" {
  name = "events"
}

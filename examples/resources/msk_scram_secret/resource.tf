# A random password, which only the file that `secret_file` names holds.
resource "msk_scram_secret" "app" {
  cluster_id = msk_cluster.events.id
  username   = "app"
}

# A password of your own. It never reaches the state; a new version makes it the user's password.
resource "msk_scram_secret" "billing" {
  cluster_id          = msk_cluster.events.id
  username            = "billing"
  password_wo         = var.billing_password
  password_wo_version = 1
}

variable "billing_password" {
  type      = string
  ephemeral = true
}

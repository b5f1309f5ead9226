data "msk_acls" "all" {
  cluster_id = msk_cluster.events.id
}

output "principals" {
  value = distinct([for acl in data.msk_acls.all.acls : acl.principal])
}

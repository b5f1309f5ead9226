terraform {
  required_providers {
    msk = {
      source  = "terraform-provider-msk/msk"
      version = "~> 0.1"
    }
  }
}

# Clusters run on this machine.
provider "msk" {
  local = {}
}

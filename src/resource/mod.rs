//! The Terraform resources and data sources of this provider, one file per type.

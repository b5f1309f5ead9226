//! The plugin SDK from outside: a host that behaves like Terraform's, a hostile one, and Terraform.

mod host;
mod hostile;
mod measure;
mod protocol;
mod terraform;

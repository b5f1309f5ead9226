//! Terraform's messages. Only this module and `server` name the generated code.

pub(crate) mod convert;

/// Terraform's own service.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    reason = "generated from proto/tfplugin6.proto, which says what each message is"
)]
pub mod tfplugin6 {
    tonic::include_proto!("tfplugin6");
}

/// go-plugin's services beside it.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    reason = "generated from proto/go_plugin, which says what each message is"
)]
pub mod plugin {
    tonic::include_proto!("plugin");
}

//! Makes Kafka read renewed certificates without a restart.
//!
//! Setting a keystore's location for a broker makes it read the file again, even if the value is the one
//! it has (KAFKA-14136). Only that broker itself takes the request.

use super::ApplyError;
use crate::kafka::client::{Admin, Apply, ConfigChange, ConfigEdit, ConfigResource};
use crate::node::certificates::node_files;
use crate::node::context::Context;
use crate::store::documents::{ListenerName, ServerTrust};

/// Sets the keystores of every listener that waits for it. What fails waits on.
pub(super) async fn keystores(context: &Context, admin: &Admin) -> Result<(), ApplyError> {
    let waiting: Vec<ListenerName> = context.reload.borrow().iter().copied().collect();
    let Some(desired) = context.desired().filter(|_| !waiting.is_empty()) else {
        return Ok(());
    };
    let files = node_files(context);
    let edits: Vec<_> = waiting
        .iter()
        .filter_map(|name| {
            let path = match desired.cluster.listener(*name)?.trust? {
                ServerTrust::Internal => &files.internal_keystore,
                ServerTrust::Server => &files.server_keystore,
            };
            let property = format!(
                "listener.name.{}.ssl.keystore.location",
                name.as_str().to_lowercase()
            );
            Some((property, ConfigEdit::Set(path.clone())))
        })
        .collect();
    let change = ConfigChange {
        resource: ConfigResource::Broker(context.node_id()),
        edits,
    };
    for answer in admin.alter_configs(&[change], Apply::Now).await? {
        answer.map_err(|error| ApplyError::Pending {
            what: format!("Kafka does not read its renewed certificates: {error}"),
        })?;
    }
    tracing::info!(?waiting, "Kafka has read its renewed certificates");
    context
        .reload
        .send_modify(|names| names.retain(|name| !waiting.contains(name)));
    Ok(())
}

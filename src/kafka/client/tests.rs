//! Tests against a fake broker in this process.

use super::{Admin, Apply, ClientConfig, EndpointKind, TopicSelection};

#[test]
fn the_calls_can_be_made_from_any_thread() {
    fn is_send<T: Send>(_: T) {}
    fn is_sync<T: Sync>(_: &T) {}
    let admin = Admin::new(ClientConfig::new("127.0.0.1", 1));
    is_sync(&admin);
    is_send(admin.describe_cluster(EndpointKind::Brokers));
    is_send(admin.describe_topics(TopicSelection::All));
    is_send(admin.create_topics(&[], Apply::Now));
    is_send(admin.alter_scram_users(&[], &[]));
    is_send(admin.describe_features());
    is_send(admin.close());
}

//! The data source `msk_acls`: every ACL of a cluster, so that import blocks can be written.

use crate::engine::access::Acls as Kind;
use crate::resource::ProviderData;
use crate::resource::access::{self, names};
use crate::resource::acl::{Acl, operations};
use crate::tfplugin::schema::{Schema, list_of_objects, set, string};
use crate::tfplugin::{Context, DataSource, Found, Object, Type, Value};

/// The data source `msk_acls`.
#[derive(Debug, Clone, Copy)]
pub struct Acls;

impl DataSource<ProviderData> for Acls {
    fn type_name(&self) -> &'static str {
        "msk_acls"
    }

    fn schema(&self) -> Schema {
        let text = |about: &str| string().computed().description(about);
        Schema::new(
            "Every ACL of a cluster, made by Terraform or elsewhere. Operations on one key are one ACL.",
        )
        .attribute("cluster_id", access::listed_cluster_id())
        .attribute(
            "acls",
            list_of_objects([
                ("id", text("The id for an `import` block of `msk_acl`.")),
                ("principal", text("Whom it speaks of.")),
                ("host", text("From where.")),
                ("resource_type", text("The type of resource.")),
                ("resource_name", text("The resource's name, or its beginning.")),
                ("pattern_type", text("`LITERAL` or `PREFIXED`.")),
                (
                    "operations",
                    set(Type::String).computed().description("The operations."),
                ),
                ("permission", text("`ALLOW` or `DENY`.")),
            ])
            .computed()
            .description("The ACLs, by id."),
        )
        .attribute("id", string().computed().description("The cluster's id."))
    }

    async fn read(&self, context: &Context<ProviderData>, config: Object) -> Found {
        let mut answer = Found::default();
        let Some((cluster, snapshot)) = access::list::<Kind>(context, &config, &mut answer.diagnostics).await
        else {
            return answer;
        };
        let acls = snapshot.status.acls.values().map(|acl| {
            Acl::attributes(&acl.key)
                .with("id", names::acl(&cluster, &acl.key))
                .with("operations", operations(acl.operations.iter().copied()))
        });
        answer.state = Some(
            config
                .with("acls", Value::list(acls))
                .with("id", cluster.as_str()),
        );
        answer
    }
}

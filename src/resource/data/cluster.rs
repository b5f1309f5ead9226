//! The data source `msk_cluster`: a cluster by its name.

use crate::resource::cluster::{self, look, wanted};
use crate::resource::{ProviderData, configured, sentence};
use crate::spec::ids::ClusterName;
use crate::tfplugin::schema::Schema;
use crate::tfplugin::{Context, DataSource, Found, Object, Resource as _, Value, chain};

/// The data source `msk_cluster`.
#[derive(Debug, Clone, Copy)]
pub struct ClusterData;

/// What the last plan did is known to the state that holds the cluster, and to nobody else: null here.
const NOT_TOLD: &str = "planned_operations";

impl DataSource<ProviderData> for ClusterData {
    fn type_name(&self) -> &'static str {
        "msk_cluster"
    }

    fn schema(&self) -> Schema {
        let schema =
            Schema::new("A cluster of the control store, by its name: what its resource says and tells.");
        let resource = cluster::Cluster.schema();
        resource.attributes().fold(schema, |schema, (name, attribute)| {
            let told = match name {
                "name" => name_attribute(),
                NOT_TOLD => attribute
                    .only_told()
                    .description("Null: only the state that holds the cluster knows what its last plan did."),
                _ => attribute.only_told(),
            };
            schema.attribute(name, told)
        })
    }

    async fn read(&self, context: &Context<ProviderData>, config: Object) -> Found {
        let mut answer = Found::default();
        let found = &mut answer.diagnostics;
        let Some(data) = configured(context, found) else {
            return answer;
        };
        let Some(clusters) = data.clusters(found).await else {
            return answer;
        };
        let name = config.string("name").known_or(String::new());
        let looked = if wanted::is_name(&name) {
            clusters.find(&ClusterName::new(name.as_str())).await
        } else {
            Ok(None)
        };
        match looked {
            Ok(Some(seen)) => {
                let state = look::tell(&cluster::Cluster.schema(), data, &seen, found).await;
                look::remember(data, &state, None);
                let told = state.iter().filter(|(name, _)| *name != "timeouts");
                let told: Object = told.map(|(name, value)| (name, value.clone())).collect();
                answer.state = Some(told.with(NOT_TOLD, Value::Null));
            }
            Ok(None) => found.general_error(
                "No such cluster",
                format!(
                    "There is no cluster `{}` in this control store. If this configuration makes it, refer to \
                     `msk_cluster.<label>.name`, or add `depends_on = [msk_cluster.<label>]`.",
                    name.escape_debug()
                ),
            ),
            Err(error) => found.general_error("The cluster cannot be looked at", sentence(&chain(&error))),
        }
        answer
    }
}

fn name_attribute() -> crate::tfplugin::schema::Attribute {
    crate::tfplugin::schema::string()
        .required()
        .description("The cluster's name.")
}

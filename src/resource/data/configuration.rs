//! The data source `msk_configuration`: a configuration by its name.

use crate::engine::configurations::{self, RecordError};
use crate::resource::configuration::{self, Configuration};
use crate::resource::{ProviderData, configured, sentence};
use crate::tfplugin::schema::{Schema, string};
use crate::tfplugin::{Context, DataSource, Found, Object, Resource as _, Value, chain};

/// The data source `msk_configuration`.
#[derive(Debug, Clone, Copy)]
pub struct ConfigurationData;

impl DataSource<ProviderData> for ConfigurationData {
    fn type_name(&self) -> &'static str {
        "msk_configuration"
    }

    fn schema(&self) -> Schema {
        let schema =
            Schema::new("A configuration of the control store, by its name, as its latest revision has it.");
        let resource = Configuration.schema();
        resource.attributes().fold(schema, |schema, (name, attribute)| {
            let name_attribute = || string().required().description("The configuration's name.");
            schema.attribute(
                name,
                if name == "name" {
                    name_attribute()
                } else {
                    attribute.only_told()
                },
            )
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
        let record = match configurations::read(clusters.store(), &name).await {
            Ok(Some(record)) => record,
            Ok(None) | Err(RecordError::Key(_)) => {
                found.general_error(
                    "No such configuration",
                    format!(
                        "There is no configuration `{}` in this control store. If this configuration makes it, refer to \
                         `msk_configuration.<label>.name`, or add `depends_on = [msk_configuration.<label>]`.",
                        name.escape_debug()
                    ),
                );
                return answer;
            }
            Err(error) => {
                found.general_error("The configuration cannot be looked at", sentence(&chain(&error)));
                return answer;
            }
        };
        let mut state = Object::new().with("name", name);
        if let Some(latest) = record.revisions.last() {
            state.set("description", latest.description.clone());
            state.set("server_properties", Value::map(latest.server_properties.clone()));
        }
        if !record.kafka_versions.is_empty() {
            state.set("kafka_versions", Value::set(record.kafka_versions.clone()));
        }
        configuration::set_computed(&record, &mut state);
        configuration::remember_all(data, &record);
        answer.state = Some(state);
        answer
    }
}

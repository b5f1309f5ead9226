//! Data sources.

use super::{Server, proto};
use crate::tfplugin::diagnostics::Diagnostics;
use crate::tfplugin::planning;
use crate::tfplugin::resource::Provider;
use crate::tfplugin::schema;
use crate::tfplugin::value::AttributePath;

use proto::{read_data_source as reading, validate_data_resource_config as validate};

impl<P: Provider> Server<P> {
    pub(super) fn validate_data(&self, request: &validate::Request) -> (validate::Response, Diagnostics) {
        let mut found = Diagnostics::new();
        if let Some(source) = self.source(&request.type_name, &mut found)
            && let Some(config) = source
                .form()
                .read(request.config.as_ref(), "configuration", &mut found)
        {
            schema::validate(
                &source.form().schema.body,
                &config,
                &AttributePath::root(),
                &mut found,
            );
            source.source.validate(&config, &mut found);
        }
        (validate::Response::default(), found)
    }

    pub(super) async fn read_data(&self, request: reading::Request) -> (reading::Response, Diagnostics) {
        let mut found = Diagnostics::new();
        let mut answer = reading::Response::default();
        let Some(source) = self.source(&request.type_name, &mut found) else {
            return (answer, found);
        };
        let form = source.form();
        let Some(config) = form.read(request.config.as_ref(), "configuration", &mut found) else {
            return (answer, found);
        };
        let config = planning::with_defaults(&form.schema.body, &config);
        let context = self.context(request.client_capabilities.as_ref());
        let seen = source.source.read(&context, config).await;
        found.extend(seen.diagnostics);
        if let Some(state) = &seen.state
            && !state.is_wholly_known()
        {
            found.general_error(
                "Provider made an invalid value",
                "A data source returned an unknown value.",
            );
        }
        if seen.state.is_none() && !found.has_errors() {
            let detail = format!("`{}` found nothing for this configuration.", request.type_name);
            found.general_error("Not found", detail);
        }
        if !found.has_errors() {
            answer.state = form.write(seen.state, "result", &mut found);
        }
        (answer, found)
    }
}

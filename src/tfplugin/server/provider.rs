//! The provider as a whole: schemas, its own configuration, stopping.

use std::sync::PoisonError;

use tokio_util::sync::CancellationToken;

use super::{Server, not_offered, proto};
use crate::tfplugin::diagnostics::Diagnostics;
use crate::tfplugin::planning;
use crate::tfplugin::requests::ConfigureRequest;
use crate::tfplugin::resource::Provider;
use crate::tfplugin::schema;
use crate::tfplugin::value::AttributePath;
use crate::tfplugin::wire::convert::{self, Owner};

use proto::{
    configure_provider as configure, get_metadata as metadata, get_provider_schema as schemas,
    get_resource_identity_schemas as identities, validate_provider_config as validate,
};

const CAPABILITIES: proto::ServerCapabilities = proto::ServerCapabilities {
    plan_destroy: true,
    get_provider_schema_optional: true,
    // Terraform asks, and gets an error that says what to do instead.
    move_resource_state: true,
    generate_resource_config: false,
};

impl<P: Provider> Server<P> {
    pub(super) fn metadata(&self) -> (metadata::Response, Diagnostics) {
        let resources = self.resources.iter().map(|managed| metadata::ResourceMetadata {
            type_name: managed.resource.type_name().to_owned(),
        });
        let data_sources = self
            .data_sources
            .iter()
            .map(|source| metadata::DataSourceMetadata {
                type_name: source.source.type_name().to_owned(),
            });
        let answer = metadata::Response {
            server_capabilities: Some(CAPABILITIES),
            resources: resources.collect(),
            data_sources: data_sources.collect(),
            ..metadata::Response::default()
        };
        (answer, Diagnostics::new())
    }

    pub(super) fn schemas(&self) -> (schemas::Response, Diagnostics) {
        let of = |schema| convert::schema(schema, Owner::Other);
        let resources = self.resources.iter();
        let resources = resources.map(|one| (one.resource.type_name().to_owned(), of(&one.form().schema)));
        let data_sources = self.data_sources.iter();
        let data_sources =
            data_sources.map(|one| (one.source.type_name().to_owned(), of(&one.form().schema)));
        let answer = schemas::Response {
            provider: Some(convert::schema(&self.provider_form().schema, Owner::Provider)),
            resource_schemas: resources.collect(),
            data_source_schemas: data_sources.collect(),
            server_capabilities: Some(CAPABILITIES),
            ..schemas::Response::default()
        };
        (answer, Diagnostics::new())
    }

    pub(super) fn identities(&self) -> (identities::Response, Diagnostics) {
        let schemas = self.resources.iter().filter_map(|managed| {
            let schema = convert::identity_schema(managed.identity_schema()?);
            Some((managed.resource.type_name().to_owned(), schema))
        });
        let answer = identities::Response {
            identity_schemas: schemas.collect(),
            ..identities::Response::default()
        };
        (answer, Diagnostics::new())
    }

    pub(super) fn validate_provider(&self, request: &validate::Request) -> (validate::Response, Diagnostics) {
        let mut found = Diagnostics::new();
        let form = self.provider_form();
        if let Some(config) = form.read(request.config.as_ref(), "configuration", &mut found) {
            schema::validate(&form.schema.body, &config, &AttributePath::root(), &mut found);
            self.provider.validate(&config, &mut found);
        }
        (validate::Response::default(), found)
    }

    pub(super) async fn configure(&self, request: configure::Request) -> (configure::Response, Diagnostics) {
        let mut found = Diagnostics::new();
        let form = self.provider_form();
        let Some(config) = form.read(request.config.as_ref(), "configuration", &mut found) else {
            return (configure::Response::default(), found);
        };
        let config = planning::with_defaults(&form.schema.body, &config);
        let question = ConfigureRequest {
            config,
            terraform_version: request.terraform_version,
        };
        let data = self.provider.configure(question, &mut found).await;
        let mut configured = self.configured.write().unwrap_or_else(PoisonError::into_inner);
        configured.data = data;
        // One process serves many runs while debugging: a stop ends only the run that it was for.
        if configured.cancelled.is_cancelled() {
            configured.cancelled = CancellationToken::new();
        }
        drop(configured);
        (configure::Response::default(), found)
    }

    pub(super) fn no_ephemeral<R: Default>(type_name: &str) -> (R, Diagnostics) {
        let mut found = Diagnostics::new();
        not_offered("ephemeral resource", type_name, &mut found);
        (R::default(), found)
    }
}

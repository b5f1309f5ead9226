//! The traits behind which resources, data sources and the provider live.
//!
//! Implementations write `async fn`; [`Registry`] stores them behind boxed futures.

use std::future::Future;
use std::sync::Arc;

use super::context::Context;
use super::diagnostics::Diagnostics;
use super::erased::{DynDataSource, DynResource};
use super::requests::{
    Applied, ConfigureRequest, CreateRequest, DeleteRequest, Deleted, Found, ImportRequest, Imported, Plan,
    PlanRequest, ReadRequest, Seen, UpdateRequest, UpgradeRequest,
};
use super::schema::{IdentitySchema, Schema};
use super::value::Object;

/// A managed resource. `P` is what the provider's `configure` makes.
///
/// *Assumes*: any mixture of calls for different objects runs at the same time. A call is dropped
/// at an await if the host goes away, so each must be repeatable.
pub trait Resource<P: Send + Sync + 'static>: Send + Sync + 'static {
    /// The full type name, `msk_topic`.
    fn type_name(&self) -> &'static str;

    /// The schema. Asked once per process.
    fn schema(&self) -> Schema;

    /// Checks a configuration beyond the rules of its attributes (which ran already). Unknown values
    /// must pass. Runs before the provider is configured.
    fn validate(&self, _config: &Object, _diagnostics: &mut Diagnostics) {}

    /// Looks at a plan after the rules of the schema, and changes or refuses it. Also called for a
    /// destroy, and for an update in which nothing changes. Terraform plans again at apply in
    /// another process and wants the same answer.
    fn plan(
        &self,
        _context: &Context<P>,
        _request: &PlanRequest,
        _plan: &mut Plan,
    ) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// Makes the object. Start with `request.begin()`.
    fn create(&self, context: &Context<P>, request: CreateRequest) -> impl Future<Output = Applied> + Send;

    /// Looks at the object. Start with `request.begin()`.
    fn read(&self, context: &Context<P>, request: ReadRequest) -> impl Future<Output = Seen> + Send;

    /// Changes the object. Start with `request.begin()`.
    fn update(&self, context: &Context<P>, request: UpdateRequest) -> impl Future<Output = Applied> + Send;

    /// Takes the object away. Start with `request.begin()`.
    fn delete(&self, context: &Context<P>, request: DeleteRequest) -> impl Future<Output = Deleted> + Send;

    /// Takes over an object that exists.
    fn import(
        &self,
        _context: &Context<P>,
        _request: ImportRequest,
    ) -> impl Future<Output = Imported> + Send {
        let name = self.type_name();
        async move {
            let mut answer = Imported::default();
            answer.diagnostics.general_error(
                "Import is not supported",
                format!("{name} cannot be imported. Create it with this configuration instead."),
            );
            answer
        }
    }

    /// Turns state of an older schema version into one of the current version.
    fn upgrade_state(&self, request: UpgradeRequest<'_>, diagnostics: &mut Diagnostics) -> Option<Object> {
        diagnostics.general_error(
            "State of an unknown version",
            format!(
                "{} has no upgrade from state version {}. Please report this as a bug of the provider.",
                self.type_name(),
                request.version
            ),
        );
        None
    }

    /// The schema of the identity, if the resource has one.
    fn identity_schema(&self) -> Option<IdentitySchema> {
        None
    }

    /// The identity of an object with this state, if it can be told yet.
    fn identity(&self, _state: &Object) -> Option<Object> {
        None
    }
}

/// A data source.
pub trait DataSource<P: Send + Sync + 'static>: Send + Sync + 'static {
    /// The full type name.
    fn type_name(&self) -> &'static str;

    /// The schema. Asked once per process.
    fn schema(&self) -> Schema;

    /// Checks a configuration beyond the rules of its attributes. Unknown values must pass.
    fn validate(&self, _config: &Object, _diagnostics: &mut Diagnostics) {}

    /// Reads. The configuration is wholly known. Defaults of the schema are filled in already.
    fn read(&self, context: &Context<P>, config: Object) -> impl Future<Output = Found> + Send;
}

/// A provider.
pub trait Provider: Send + Sync + 'static {
    /// What resources get once the provider is configured.
    type Data: Send + Sync + 'static;

    /// The schema of the provider block.
    fn schema(&self) -> Schema;

    /// Checks the provider block beyond the rules of its attributes. Unknown values must pass.
    fn validate(&self, _config: &Object, _diagnostics: &mut Diagnostics) {}

    /// Makes what resources get. Must be quick, and may be called again on the same process. With
    /// `None` resources see no data in their [`Context`].
    fn configure(
        &self,
        request: ConfigureRequest,
        diagnostics: &mut Diagnostics,
    ) -> impl Future<Output = Option<Arc<Self::Data>>> + Send;

    /// Names the resources and data sources.
    fn register(&self, registry: &mut Registry<Self::Data>);
}

/// The resources and data sources of a provider.
pub struct Registry<P> {
    pub(crate) resources: Vec<Box<dyn DynResource<P>>>,
    pub(crate) data_sources: Vec<Box<dyn DynDataSource<P>>>,
}

impl<P: Send + Sync + 'static> Registry<P> {
    /// An empty registry.
    pub const fn new() -> Self {
        Self {
            resources: Vec::new(),
            data_sources: Vec::new(),
        }
    }

    /// The registry of a provider.
    pub fn of(provider: &impl Provider<Data = P>) -> Self {
        let mut registry = Self::new();
        provider.register(&mut registry);
        registry
    }

    /// Adds a resource.
    pub fn resource(&mut self, resource: impl Resource<P>) {
        self.resources.push(Box::new(resource));
    }

    /// Adds a data source.
    pub fn data_source(&mut self, data_source: impl DataSource<P>) {
        self.data_sources.push(Box::new(data_source));
    }

    /// Type names and schemas of the resources, for documentation and tests.
    pub fn resource_schemas(&self) -> Vec<(&'static str, Schema)> {
        self.resources
            .iter()
            .map(|resource| (resource.type_name(), resource.schema()))
            .collect()
    }

    /// Type names and schemas of the data sources, for documentation and tests.
    pub fn data_source_schemas(&self) -> Vec<(&'static str, Schema)> {
        self.data_sources
            .iter()
            .map(|source| (source.type_name(), source.schema()))
            .collect()
    }
}

impl<P: Send + Sync + 'static> Default for Registry<P> {
    fn default() -> Self {
        Self::new()
    }
}

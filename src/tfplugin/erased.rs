//! The object-safe form of the traits in `resource`: the same calls behind boxed futures.

use std::future::Future;
use std::pin::Pin;

use super::context::Context;
use super::diagnostics::Diagnostics;
use super::requests::{
    Applied, CreateRequest, DeleteRequest, Deleted, Found, ImportRequest, Imported, Plan, PlanRequest,
    ReadRequest, Seen, UpdateRequest, UpgradeRequest,
};
use super::resource::{DataSource, Resource};
use super::schema::{IdentitySchema, Schema};
use super::value::Object;

pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub(crate) trait DynResource<P>: Send + Sync {
    fn type_name(&self) -> &'static str;
    fn schema(&self) -> Schema;
    fn validate(&self, config: &Object, diagnostics: &mut Diagnostics);
    fn plan<'a>(
        &'a self,
        context: &'a Context<P>,
        request: &'a PlanRequest,
        plan: &'a mut Plan,
    ) -> Boxed<'a, ()>;
    fn create<'a>(&'a self, context: &'a Context<P>, request: CreateRequest) -> Boxed<'a, Applied>;
    fn read<'a>(&'a self, context: &'a Context<P>, request: ReadRequest) -> Boxed<'a, Seen>;
    fn update<'a>(&'a self, context: &'a Context<P>, request: UpdateRequest) -> Boxed<'a, Applied>;
    fn delete<'a>(&'a self, context: &'a Context<P>, request: DeleteRequest) -> Boxed<'a, Deleted>;
    fn import<'a>(&'a self, context: &'a Context<P>, request: ImportRequest) -> Boxed<'a, Imported>;
    fn upgrade_state(&self, request: UpgradeRequest<'_>, diagnostics: &mut Diagnostics) -> Option<Object>;
    fn identity_schema(&self) -> Option<IdentitySchema>;
    fn identity(&self, state: &Object) -> Option<Object>;
}

impl<P: Send + Sync + 'static, R: Resource<P>> DynResource<P> for R {
    fn type_name(&self) -> &'static str {
        Resource::type_name(self)
    }

    fn schema(&self) -> Schema {
        Resource::schema(self)
    }

    fn validate(&self, config: &Object, diagnostics: &mut Diagnostics) {
        Resource::validate(self, config, diagnostics);
    }

    fn plan<'a>(
        &'a self,
        context: &'a Context<P>,
        request: &'a PlanRequest,
        plan: &'a mut Plan,
    ) -> Boxed<'a, ()> {
        Box::pin(Resource::plan(self, context, request, plan))
    }

    fn create<'a>(&'a self, context: &'a Context<P>, request: CreateRequest) -> Boxed<'a, Applied> {
        Box::pin(Resource::create(self, context, request))
    }

    fn read<'a>(&'a self, context: &'a Context<P>, request: ReadRequest) -> Boxed<'a, Seen> {
        Box::pin(Resource::read(self, context, request))
    }

    fn update<'a>(&'a self, context: &'a Context<P>, request: UpdateRequest) -> Boxed<'a, Applied> {
        Box::pin(Resource::update(self, context, request))
    }

    fn delete<'a>(&'a self, context: &'a Context<P>, request: DeleteRequest) -> Boxed<'a, Deleted> {
        Box::pin(Resource::delete(self, context, request))
    }

    fn import<'a>(&'a self, context: &'a Context<P>, request: ImportRequest) -> Boxed<'a, Imported> {
        Box::pin(Resource::import(self, context, request))
    }

    fn upgrade_state(&self, request: UpgradeRequest<'_>, diagnostics: &mut Diagnostics) -> Option<Object> {
        Resource::upgrade_state(self, request, diagnostics)
    }

    fn identity_schema(&self) -> Option<IdentitySchema> {
        Resource::identity_schema(self)
    }

    fn identity(&self, state: &Object) -> Option<Object> {
        Resource::identity(self, state)
    }
}

pub(crate) trait DynDataSource<P>: Send + Sync {
    fn type_name(&self) -> &'static str;
    fn schema(&self) -> Schema;
    fn validate(&self, config: &Object, diagnostics: &mut Diagnostics);
    fn read<'a>(&'a self, context: &'a Context<P>, config: Object) -> Boxed<'a, Found>;
}

impl<P: Send + Sync + 'static, D: DataSource<P>> DynDataSource<P> for D {
    fn type_name(&self) -> &'static str {
        DataSource::type_name(self)
    }

    fn schema(&self) -> Schema {
        DataSource::schema(self)
    }

    fn validate(&self, config: &Object, diagnostics: &mut Diagnostics) {
        DataSource::validate(self, config, diagnostics);
    }

    fn read<'a>(&'a self, context: &'a Context<P>, config: Object) -> Boxed<'a, Found> {
        Box::pin(DataSource::read(self, context, config))
    }
}

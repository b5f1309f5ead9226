//! A provider behind Terraform's RPCs.
//!
//! `rpc` takes the messages apart and puts answers together; `resources`, `data` and `provider` do
//! the work of each kind. Every RPC works in a process in which no other was called before.

mod answer;
mod calls;
mod data;
mod provider;
mod resources;
mod rpc;

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use tokio_util::sync::CancellationToken;

use super::context::{ClientCapabilities, Context};
use super::diagnostics::{Diagnostics, chain};
use super::erased::{DynDataSource, DynResource};
use super::requests::Action;
use super::resource::{Provider, Registry};
use super::schema::{IdentitySchema, Schema, conform};
use super::value::{Object, Type, Value, json, msgpack};
use super::wire::tfplugin6 as proto;
pub(crate) use calls::{Calls, Running};
pub(crate) use rpc::Rpc;

/// The largest message in either direction, as in servers written in Go.
pub(crate) const LARGEST_MESSAGE: usize = 256 * 1024 * 1024;

/// A provider with everything that lives as long as its process.
pub(crate) struct Server<P: Provider> {
    provider: P,
    provider_schema: OnceLock<Form>,
    resources: Vec<Managed<P::Data>>,
    data_sources: Vec<Source<P::Data>>,
    configured: RwLock<Configured<P::Data>>,
    calls: Calls,
    /// The host plans what is configured only to destroy it then.
    is_before_a_destroy: bool,
}

struct Configured<D> {
    data: Option<Arc<D>>,
    cancelled: CancellationToken,
}

/// A schema and the type that follows from it, made when first asked for.
struct Form {
    schema: Schema,
    ty: Type,
}

struct Managed<D> {
    resource: Box<dyn DynResource<D>>,
    form: OnceLock<Form>,
    identity: OnceLock<Option<IdentitySchema>>,
}

struct Source<D> {
    source: Box<dyn DynDataSource<D>>,
    form: OnceLock<Form>,
}

impl Form {
    fn of(schema: Schema) -> Self {
        Self {
            ty: schema.ty(),
            schema,
        }
    }

    /// Reads an object of this schema; `None` for null. A message that does not fit is a bug of
    /// Terraform or of this SDK.
    fn read(
        &self,
        message: Option<&proto::DynamicValue>,
        what: &str,
        found: &mut Diagnostics,
    ) -> Option<Object> {
        match read(message, &self.ty) {
            Ok(Value::Object(object)) => Some(object),
            Ok(Value::Null) => None,
            Ok(other) => {
                found.general_error("Message not readable", format!("The {what} is {}.", other.kind()));
                None
            }
            Err(fault) => {
                found.general_error("Message not readable", format!("The {what} is broken: {fault}."));
                None
            }
        }
    }

    /// Writes an answer: completes it, takes write-only values out.
    fn write(
        &self,
        object: Option<Object>,
        what: &str,
        found: &mut Diagnostics,
    ) -> Option<proto::DynamicValue> {
        let value = object.map_or(Value::Null, |mut object| {
            conform::fill_blocks(&self.schema.body, &mut object);
            conform::drop_write_only(&self.schema.body, &mut object);
            Value::Object(object)
        });
        match msgpack::encode(&value, &self.ty) {
            Ok(msgpack) => Some(proto::DynamicValue {
                msgpack,
                json: Vec::new(),
            }),
            Err(error) => {
                let detail = format!("The {what} does not fit the schema: {}. {REPORT}", chain(&error));
                found.general_error("Provider made an invalid value", detail);
                None
            }
        }
    }
}

/// Ends the text of every error that only a bug of the provider can cause.
const REPORT: &str = "Please report this as a bug of the provider.";

fn read(message: Option<&proto::DynamicValue>, ty: &Type) -> Result<Value, String> {
    match message {
        Some(message) if !message.msgpack.is_empty() => {
            msgpack::decode(&message.msgpack, ty).map_err(|error| chain(&error))
        }
        Some(message) if !message.json.is_empty() => {
            json::decode(&message.json, ty).map_err(|error| chain(&error))
        }
        _ => Ok(Value::Null),
    }
}

impl<D: Send + Sync + 'static> Managed<D> {
    fn form(&self) -> &Form {
        self.form.get_or_init(|| Form::of(self.resource.schema()))
    }

    fn identity_schema(&self) -> Option<&IdentitySchema> {
        self.identity
            .get_or_init(|| self.resource.identity_schema())
            .as_ref()
    }

    /// The identity that belongs to `state`, if it can be told.
    fn identity_of(&self, state: Option<&Object>) -> Option<proto::ResourceIdentityData> {
        let schema = self.identity_schema()?;
        let identity = self.resource.identity(state?)?;
        let msgpack = msgpack::encode(&Value::Object(identity), &schema.ty()).ok()?;
        Some(proto::ResourceIdentityData {
            identity_data: Some(proto::DynamicValue {
                msgpack,
                json: Vec::new(),
            }),
        })
    }
}

impl<D: Send + Sync + 'static> Source<D> {
    fn form(&self) -> &Form {
        self.form.get_or_init(|| Form::of(self.source.schema()))
    }
}

impl<P: Provider> Server<P> {
    /// Takes the provider in. Makes no schema yet.
    pub(crate) fn new(provider: P) -> Self {
        let Registry {
            resources,
            data_sources,
        } = Registry::of(&provider);
        let managed = |resource| Managed {
            resource,
            form: OnceLock::new(),
            identity: OnceLock::new(),
        };
        Self {
            provider,
            provider_schema: OnceLock::new(),
            resources: resources.into_iter().map(managed).collect(),
            data_sources: data_sources
                .into_iter()
                .map(|source| Source {
                    source,
                    form: OnceLock::new(),
                })
                .collect(),
            configured: RwLock::new(Configured {
                data: None,
                cancelled: CancellationToken::new(),
            }),
            calls: Calls::default(),
            is_before_a_destroy: false,
        }
    }

    /// Plans of what is configured are thrown away: what they refuse must not keep the host from its destroy.
    pub(crate) const fn before_a_destroy(mut self, is_so: bool) -> Self {
        self.is_before_a_destroy = is_so;
        self
    }

    /// Counts the calls that run.
    pub(crate) fn calls(&self) -> Calls {
        self.calls.clone()
    }

    /// Asks every wait to end soon.
    pub(crate) fn stop(&self) {
        self.configured
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .cancelled
            .cancel();
    }

    fn provider_form(&self) -> &Form {
        self.provider_schema
            .get_or_init(|| Form::of(self.provider.schema()))
    }

    fn context(&self, capabilities: Option<&proto::ClientCapabilities>) -> Context<P::Data> {
        let configured = self.configured.read().unwrap_or_else(PoisonError::into_inner);
        let capabilities = ClientCapabilities {
            write_only_attributes: capabilities.is_some_and(|given| given.write_only_attributes_allowed),
        };
        Context::new(
            configured.data.clone(),
            configured.cancelled.clone(),
            capabilities,
        )
    }

    fn managed(&self, type_name: &str, found: &mut Diagnostics) -> Option<&Managed<P::Data>> {
        let managed = self
            .resources
            .iter()
            .find(|managed| managed.resource.type_name() == type_name);
        if managed.is_none() {
            not_offered("resource type", type_name, found);
        }
        managed
    }

    fn source(&self, type_name: &str, found: &mut Diagnostics) -> Option<&Source<P::Data>> {
        let source = self
            .data_sources
            .iter()
            .find(|source| source.source.type_name() == type_name);
        if source.is_none() {
            not_offered("data source", type_name, found);
        }
        source
    }
}

/// Says that this provider has no such type.
fn not_offered(kind: &str, type_name: &str, found: &mut Diagnostics) {
    let name: String = type_name.chars().take(100).collect();
    found.general_error(
        format!("No such {kind}"),
        format!("This provider has no {kind} `{name}`."),
    );
}

const fn verb(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Destroy => "destroy",
    }
}

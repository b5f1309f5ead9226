//! A Terraform plugin SDK (protocol 6.11). Knows nothing of Kafka or AWS.
//!
//! A provider names its resources; each resource is one file that reads from top to bottom: schema,
//! validate, plan, create, read, update, delete, import. The SDK does the rest: handshake, TLS, RPCs,
//! defaults, "known after apply", replacement, write-only values, private state.
//!
//! ```
//! use msk::tfplugin::schema::{Schema, length, number, range, string, timeouts};
//! use msk::tfplugin::*;
//!
//! struct Note;
//!
//! impl Resource<Shelf> for Note {
//!     fn type_name(&self) -> &'static str {
//!         "shelf_note"
//!     }
//!
//!     fn schema(&self) -> Schema {
//!         Schema::new("A note on the shelf.")
//!             .attribute("title", string().required().requires_replace().validate(length(1..=64)))
//!             .attribute("copies", number().default(1).validate(range(1..=9)))
//!             .attribute("id", string().computed().keep_prior())
//!             .block("timeouts", timeouts(["create"]))
//!     }
//!
//!     async fn create(&self, context: &Context<Shelf>, request: CreateRequest) -> Applied {
//!         let mut answer = request.begin();
//!         let mut state = request.planned.clone();
//!         match (context.data(), state.string("title")) {
//!             (Some(shelf), Attr::Known(title)) => state.set("id", format!("{}/{title}", shelf.name)),
//!             _ => answer.diagnostics.general_error("Provider not configured", "Configure it."),
//!         }
//!         answer.state = Some(state);
//!         answer
//!     }
//!
//!     async fn read(&self, _: &Context<Shelf>, request: ReadRequest) -> Seen {
//!         request.begin() // or `state: None` if the object is gone
//!     }
//!
//!     async fn update(&self, _: &Context<Shelf>, request: UpdateRequest) -> Applied {
//!         let mut answer = request.begin();
//!         answer.state = Some(request.planned);
//!         answer
//!     }
//!
//!     async fn delete(&self, _: &Context<Shelf>, request: DeleteRequest) -> Deleted {
//!         request.begin()
//!     }
//! }
//!
//! struct Shelf {
//!     name: String,
//! }
//! # let mut registry = Registry::new();
//! # registry.resource(Note);
//! # assert_eq!(registry.resource_schemas().len(), 1);
//! ```

mod context;
mod diagnostics;
/// Registry pages from schemas.
pub mod docs;
mod erased;
mod planning;
mod private;
mod requests;
mod resource;
pub mod schema;
mod serve;
mod server;
mod value;
#[doc(hidden)]
pub mod wire;

pub use context::{ClientCapabilities, Context};
pub use diagnostics::{Diagnostic, Diagnostics, Severity, chain};
pub use private::{Error as PrivateError, Private};
pub use requests::{
    Action, Applied, ConfigureRequest, CreateRequest, DeleteRequest, Deleted, Found, ImportRequest, Imported,
    Plan, PlanRequest, ReadRequest, Seen, UpdateRequest, UpgradeRequest,
};
pub use resource::{DataSource, Provider, Registry, Resource};
pub use serve::{Error as ServeError, SocketError, TlsError, serve, serve_for_debugging};
pub use value::json::Error as JsonError;
pub use value::msgpack::{Error as MsgpackError, Fault as MsgpackFault};
pub use value::{
    Attr, AttributePath, DynamicValue, Number, NumberError, Object, ObjectType, Step, Type, TypeError,
    Unknown, Value,
};

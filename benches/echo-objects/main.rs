//! A provider with the very schemas of `msk_topic` and `msk_acl` that stores nothing but its state.
//!
//! The yardstick of what planning our objects costs beyond Terraform and the SDK.

use std::process::ExitCode;
use std::sync::Arc;

use msk::resource::Msk;
use msk::tfplugin::schema::Schema;
use msk::tfplugin::{
    Applied, ConfigureRequest, Context, CreateRequest, DeleteRequest, Deleted, Diagnostics, Provider,
    ReadRequest, Registry, Resource, Seen, UpdateRequest, serve,
};

fn main() -> ExitCode {
    serve(Echo)
}

struct Echo;

impl Provider for Echo {
    type Data = ();

    fn schema(&self) -> Schema {
        Schema::new("Repeats what it is told.")
    }

    async fn configure(&self, _: ConfigureRequest, _: &mut Diagnostics) -> Option<Arc<()>> {
        Some(Arc::new(()))
    }

    fn register(&self, registry: &mut Registry<()>) {
        for (ours, theirs) in [("echo_topic", "msk_topic"), ("echo_acl", "msk_acl")] {
            let schemas = Registry::of(&Msk).resource_schemas();
            if let Some((_, schema)) = schemas.into_iter().find(|(name, _)| *name == theirs) {
                registry.resource(Thing { name: ours, schema });
            }
        }
    }
}

struct Thing {
    name: &'static str,
    schema: Schema,
}

impl Resource<()> for Thing {
    fn type_name(&self) -> &'static str {
        self.name
    }

    fn schema(&self) -> Schema {
        self.schema.clone()
    }

    async fn create(&self, _: &Context<()>, request: CreateRequest) -> Applied {
        let mut answer = request.begin();
        let mut state = request.planned;
        let unknown: Vec<String> = state
            .iter()
            .filter(|(_, value)| value.is_unknown())
            .map(|(name, _)| name.to_owned())
            .collect();
        for name in unknown {
            state.set(name.as_str(), "made");
        }
        answer.state = Some(state);
        answer
    }

    async fn read(&self, _: &Context<()>, request: ReadRequest) -> Seen {
        request.begin()
    }

    async fn update(&self, _: &Context<()>, request: UpdateRequest) -> Applied {
        let mut answer = request.begin();
        answer.state = Some(request.planned);
        answer
    }

    async fn delete(&self, _: &Context<()>, request: DeleteRequest) -> Deleted {
        request.begin()
    }
}

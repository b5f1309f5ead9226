//! A provider that stores nothing but its state: for tests of the SDK with real Terraform, and as
//! the yardstick of what the SDK itself costs.
//!
//! Its `behave` attribute makes it misbehave on purpose.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use msk::tfplugin::schema::{
    IdentityAttribute, IdentitySchema, Schema, any, boolean, each, length, list, list_of_objects, map,
    number, object, one_of, range, set, set_of_objects, string, timeouts,
};
use msk::tfplugin::{
    Action, Applied, Attr, AttributePath, ConfigureRequest, Context, CreateRequest, DataSource,
    DeleteRequest, Deleted, Diagnostics, Found, ImportRequest, Imported, Object, Plan, PlanRequest, Provider,
    ReadRequest, Registry, Resource, Seen, Type, UpdateRequest, UpgradeRequest, Value, serve,
    serve_for_debugging,
};

/// Full source address.
const ADDRESS: &str = "registry.terraform.io/terraform-provider-msk/echo";

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("--debug") => serve_for_debugging(Echo, ADDRESS),
        _ => serve(Echo),
    }
}

struct Echo;

/// What `configure` makes.
struct Configured {
    prefix: String,
}

impl Provider for Echo {
    type Data = Configured;

    fn schema(&self) -> Schema {
        Schema::new("Repeats what it is told.")
            .attribute("prefix", string().default("echo").description("Begins every id."))
    }

    async fn configure(&self, request: ConfigureRequest, _: &mut Diagnostics) -> Option<Arc<Configured>> {
        let prefix = request.config.string("prefix").known()?;
        Some(Arc::new(Configured { prefix }))
    }

    fn register(&self, registry: &mut Registry<Configured>) {
        registry.resource(Thing);
        registry.data_source(Lookup);
    }
}

struct Thing;

impl Resource<Configured> for Thing {
    fn type_name(&self) -> &'static str {
        "echo_thing"
    }

    fn schema(&self) -> Schema {
        let behaviors = [
            "panic",
            "panic_in_plan",
            "fail_half_way",
            "fail_delete",
            "wait",
            "forget_result",
        ];
        Schema::new("A thing that exists only in the state.")
            .version(1)
            .attribute(
                "name",
                string()
                    .required()
                    .requires_replace()
                    .validate(length(1..=64))
                    .description("Its name."),
            )
            .attribute(
                "size",
                number()
                    .default(1)
                    .validate(range(0..=1000))
                    .description("Its size."),
            )
            .attribute("ratio", number().optional().description("Any number."))
            .attribute(
                "spelling",
                string()
                    .optional()
                    .equal_by(same_letters)
                    .description("Letters, in either case."),
            )
            .attribute(
                "zone",
                string()
                    .optional_computed()
                    .requires_replace()
                    .description("Where it is."),
            )
            .attribute("labels", map(Type::String).optional().description("Labels."))
            .attribute(
                "tags",
                set(Type::String)
                    .optional()
                    .validate(each(length(1..=8)))
                    .description("Tags."),
            )
            .attribute("steps", list(Type::Number).optional().description("Steps."))
            .attribute("anything", any().optional().description("Anything."))
            .attribute(
                "mode",
                object([
                    (
                        "kind",
                        string()
                            .default("fast")
                            .validate(one_of(["fast", "slow"]))
                            .description("Kind."),
                    ),
                    ("strict", boolean().default(true).description("Strictness.")),
                ])
                .default_members()
                .description("How it works."),
            )
            .attribute(
                "parts",
                list_of_objects([
                    ("label", string().required().description("Label.")),
                    ("count", number().default(2).description("Count.")),
                    (
                        "serial",
                        string().computed().keep_prior().description("Serial number."),
                    ),
                ])
                .optional()
                .description("Parts."),
            )
            .attribute(
                "ports",
                set_of_objects([
                    ("number", number().required().description("Number.")),
                    ("open", boolean().default(false).description("Openness.")),
                ])
                .optional()
                .description("Ports."),
            )
            .attribute("password_wo", string().write_only().description("A secret."))
            .attribute(
                "password_wo_version",
                number().optional().description("Its version."),
            )
            .attribute(
                "behave",
                string()
                    .optional()
                    .validate(one_of(behaviors))
                    .description("Misbehaves on purpose."),
            )
            .attribute(
                "id",
                string().computed().keep_prior().description("Prefix and name."),
            )
            .attribute(
                "result",
                string().computed().description("Changes with every change."),
            )
            .block("timeouts", timeouts(["create", "delete"]))
    }

    async fn plan(&self, _: &Context<Configured>, request: &PlanRequest, plan: &mut Plan) {
        let behave = request
            .config
            .as_ref()
            .and_then(|config| config.string("behave").known());
        assert!(
            behave.as_deref() != Some("panic_in_plan"),
            "told to panic in the plan"
        );
        if request.action() == Action::Destroy {
            plan.diagnostics
                .general_warning("Going away", "This thing will be gone.");
        }
    }

    async fn create(&self, context: &Context<Configured>, request: CreateRequest) -> Applied {
        let mut answer = request.begin();
        let behave = request.config.string("behave").known().unwrap_or_default();
        assert!(behave != "panic", "told to panic");
        let Some(data) = context.data() else {
            answer
                .diagnostics
                .general_error("Provider not configured", "Configure it.");
            return answer;
        };
        let mut state = request.planned.clone();
        let name = request.planned.string("name").known_or(String::new());
        state.set("id", format!("{}/{name}", data.prefix));
        if state.str("zone").is_unknown() {
            state.set("zone", "z1");
        }
        number_parts(&mut state);
        if behave == "fail_half_way" {
            answer
                .diagnostics
                .general_error("Half done", "Told to fail half way.");
            answer.state = Some(state);
            return answer;
        }
        if behave == "wait" {
            let limit = request.planned.timeout("create", Duration::from_mins(1));
            tokio::select! {
                () = context.cancelled().cancelled() => {
                    answer.diagnostics.general_error("Stopped", "Stopped while waiting.");
                }
                () = tokio::time::sleep(limit) => {}
            }
        }
        if behave != "forget_result" {
            state.set("result", "created");
        }
        if let Err(error) = answer
            .private
            .write(1, &request.planned.integer("size").known_or(0))
        {
            answer.diagnostics.failure("Private state not written", &error);
        }
        answer.state = Some(state);
        answer
    }

    async fn read(&self, _: &Context<Configured>, request: ReadRequest) -> Seen {
        let mut answer = request.begin();
        if request.state.string("result").is_null() {
            // Imported: the rest follows from the id.
            let id = request.state.string("id").known_or(String::new());
            let name = id.rsplit('/').next().unwrap_or_default();
            if name == "absent" {
                answer.state = None;
            } else if let Some(state) = &mut answer.state {
                state.set("name", name);
                state.set("zone", "z1");
                state.set("size", 1);
                state.set("result", "imported");
                state.set("mode", Object::new().with("kind", "fast").with("strict", true));
            }
        }
        answer
    }

    async fn update(&self, _: &Context<Configured>, request: UpdateRequest) -> Applied {
        let mut answer = request.begin();
        let mut state = request.planned;
        state.set("result", "updated");
        number_parts(&mut state);
        answer.state = Some(state);
        answer
    }

    async fn delete(&self, _: &Context<Configured>, request: DeleteRequest) -> Deleted {
        let mut answer = request.begin();
        if request.prior.string("behave").known().as_deref() == Some("fail_delete") {
            answer.diagnostics.general_error("Still here", "Told to fail.");
        }
        answer
    }

    async fn import(&self, _: &Context<Configured>, request: ImportRequest) -> Imported {
        let mut answer = Imported::default();
        let id = request
            .identity
            .and_then(|identity| identity.string("id").known())
            .unwrap_or(request.id);
        answer.state = Some(Object::new().with("id", id));
        answer
    }

    fn upgrade_state(&self, request: UpgradeRequest<'_>, diagnostics: &mut Diagnostics) -> Option<Object> {
        // Version 0 had `title` in place of `name`.
        let old = Schema::new("")
            .attribute("title", string())
            .attribute("id", string());
        match request.decode(&old) {
            Ok(old) => Some(
                Object::new()
                    .with("name", old.string("title"))
                    .with("id", old.string("id"))
                    .with("size", 1)
                    .with("zone", "z1")
                    .with("mode", Object::new().with("kind", "fast").with("strict", true))
                    .with("result", "upgraded"),
            ),
            Err(error) => {
                diagnostics.failure("State not readable", &error);
                None
            }
        }
    }

    fn identity_schema(&self) -> Option<IdentitySchema> {
        let id = IdentityAttribute {
            name: "id".to_owned(),
            ty: Type::String,
            required_for_import: true,
            description: "Prefix and name.".to_owned(),
        };
        Some(IdentitySchema {
            version: 0,
            attributes: vec![id],
        })
    }

    fn identity(&self, state: &Object) -> Option<Object> {
        Some(Object::new().with("id", state.string("id")))
    }
}

fn same_letters(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.eq_ignore_ascii_case(b),
        _ => false,
    }
}

fn number_parts(state: &mut Object) {
    let Attr::Known(parts) = state.objects("parts") else {
        return;
    };
    let parts: Vec<Value> = parts
        .into_iter()
        .enumerate()
        .map(|(index, part)| {
            let part = part.clone();
            if part.str("serial").is_unknown() {
                part.with("serial", format!("s{index}"))
            } else {
                part
            }
            .into()
        })
        .collect();
    state.set("parts", Value::List(parts));
}

struct Lookup;

impl DataSource<Configured> for Lookup {
    fn type_name(&self) -> &'static str {
        "echo_lookup"
    }

    fn schema(&self) -> Schema {
        Schema::new("Finds what it is asked for.")
            .attribute("name", string().required().description("What to find."))
            .attribute("limit", number().default(10).description("How many."))
            .attribute("found", string().computed().description("What was found."))
    }

    async fn read(&self, _: &Context<Configured>, config: Object) -> Found {
        let mut answer = Found::default();
        match config.string("name").known().as_deref() {
            Some("absent") | None => answer.diagnostics.error(
                &AttributePath::of("name"),
                "Not found",
                "There is no such thing. Create it first.",
            ),
            Some(name) => answer.state = Some(config.clone().with("found", format!("{name}!"))),
        }
        answer
    }
}

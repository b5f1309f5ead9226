//! Requests to a resource and its answers.
//!
//! Objects in requests are complete: every attribute of the schema is there. Objects in answers may
//! leave attributes out, which means null. Write-only values are taken out of every answer, private
//! state is echoed unless it is changed, and unknowns left over beside an error become null.

use super::diagnostics::Diagnostics;
use super::private::Private;
use super::schema::Schema;
use super::value::{AttributePath, Object, Value, json};

/// What a plan is going to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// There is no prior state. Also the second plan of a replacement, and of a tainted object.
    Create,
    /// There is a prior state; maybe nothing changes.
    Update,
    /// The object goes away. The hook may refuse or warn, and can change nothing.
    Destroy,
}

/// What a plan is made of.
#[derive(Debug, Clone)]
pub struct PlanRequest {
    /// The configuration; may have unknowns, and the values of write-only attributes. `None` in a destroy.
    pub config: Option<Object>,
    /// The state after refresh. `None` in a create.
    pub prior: Option<Object>,
    /// The private state that belongs to `prior`.
    pub private: Private,
}

impl PlanRequest {
    /// Create, update or destroy.
    pub const fn action(&self) -> Action {
        match (&self.prior, &self.config) {
            (_, None) => Action::Destroy,
            (None, Some(_)) => Action::Create,
            (Some(_), Some(_)) => Action::Update,
        }
    }
}

/// The plan in the making, after the rules of the schema. A resource's hook may change it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The planned state; `None` in a destroy. A configured value may not be changed here, except
    /// back to the prior value if that means the same.
    pub planned: Option<Object>,
    /// Goes to apply in place of the prior private state.
    pub private: Private,
    /// Paths whose change replaces the resource. Only paths whose value really changes may be added
    /// for write-only attributes; for others Terraform ignores those that do not change.
    pub requires_replace: Vec<AttributePath>,
    /// Findings. An error stops the plan.
    pub diagnostics: Diagnostics,
}

impl Plan {
    /// Sets a computed attribute of the planned state. Does nothing in a destroy.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        if let Some(planned) = &mut self.planned {
            planned.set(name, value);
        }
    }

    /// Plans a computed attribute as known after apply.
    pub fn set_unknown(&mut self, name: &str) {
        self.set(name, Value::unknown());
    }

    /// True if the planned state differs from `prior`.
    pub fn changes(&self, prior: Option<&Object>) -> bool {
        self.planned.as_ref() != prior
    }
}

/// Make the object.
#[derive(Debug, Clone)]
pub struct CreateRequest {
    /// The configuration, wholly known, with the values of write-only attributes.
    pub config: Object,
    /// The planned state; computed attributes may be unknown.
    pub planned: Object,
    /// The planned private state.
    pub private: Private,
}

/// Change the object.
#[derive(Debug, Clone)]
pub struct UpdateRequest {
    /// The configuration, wholly known, with the values of write-only attributes.
    pub config: Object,
    /// The state before.
    pub prior: Object,
    /// The planned state; computed attributes may be unknown.
    pub planned: Object,
    /// The planned private state.
    pub private: Private,
}

/// Take the object away.
#[derive(Debug, Clone)]
pub struct DeleteRequest {
    /// The state before.
    pub prior: Object,
    /// The planned private state.
    pub private: Private,
}

/// What create or update did. State *and* errors may both be there: whatever exists must be in the
/// state, or it is lost.
#[derive(Debug, Clone)]
pub struct Applied {
    /// What exists now; `None` after a failed create: nothing.
    pub state: Option<Object>,
    /// Stored beside the state.
    pub private: Private,
    /// Findings.
    pub diagnostics: Diagnostics,
}

impl CreateRequest {
    /// An answer without state that echoes the private state.
    pub fn begin(&self) -> Applied {
        Applied {
            state: None,
            private: self.private.clone(),
            diagnostics: Diagnostics::new(),
        }
    }
}

impl UpdateRequest {
    /// An answer that keeps the prior state and echoes the private state.
    pub fn begin(&self) -> Applied {
        Applied {
            state: Some(self.prior.clone()),
            private: self.private.clone(),
            diagnostics: Diagnostics::new(),
        }
    }
}

/// What delete did: without errors the object is gone, with errors it stays in the state.
#[derive(Debug, Clone)]
pub struct Deleted {
    /// What is left, if there are errors; `None` means the prior state.
    pub remaining: Option<Object>,
    /// Stored beside what is left.
    pub private: Private,
    /// Findings.
    pub diagnostics: Diagnostics,
}

impl DeleteRequest {
    /// An answer that says the object is gone.
    pub fn begin(&self) -> Deleted {
        Deleted {
            remaining: None,
            private: self.private.clone(),
            diagnostics: Diagnostics::new(),
        }
    }
}

/// Look at the object.
#[derive(Debug, Clone)]
pub struct ReadRequest {
    /// The state as stored, or what import made.
    pub state: Object,
    /// The private state.
    pub private: Private,
}

/// What was seen.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The state now; `None`: the object is gone.
    pub state: Option<Object>,
    /// Replaces the private state.
    pub private: Private,
    /// Findings.
    pub diagnostics: Diagnostics,
}

impl ReadRequest {
    /// An answer that repeats the stored state.
    pub fn begin(&self) -> Seen {
        Seen {
            state: Some(self.state.clone()),
            private: self.private.clone(),
            diagnostics: Diagnostics::new(),
        }
    }
}

/// Take over an object that exists.
#[derive(Debug, Clone)]
pub struct ImportRequest {
    /// The id as the user typed it; empty if `identity` is given.
    pub id: String,
    /// The identity, if the user gave that instead.
    pub identity: Option<Object>,
}

/// What import found. A read follows at once.
#[derive(Debug, Clone, Default)]
pub struct Imported {
    /// At least what read needs to find the object.
    pub state: Option<Object>,
    /// Goes to that read.
    pub private: Private,
    /// Findings.
    pub diagnostics: Diagnostics,
}

/// State that an older version of the provider stored.
#[derive(Debug, Clone, Copy)]
pub struct UpgradeRequest<'a> {
    /// The schema version that wrote it.
    pub version: i64,
    pub(crate) json: &'a [u8],
}

impl UpgradeRequest<'_> {
    /// Reads the stored state by the schema that wrote it (kept in a file of its own, never changed).
    ///
    /// # Errors
    /// The text does not fit `schema`.
    pub fn decode(&self, schema: &Schema) -> Result<Object, json::Error> {
        let mut object = match json::decode(self.json, &schema.ty())? {
            Value::Object(object) => object,
            _ => Object::new(),
        };
        super::schema::conform::fill_blocks(&schema.body, &mut object);
        Ok(object)
    }
}

/// What a data source found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The result, configured attributes included. `None` only beside an error.
    pub state: Option<Object>,
    /// Findings.
    pub diagnostics: Diagnostics,
}

/// What provider and client say at configuration.
#[derive(Debug, Clone)]
pub struct ConfigureRequest {
    /// The provider block; while planning it may hold unknowns.
    pub config: Object,
    /// The version of Terraform or `OpenTofu`.
    pub terraform_version: String,
}

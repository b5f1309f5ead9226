//! One attribute: its type, its marks, its rules.

use std::sync::Arc;

use super::block::Nesting;
use super::validators::Validator;
use crate::tfplugin::value::{ObjectType, Type, Value};

/// Tells whether two spellings mean the same.
pub(crate) type SameMeaning = Arc<dyn Fn(&Value, &Value) -> bool + Send + Sync>;

/// What an attribute holds.
#[derive(Clone)]
pub(crate) enum Kind {
    /// A value of a type.
    Plain(Type),
    /// Objects whose members have marks and rules of their own.
    Nested(Nesting, Arc<[(String, Attribute)]>),
}

/// What null in the configuration means.
#[derive(Clone)]
pub(crate) enum Default {
    /// Null, or whatever the provider computes.
    None,
    /// This value; members that it leaves out get their own defaults.
    Value(Value),
    /// An object of all members' defaults.
    Members,
}

/// An attribute, made by [`string`], [`number`], [`object`] and so on, and refined by its methods.
///
/// A fresh attribute has no mark; give it one of [`required`](Self::required),
/// [`optional`](Self::optional), [`computed`](Self::computed),
/// [`optional_computed`](Self::optional_computed), [`default`](Self::default).
#[derive(Clone)]
pub struct Attribute {
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    pub(crate) optional: bool,
    pub(crate) computed: bool,
    pub(crate) sensitive: bool,
    pub(crate) write_only: bool,
    pub(crate) deprecated: Option<String>,
    pub(crate) description: String,
    pub(crate) default: Default,
    pub(crate) validators: Vec<Validator>,
    pub(crate) null_elements: bool,
    pub(crate) keep_prior: bool,
    pub(crate) replace: bool,
    pub(crate) same: Option<SameMeaning>,
}

fn of(kind: Kind) -> Attribute {
    Attribute {
        kind,
        required: false,
        optional: false,
        computed: false,
        sensitive: false,
        write_only: false,
        deprecated: None,
        description: String::new(),
        default: Default::None,
        validators: Vec::new(),
        null_elements: false,
        keep_prior: false,
        replace: false,
        same: None,
    }
}

/// Text.
pub fn string() -> Attribute {
    of(Kind::Plain(Type::String))
}

/// A number.
pub fn number() -> Attribute {
    of(Kind::Plain(Type::Number))
}

/// True or false.
pub fn boolean() -> Attribute {
    of(Kind::Plain(Type::Bool))
}

/// A value of any type. Never use it inside collections or blocks.
pub fn any() -> Attribute {
    of(Kind::Plain(Type::Dynamic))
}

/// A list of a type.
pub fn list(element: Type) -> Attribute {
    of(Kind::Plain(Type::list(element)))
}

/// A set of a type.
pub fn set(element: Type) -> Attribute {
    of(Kind::Plain(Type::set(element)))
}

/// A map of a type.
pub fn map(element: Type) -> Attribute {
    of(Kind::Plain(Type::map(element)))
}

fn nested<N: Into<String>>(nesting: Nesting, members: impl IntoIterator<Item = (N, Attribute)>) -> Attribute {
    of(Kind::Nested(
        nesting,
        members
            .into_iter()
            .map(|(name, member)| (name.into(), member))
            .collect(),
    ))
}

/// One object with members that have marks of their own.
pub fn object<N: Into<String>>(members: impl IntoIterator<Item = (N, Attribute)>) -> Attribute {
    nested(Nesting::Single, members)
}

/// A list of such objects.
pub fn list_of_objects<N: Into<String>>(members: impl IntoIterator<Item = (N, Attribute)>) -> Attribute {
    nested(Nesting::List, members)
}

/// A set of such objects.
pub fn set_of_objects<N: Into<String>>(members: impl IntoIterator<Item = (N, Attribute)>) -> Attribute {
    nested(Nesting::Set, members)
}

/// A map of such objects.
pub fn map_of_objects<N: Into<String>>(members: impl IntoIterator<Item = (N, Attribute)>) -> Attribute {
    nested(Nesting::Map, members)
}

impl Attribute {
    /// The user must set it.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The user may set it; null stays null.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Only the provider sets it: known after apply whenever anything changes, unless
    /// [`keep_prior`](Self::keep_prior) says otherwise.
    #[must_use]
    pub const fn computed(mut self) -> Self {
        self.computed = true;
        self
    }

    /// The user may set it; else the provider chooses at creation and the choice is kept.
    #[must_use]
    pub const fn optional_computed(self) -> Self {
        self.optional().computed().keep_prior()
    }

    /// The user may set it; null always means `value`, also on update.
    #[must_use]
    pub fn default(mut self, value: impl Into<Value>) -> Self {
        self.default = Default::Value(value.into());
        self.optional().computed()
    }

    /// For [`object`]: the user may leave it out as a whole, which means all its members' defaults.
    #[must_use]
    pub fn default_members(mut self) -> Self {
        self.default = Default::Members;
        self.optional().computed()
    }

    /// A computed value that no change touches: planned as it was.
    #[must_use]
    pub const fn keep_prior(mut self) -> Self {
        self.keep_prior = true;
        self
    }

    /// A change of the value replaces the resource.
    #[must_use]
    pub const fn requires_replace(mut self) -> Self {
        self.replace = true;
        self
    }

    /// Two values that mean the same are no change: the prior spelling stays in the plan and state.
    /// Both values are known and not null when `same` is asked.
    #[must_use]
    pub fn equal_by(mut self, same: impl Fn(&Value, &Value) -> bool + Send + Sync + 'static) -> Self {
        self.same = Some(Arc::new(same));
        self
    }

    /// Not shown in plans and not in our messages. State still holds it.
    #[must_use]
    pub const fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// Only in the configuration, in no plan and no state. Implies optional.
    #[must_use]
    pub const fn write_only(mut self) -> Self {
        self.write_only = true;
        self.sensitive = true;
        self.optional()
    }

    /// Warns when it is set and says what to use instead.
    #[must_use]
    pub fn deprecated(mut self, instead: impl Into<String>) -> Self {
        self.deprecated = Some(instead.into());
        self
    }

    /// The user documentation (Markdown).
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = text.into();
        self
    }

    /// Adds a rule that known values must keep.
    #[must_use]
    pub fn validate(mut self, rule: Validator) -> Self {
        self.validators.push(rule);
        self
    }

    /// Lets a list, set or map have null elements, which are errors otherwise.
    #[must_use]
    pub const fn allow_null_elements(mut self) -> Self {
        self.null_elements = true;
        self
    }

    /// The type of its values.
    pub fn ty(&self) -> Type {
        match &self.kind {
            Kind::Plain(ty) => ty.clone(),
            Kind::Nested(nesting, members) => {
                let object =
                    ObjectType::new(members.iter().map(|(name, member)| (name.clone(), member.ty())));
                nesting.wrap(Type::Object(object))
            }
        }
    }

    /// The members of a nested attribute; empty for others.
    pub fn members(&self) -> impl Iterator<Item = (&str, &Self)> {
        let members: &[(String, Self)] = match &self.kind {
            Kind::Plain(_) => &[],
            Kind::Nested(_, members) => members,
        };
        members.iter().map(|(name, member)| (name.as_str(), member))
    }

    /// True if the user must set it.
    pub const fn is_required(&self) -> bool {
        self.required
    }

    /// True if the user may set it.
    pub const fn is_optional(&self) -> bool {
        self.optional
    }

    /// True if the provider may set it.
    pub const fn is_computed(&self) -> bool {
        self.computed
    }

    /// True if it is only in the configuration.
    pub const fn is_write_only(&self) -> bool {
        self.write_only
    }

    /// True if it must not be shown.
    pub const fn is_sensitive(&self) -> bool {
        self.sensitive
    }

    /// The value that null in the configuration means, members' defaults included, if there is one.
    pub fn default_value(&self) -> Option<Value> {
        match &self.default {
            Default::None => None,
            Default::Value(value) => Some(self.fill_members(value)),
            Default::Members => {
                Some(self.fill_members(&Value::Object(crate::tfplugin::value::Object::new())))
            }
        }
    }

    /// Gives an object the members' defaults where it is null, at every depth.
    fn fill_members(&self, value: &Value) -> Value {
        let Kind::Nested(nesting, members) = &self.kind else {
            return value.clone();
        };
        let fill = |value: &Value| match value {
            Value::Object(given) => members
                .iter()
                .map(|(name, member)| {
                    let value = match given.try_get(name) {
                        None | Some(Value::Null) => member.default_value().unwrap_or(Value::Null),
                        Some(value) => member.fill_members(value),
                    };
                    (name.clone(), value)
                })
                .collect::<crate::tfplugin::value::Object>()
                .into(),
            other => other.clone(),
        };
        match (nesting, value) {
            (Nesting::List, Value::List(items)) => Value::List(items.iter().map(fill).collect()),
            (Nesting::Set, Value::Set(items)) => Value::set(items.iter().map(fill)),
            (Nesting::Map, Value::Map(items)) => Value::Map(
                items
                    .iter()
                    .map(|(key, value)| (key.clone(), fill(value)))
                    .collect(),
            ),
            _ => fill(value),
        }
    }
}

//! Where in a value something is: attribute names, map keys, list positions.

use std::fmt;

/// One step from a value to a value inside it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The attribute (or block) of an object.
    Attribute(String),
    /// The element of a map.
    Key(String),
    /// The element of a list or tuple, counted from zero.
    Index(i64),
}

/// The way from a resource's object to one value inside it.
///
/// Elements of sets have no address in the protocol: a path stops at the set.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributePath(Vec<Step>);

impl AttributePath {
    /// The whole object.
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// A path of one step: the attribute `name` of the object.
    pub fn of(name: impl Into<String>) -> Self {
        Self(vec![Step::Attribute(name.into())])
    }

    /// This path and one step more, to the attribute `name`.
    #[must_use]
    pub fn attribute(&self, name: impl Into<String>) -> Self {
        self.join(Step::Attribute(name.into()))
    }

    /// This path and one step more, to the map element `key`.
    #[must_use]
    pub fn key(&self, key: impl Into<String>) -> Self {
        self.join(Step::Key(key.into()))
    }

    /// This path and one step more, to the list element at `index`.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.join(Step::Index(i64::try_from(index).unwrap_or(i64::MAX)))
    }

    /// This path and `step`.
    #[must_use]
    pub fn join(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// The steps, outermost first.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// True for the path of the whole object.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<Step>> for AttributePath {
    fn from(steps: Vec<Step>) -> Self {
        Self(steps)
    }
}

/// As one writes it in the configuration: `listener.ports[0]`, `tags["a"]`.
impl fmt::Display for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Attribute(name) if position == 0 => f.write_str(name)?,
                Step::Attribute(name) => write!(f, ".{name}")?,
                Step::Key(key) => write!(f, "[{key:?}]")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::AttributePath;

    #[test]
    fn a_path_reads_as_in_the_configuration() {
        let path = AttributePath::of("a").attribute("b").index(3).key("x\"y");
        assert_eq!(path.to_string(), "a.b[3][\"x\\\"y\"]");
        assert_eq!(AttributePath::root().to_string(), "");
    }
}

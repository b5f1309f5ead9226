//! Registry pages from schemas: what the user reads is what the code does. Pure.

use std::fmt::Write as _;

use super::schema::{Attribute, Block, Nesting, Schema};
use super::value::{Type, Value};

/// What a page is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A managed resource.
    Resource,
    /// A data source.
    DataSource,
    /// The provider block.
    Provider,
}

/// Everything that a page is made of.
#[derive(Clone, Copy)]
pub struct Page<'a> {
    /// What it is about.
    pub kind: Kind,
    /// The full type name, `msk_topic`; for the provider its name, `msk`.
    pub name: &'a str,
    /// The schema.
    pub schema: &'a Schema,
    /// The text of the example (`examples/resources/TYPE/resource.tf`), if there is one.
    pub example: Option<&'a str>,
    /// The text of the import section, if the resource can be imported: the `import` block and command.
    pub import: Option<&'a str>,
    /// More sections in Markdown, put between description and example.
    pub notes: Option<&'a str>,
}

/// Renders a page as the registry shows it, with one sentence per line where the schema has it so.
pub fn page(page: &Page<'_>) -> String {
    let mut out = String::new();
    let what = match page.kind {
        Kind::Resource => "Resource",
        Kind::DataSource => "Data Source",
        Kind::Provider => "Provider",
    };
    let first = page.schema.description.lines().next().unwrap_or_default();
    let _ = write!(
        out,
        "---\npage_title: \"{name} {what}\"\nsubcategory: \"\"\ndescription: |-\n  {first}\n---\n\n# {name} ({what})\n\n{}\n",
        page.schema.description,
        name = page.name,
    );
    if let Some(instead) = &page.schema.deprecated {
        let _ = write!(out, "\n~> **Deprecated:** {instead}\n");
    }
    if let Some(notes) = page.notes {
        let _ = write!(out, "\n{}\n", notes.trim_end());
    }
    if let Some(example) = page.example {
        let _ = write!(
            out,
            "\n## Example Usage\n\n```terraform\n{}\n```\n",
            example.trim_end()
        );
    }
    out.push_str("\n## Schema\n");
    let body = Members {
        attributes: page.schema.attributes().collect(),
        blocks: page.schema.blocks().collect(),
        path: String::new(),
    };
    body.render(page.kind, 3, &mut out);
    if let Some(import) = page.import {
        let _ = write!(out, "\n## Import\n\n{}\n", import.trim_end());
    }
    out
}

/// A heading, and which attributes stand under it.
type Group = (&'static str, fn(&Attribute) -> bool);

/// Attributes and blocks of one level, and where that level is.
struct Members<'a> {
    attributes: Vec<(&'a str, &'a Attribute)>,
    blocks: Vec<(&'a str, &'a Block)>,
    path: String,
}

impl<'a> Members<'a> {
    fn render(&self, kind: Kind, level: usize, out: &mut String) {
        let heading = "#".repeat(level);
        let groups: [Group; 3] = [
            ("Required", Attribute::is_required),
            ("Optional", |attribute| attribute.is_optional()),
            ("Read-Only", |attribute| {
                !attribute.is_required() && !attribute.is_optional()
            }),
        ];
        for (title, belongs) in groups {
            let attributes: Vec<_> = self.attributes.iter().filter(|(_, a)| belongs(a)).collect();
            let required = |block: &Block| block.min_items > 0;
            let blocks: Vec<_> = match title {
                "Required" => self.blocks.iter().filter(|(_, block)| required(block)).collect(),
                "Optional" => self.blocks.iter().filter(|(_, block)| !required(block)).collect(),
                _ => Vec::new(),
            };
            if attributes.is_empty() && blocks.is_empty() {
                continue;
            }
            let _ = write!(out, "\n{heading} {title}\n\n");
            for (name, attribute) in attributes {
                self.line(name, attribute, kind, out);
            }
            for (name, block) in blocks {
                let anchor = self.anchor(name);
                let ty = nesting_words("Block", block.nesting);
                let _ = writeln!(
                    out,
                    "- `{name}` ({ty}) {} (see [below for nested schema](#{anchor}))",
                    joined(&block.description)
                );
            }
        }
        for inner in self.nested() {
            let anchor = inner.anchor_of_path();
            let name = &inner.path;
            let _ = write!(out, "\n<a id=\"{anchor}\"></a>\n### Nested Schema for `{name}`\n");
            inner.render(kind, 4, out);
        }
    }

    fn line(&self, name: &str, attribute: &Attribute, kind: Kind, out: &mut String) {
        let mut marks = vec![type_words(attribute)];
        marks.extend(attribute.sensitive.then(|| "Sensitive".to_owned()));
        marks.extend(attribute.write_only.then(|| "Write-only".to_owned()));
        marks.extend(attribute.deprecated.is_some().then(|| "Deprecated".to_owned()));
        let mut text = joined(&attribute.description);
        let mut add = |sentence: String| {
            text.push(' ');
            text.push_str(&sentence);
        };
        if let Some(default) = attribute.default_value() {
            add(format!("Default: {}.", default_words(&default)));
        }
        if attribute.replace && kind == Kind::Resource {
            add("A change replaces the resource.".to_owned());
        }
        if let Some(instead) = &attribute.deprecated {
            add(format!("Deprecated: {instead}"));
        }
        if attribute.members().next().is_some() {
            add(format!("(see [below for nested schema](#{}))", self.anchor(name)));
        }
        let _ = writeln!(out, "- `{name}` ({}) {}", marks.join(", "), text.trim());
    }

    fn nested(&self) -> Vec<Members<'a>> {
        let attributes = self.attributes.iter().filter_map(|(name, attribute)| {
            let attributes: Vec<_> = attribute.members().collect();
            (!attributes.is_empty()).then(|| Members {
                attributes,
                blocks: Vec::new(),
                path: self.join(name),
            })
        });
        let blocks = self.blocks.iter().map(|(name, block)| Members {
            attributes: block.attributes().collect(),
            blocks: block
                .body
                .blocks
                .iter()
                .map(|(name, block)| (name.as_str(), block))
                .collect(),
            path: self.join(name),
        });
        attributes.chain(blocks).collect()
    }

    fn join(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    fn anchor(&self, name: &str) -> String {
        anchor(&self.join(name))
    }

    fn anchor_of_path(&self) -> String {
        anchor(&self.path)
    }
}

fn anchor(path: &str) -> String {
    format!("nestedatt--{}", path.replace('.', "--"))
}

/// A list item is one line, whatever the lines of the description.
fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn nesting_words(what: &str, nesting: Nesting) -> String {
    match nesting {
        Nesting::Single => what.to_owned(),
        Nesting::List => format!("{what} List"),
        Nesting::Set => format!("{what} Set"),
        Nesting::Map => format!("{what} Map"),
    }
}

fn type_words(attribute: &Attribute) -> String {
    match &attribute.kind {
        super::schema::Kind::Nested(nesting, _) => nesting_words("Attributes", *nesting),
        super::schema::Kind::Plain(ty) => plain_words(ty),
    }
}

fn plain_words(ty: &Type) -> String {
    match ty {
        Type::Bool => "Boolean".to_owned(),
        Type::Number => "Number".to_owned(),
        Type::String => "String".to_owned(),
        Type::Dynamic => "Dynamic".to_owned(),
        Type::List(inner) => format!("List of {}", plain_words(inner)),
        Type::Set(inner) => format!("Set of {}", plain_words(inner)),
        Type::Map(inner) => format!("Map of {}", plain_words(inner)),
        Type::Object(_) => "Object".to_owned(),
        Type::Tuple(_) => "Tuple".to_owned(),
    }
}

/// A default as one writes it in the configuration.
fn default_words(value: &Value) -> String {
    format!("`{}`", in_configuration(value))
}

fn in_configuration(value: &Value) -> String {
    let list = |items: &[Value]| items.iter().map(in_configuration).collect::<Vec<_>>().join(", ");
    match value {
        Value::Null => "null".to_owned(),
        Value::Unknown(_) => "(known after apply)".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("{text:?}"),
        Value::List(items) | Value::Set(items) | Value::Tuple(items) => format!("[{}]", list(items)),
        Value::Map(items) => {
            let items: Vec<_> = items
                .iter()
                .map(|(k, v)| format!("{k:?} = {}", in_configuration(v)))
                .collect();
            format!("{{ {} }}", items.join(", "))
        }
        Value::Object(object) => {
            let members = object.iter().filter(|(_, value)| !value.is_null());
            let members: Vec<_> = members
                .map(|(k, v)| format!("{k} = {}", in_configuration(v)))
                .collect();
            format!("{{ {} }}", members.join(", "))
        }
        Value::Dynamic(dynamic) => in_configuration(&dynamic.value),
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema::{Schema, boolean, map, number, object, set, string, timeouts};
    use super::super::value::Type;
    use super::{Kind, Page, page};

    #[test]
    fn a_page_has_all_that_the_registry_shows() {
        let schema = Schema::new("A note.\n\nIt is short.")
            .attribute(
                "title",
                string()
                    .required()
                    .requires_replace()
                    .description("The title.\nOne line."),
            )
            .attribute("size", number().default(3).description("Its size."))
            .attribute("tags", set(Type::String).optional().description("Tags."))
            .attribute(
                "mode",
                object([
                    ("kind", string().default("TLS").description("Kind.")),
                    (
                        "inner",
                        object([("on", boolean().optional().description("On."))])
                            .optional()
                            .description("In."),
                    ),
                ])
                .default_members()
                .description("Mode."),
            )
            .attribute("password_wo", string().write_only().description("Secret."))
            .attribute("labels", map(Type::Number).computed().description("Labels."))
            .block("timeouts", timeouts(["create"]));
        let text = page(&Page {
            kind: Kind::Resource,
            name: "shelf_note",
            schema: &schema,
            example: Some("resource \"shelf_note\" \"a\" {}\n"),
            import: Some("```shell\nterraform import shelf_note.a id\n```\n"),
            notes: None,
        });
        insta::assert_snapshot!(text, @r#"
        ---
        page_title: "shelf_note Resource"
        subcategory: ""
        description: |-
          A note.
        ---

        # shelf_note (Resource)

        A note.

        It is short.

        ## Example Usage

        ```terraform
        resource "shelf_note" "a" {}
        ```

        ## Schema

        ### Required

        - `title` (String) The title. One line. A change replaces the resource.

        ### Optional

        - `size` (Number) Its size. Default: `3`.
        - `tags` (Set of String) Tags.
        - `mode` (Attributes) Mode. Default: `{ kind = "TLS" }`. (see [below for nested schema](#nestedatt--mode))
        - `password_wo` (String, Sensitive, Write-only) Secret.
        - `timeouts` (Block) How long to wait for operations. (see [below for nested schema](#nestedatt--timeouts))

        ### Read-Only

        - `labels` (Map of Number) Labels.

        <a id="nestedatt--mode"></a>
        ### Nested Schema for `mode`

        #### Optional

        - `kind` (String) Kind. Default: `"TLS"`.
        - `inner` (Attributes) In. (see [below for nested schema](#nestedatt--mode--inner))

        <a id="nestedatt--mode--inner"></a>
        ### Nested Schema for `mode.inner`

        #### Optional

        - `on` (Boolean) On.

        <a id="nestedatt--timeouts"></a>
        ### Nested Schema for `timeouts`

        #### Optional

        - `create` (String) How long to wait for create (`30s`, `45m`, `1h30m`).

        ## Import

        ```shell
        terraform import shelf_note.a id
        ```
        "#);
    }
}

//! The registry pages are generated from the schemas; the committed ones must be the same.
//!
//! `UPDATE_DOCS=1 cargo test --test it docs_are_fresh` (which `scripts/generate` runs) writes them anew.

use std::fs;
use std::path::{Path, PathBuf};

use msk::resource::Msk;
use msk::resource::standing;
use msk::tfplugin::docs::{Kind, Page, page};
use msk::tfplugin::{Provider as _, Registry};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// What an id looks like, by type.
const IMPORT_IDS: [(&str, &str); 5] = [
    ("msk_cluster", "events"),
    ("msk_configuration", "events"),
    ("msk_topic", "events/orders"),
    ("msk_acl", "events|User:app|*|TOPIC|LITERAL|orders|ALLOW"),
    ("msk_scram_secret", "events/app"),
];

fn import_text(name: &str) -> String {
    let id = IMPORT_IDS
        .iter()
        .find(|(of, _)| *of == name)
        .map_or("", |(_, id)| id);
    assert!(
        !id.is_empty(),
        "say in IMPORT_IDS what an id of {name} looks like"
    );
    format!(
        "```terraform\nimport {{\n  to = {name}.example\n  id = \"{id}\"\n}}\n```\n\n\
         ```shell\nterraform import {name}.example '{id}'\n```\n\n\
         The control store keeps the configuration that was last applied, as it was written, so a plan after the \
         import is empty if the configuration says the same."
    )
}

fn pages() -> Vec<(PathBuf, String)> {
    let registry = Registry::of(&Msk);
    let mut pages = Vec::new();
    let schema = Msk.schema();
    let example = read(&root().join("examples/provider/provider.tf"));
    let notes = standing::tables("provider");
    let about = Page {
        kind: Kind::Provider,
        name: "msk",
        schema: &schema,
        example: example.as_deref(),
        import: None,
        notes: notes.as_deref(),
    };
    pages.push((root().join("docs/index.md"), page(&about)));
    for (name, schema) in registry.resource_schemas() {
        let short = name.strip_prefix("msk_").unwrap();
        let example = read(&root().join(format!("examples/resources/{name}/resource.tf")));
        let import = import_text(name);
        let notes =
            standing::tables(name).unwrap_or_else(|| panic!("{name} has no row in resource::standing"));
        let about = Page {
            kind: Kind::Resource,
            name,
            schema: &schema,
            example: example.as_deref(),
            import: Some(&import),
            notes: Some(&notes),
        };
        pages.push((root().join(format!("docs/resources/{short}.md")), page(&about)));
    }
    for (name, schema) in registry.data_source_schemas() {
        let short = name.strip_prefix("msk_").unwrap();
        let example = read(&root().join(format!("examples/data-sources/{name}/data-source.tf")));
        let about = Page {
            kind: Kind::DataSource,
            name,
            schema: &schema,
            example: example.as_deref(),
            import: None,
            notes: None,
        };
        pages.push((root().join(format!("docs/data-sources/{short}.md")), page(&about)));
    }
    pages
}

#[test]
fn the_committed_registry_pages_are_fresh() {
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    let mut stale = Vec::new();
    for (path, text) in pages() {
        if update {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &text).unwrap();
        }
        if read(&path).as_deref() != Some(&text) {
            stale.push(path);
        }
    }
    assert!(stale.is_empty(), "stale, run scripts/generate: {stale:?}");
}

#[test]
fn every_attribute_is_described() {
    let registry = Registry::of(&Msk);
    let all = registry
        .resource_schemas()
        .into_iter()
        .chain(registry.data_source_schemas());
    for (name, schema) in all {
        let text = page(&Page {
            kind: Kind::Resource,
            name,
            schema: &schema,
            example: None,
            import: None,
            notes: None,
        });
        for (attribute, _) in schema.attributes() {
            assert!(
                text.contains(&format!("`{attribute}`")),
                "{name}.{attribute} is not on the page"
            );
        }
    }
}

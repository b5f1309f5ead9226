mod account;

/// Claims for documents in tests.
pub(crate) mod claims;

/// A world for tests: specs, documents and statuses of small clusters, and what steps do to them.
pub(crate) mod world;

/// What a step does to a world.
mod model;

/// What holds for every plan.
mod laws;

/// Whole files of properties.
mod golden;

/// Scripts of commands and what they print.
mod scripts;

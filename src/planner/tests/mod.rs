/// Claims for documents in tests.
pub(crate) mod claims;
/// A world for tests: specs, documents and statuses of small clusters, and what steps do to them.
pub(crate) mod world;

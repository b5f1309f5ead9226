//! What the user wants, fully checked. Pure: no I/O, no clock, no randomness, no environment.

/// Newtypes for the names and numbers of the domain.
pub mod ids;

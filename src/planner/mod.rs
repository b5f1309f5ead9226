//! From (wanted, seen) to steps, with the reasons. Pure: no I/O, no clock, no randomness.

/// The steps that a plan is made of.
pub mod step;

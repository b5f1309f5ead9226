//! The rules of planning, one table per rule.

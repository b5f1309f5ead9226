//! The versioned documents in the control store.

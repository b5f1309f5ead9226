//! What was seen: known, absent or uncertain, with its time.

//! Certificate authorities and leaf certificates of a cluster.

//! How many calls run, so that a clean stop can wait for them.

use std::sync::Arc;

use tokio::sync::watch;

/// A counter that can be waited on.
#[derive(Clone)]
pub(crate) struct Calls(Arc<watch::Sender<usize>>);

/// One running call; counted until it is dropped.
pub(crate) struct Running(Calls);

impl Default for Calls {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Calls {
    /// Counts one more.
    pub(crate) fn begin(&self) -> Running {
        self.0.send_modify(|count| *count += 1);
        Running(self.clone())
    }

    /// Waits until `wanted` holds for the count.
    pub(crate) async fn until(&self, wanted: impl FnMut(&usize) -> bool) {
        // The sender lives in `self`, so the wait cannot fail.
        let _ = self.0.subscribe().wait_for(wanted).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

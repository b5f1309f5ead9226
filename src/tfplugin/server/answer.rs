//! From a handler to an answer: diagnostics go into their field, a panic becomes one of them.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use tonic::{Response, Status};

use super::{REPORT, Server};
use crate::tfplugin::diagnostics::Diagnostics;
use crate::tfplugin::resource::Provider;
use crate::tfplugin::wire::{convert, tfplugin6 as proto};

/// An answer that can carry diagnostics.
pub(super) trait Answer: Default {
    /// The field of the diagnostics.
    fn diagnostics(&mut self) -> &mut Vec<proto::Diagnostic>;
}

macro_rules! answers {
    ($($module:ident),* $(,)?) => {$(
        impl Answer for proto::$module::Response {
            fn diagnostics(&mut self) -> &mut Vec<proto::Diagnostic> {
                &mut self.diagnostics
            }
        }
    )*};
}

answers!(
    apply_resource_change,
    close_ephemeral_resource,
    configure_provider,
    get_functions,
    get_metadata,
    get_provider_schema,
    get_resource_identity_schemas,
    import_resource_state,
    move_resource_state,
    open_ephemeral_resource,
    plan_resource_change,
    read_data_source,
    read_resource,
    renew_ephemeral_resource,
    upgrade_resource_identity,
    upgrade_resource_state,
    validate_data_resource_config,
    validate_ephemeral_resource_config,
    validate_provider_config,
    validate_resource_config,
);

impl<P: Provider> Server<P> {
    /// Runs a handler. Whatever goes wrong in it is a diagnostic, never a status: only so can
    /// partial state be saved, and only so does the user see what happened.
    pub(super) async fn answer<R: Answer>(
        &self,
        rpc: &'static str,
        handler: impl Future<Output = (R, Diagnostics)> + Send,
    ) -> Result<Response<R>, Status> {
        let _running = self.calls.begin();
        tracing::trace!(rpc, "called");
        let (mut answer, found) = match caught(handler).await {
            Ok(done) => done,
            Err(panic) => {
                let mut found = Diagnostics::new();
                let detail = format!("{rpc} stopped at an internal error: {panic}. {REPORT}");
                found.general_error("Internal error of the provider", detail);
                (R::default(), found)
            }
        };
        tracing::trace!(rpc, errors = found.has_errors(), "answered");
        answer.diagnostics().extend(convert::diagnostics(found));
        Ok(Response::new(answer))
    }
}

/// Runs a future to its end or its panic.
async fn caught<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = pin!(future);
    poll_fn(|context| {
        // After a panic the future is dropped and never polled again.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(done)) => Poll::Ready(Ok(done)),
            Err(panic) => Poll::Ready(Err(text_of(&*panic))),
        }
    })
    .await
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

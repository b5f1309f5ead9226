//! Counts the calls that change something in the account as effects, so that tests can cut a run before and after each
//! of them (`engine::effects`). The control store's own calls are counted by what they write.

use aws_sdk_ec2::config::interceptors::{
    BeforeSerializationInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_sdk_ec2::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ec2::error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::Metadata;

use crate::engine::effects;

/// Calls that leave nothing behind begin with one of these.
const READS: [&str; 5] = ["Describe", "Get", "List", "Head", "BatchGet"];

/// The interceptor of every client but that of S3.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counted;

/// The number of the effect that a call is.
#[derive(Debug)]
struct Number(u64);

impl aws_smithy_types::config_bag::Storable for Number {
    type Storer = aws_smithy_types::config_bag::StoreReplace<Self>;
}

impl Intercept for Counted {
    fn name(&self) -> &'static str {
        "CountedEffects"
    }

    // Any earlier the configuration bag does not tell the operation.
    fn read_before_serialization(
        &self,
        _context: &BeforeSerializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(operation) = config.load::<Metadata>().map(|about| about.name().to_owned()) else {
            return Ok(());
        };
        if !READS.iter().any(|read| operation.starts_with(read)) {
            let number = effects::begin(&operation);
            config.interceptor_state().store_put(Number(number));
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(Number(number)) = config.load::<Number>() {
            match context.output_or_error() {
                Some(Ok(_)) => effects::end(*number),
                Some(Err(_)) | None => effects::refused(),
            }
        }
        Ok(())
    }
}

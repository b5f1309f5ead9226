//! The two calls of EC2 that a node makes: what its volume is, and give it to me.
//!
//! *Never*: a detach, by force or without. A volume that another instance holds is waited for.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};

use super::rules::Facts;
use crate::aws::{CallError, Kind, Service};

/// A volume with this tag was formatted once, whatever the store says.
const INITIALIZED_TAG: &str = "tfmsk-initialized";

/// Nitro instances ignore the name; it must be one that no other disk has.
const DEVICE: &str = "/dev/sdf";

fn ec2<E>(action: &'static str) -> impl Fn(SdkError<E, HttpResponse>) -> CallError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    move |error| CallError::new(Service::Ec2, action, &error)
}

/// What EC2 says of the volume; `None` if there is none.
pub(super) async fn look(client: &Client, id: &str, instance_id: &str) -> Result<Option<Facts>, CallError> {
    let asked = client.describe_volumes().volume_ids(id).send().await;
    let answer = match asked.map_err(ec2("DescribeVolumes")) {
        Ok(answer) => answer,
        Err(error) if error.kind() == Kind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(volume) = answer.volumes().first() else {
        return Ok(None);
    };
    let attachments = volume.attachments();
    let own = attachments
        .iter()
        .find(|attachment| attachment.instance_id() == Some(instance_id));
    let other = attachments
        .iter()
        .filter(|attachment| attachment.instance_id() != Some(instance_id))
        .find_map(|attachment| attachment.instance_id());
    let has_state = |state: &str| {
        own.and_then(|own| own.state())
            .is_some_and(|is| is.as_str() == state)
    };
    Ok(Some(Facts {
        state: volume
            .state()
            .map_or_else(String::new, |state| state.as_str().to_owned()),
        holder: other.map(str::to_owned),
        is_ours: has_state("attached"),
        is_coming: own.is_some() && !has_state("attached"),
        goes_with_the_instance: own.is_some_and(|own| own.delete_on_termination() == Some(true)),
        has_snapshot: volume.snapshot_id().is_some_and(|id| !id.is_empty()),
        was_initialized: volume.tags().iter().any(|tag| tag.key() == Some(INITIALIZED_TAG)),
    }))
}

/// Asks for the volume.
pub(super) async fn attach(client: &Client, id: &str, instance_id: &str) -> Result<(), CallError> {
    let asked = client
        .attach_volume()
        .volume_id(id)
        .instance_id(instance_id)
        .device(DEVICE)
        .send()
        .await;
    asked.map(|_| ()).map_err(ec2("AttachVolume"))
}

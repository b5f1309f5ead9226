//! Makes the class-data archive for the next start, when Kafka has run quietly for a while.
//!
//! Only to be quicker next time: whatever goes wrong is a line in the agent's log, and it is not tried
//! again before the agent's next start. Agents that do this at once are parted by a lock.

use std::convert::Infallible;
use std::time::Duration;

use super::context::{Context, KafkaState};
use crate::kafka::java::Java;
use crate::kafka::{class_data, distribution};

/// Long enough for a cluster to be made, and for its first work, before anything competes with it.
const QUIET: Duration = Duration::from_secs(45);

/// Makes the archive once; then waits for nothing, for ever.
pub(crate) async fn run(context: &Context) -> Infallible {
    if let Some(text) = make(context).await {
        tracing::info!("class-data archive: {text}");
    }
    std::future::pending().await
}

/// Says what came of it, if there was anything to do.
async fn make(context: &Context) -> Option<String> {
    let folder = context.home.cds_directory.as_ref()?;
    let mut kafka = context.kafka.subscribe();
    loop {
        kafka
            .wait_for(|state| matches!(state, KafkaState::Ready(_)))
            .await
            .ok()?;
        let down = kafka.wait_for(|state| matches!(state, KafkaState::Down));
        if tokio::time::timeout(QUIET, down).await.is_err() {
            break;
        }
    }
    let version = context.desired()?.cluster.kafka_version;
    let distribution = distribution::find(version, &context.home.kafka_directory).ok()??;
    let java = Java {
        program: context.home.java.clone(),
        release: context.home.java_version,
        build: String::new(),
    };
    Some(match class_data::ensure(folder, &distribution, &java).await {
        Ok(done) => format!("{done:?}"),
        Err(error) => format!("not made: {error}"),
    })
}

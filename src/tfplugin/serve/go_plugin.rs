//! go-plugin's services beside Terraform's own: ending the process, and two streams that Terraform
//! opens at once and never uses. Open streams also keep its connection from going idle.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_stream::{StreamExt as _, pending};
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, Streaming, async_trait};

use crate::tfplugin::wire::plugin::grpc_broker_server::GrpcBroker;
use crate::tfplugin::wire::plugin::grpc_controller_server::GrpcController;
use crate::tfplugin::wire::plugin::grpc_stdio_server::GrpcStdio;
use crate::tfplugin::wire::plugin::{ConnInfo, Empty, StdioData};

/// Ends the process when the host says so.
pub(crate) struct Controller(pub(crate) Arc<Notify>);

#[async_trait]
impl GrpcController for Controller {
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.0.notify_one();
        Ok(Response::new(Empty {}))
    }
}

/// Has nothing to print.
pub(crate) struct Stdio;

#[async_trait]
impl GrpcStdio for Stdio {
    async fn stream_stdio(&self, _: Request<()>) -> Result<Response<BoxStream<StdioData>>, Status> {
        Ok(Response::new(Box::pin(pending())))
    }
}

/// Opens no further connections.
pub(crate) struct Broker;

#[async_trait]
impl GrpcBroker for Broker {
    async fn start_stream(
        &self,
        request: Request<Streaming<ConnInfo>>,
    ) -> Result<Response<BoxStream<ConnInfo>>, Status> {
        // Read to its end, so that the stream ends when the host ends it.
        let silent = request.into_inner().filter_map(|_| None);
        Ok(Response::new(Box::pin(silent)))
    }
}

//! Terraform's RPCs, each passed on in a line. What is not here answers UNIMPLEMENTED, which is the
//! protocol's way of saying that list resources, actions, state stores and generated configuration
//! are not offered.

use std::future::ready;
use std::sync::Arc;

use tonic::{Request, Response, Status, async_trait};

use super::{Server, proto};
use crate::tfplugin::resource::Provider;

use proto::{
    apply_resource_change as apply, call_function, close_ephemeral_resource as close_ephemeral,
    configure_provider as configure, get_functions, get_metadata, get_provider_schema,
    get_resource_identity_schemas as identities, import_resource_state as import,
    move_resource_state as moving, open_ephemeral_resource as open_ephemeral, plan_resource_change as plan,
    read_data_source, read_resource, renew_ephemeral_resource as renew_ephemeral, stop_provider,
    upgrade_resource_identity, upgrade_resource_state, validate_data_resource_config,
    validate_ephemeral_resource_config as validate_ephemeral, validate_provider_config,
    validate_resource_config,
};

type Answer<T> = Result<Response<T>, Status>;

/// The gRPC face of a [`Server`].
pub(crate) struct Rpc<P: Provider>(pub(crate) Arc<Server<P>>);

#[async_trait]
impl<P: Provider> proto::provider_server::Provider for Rpc<P> {
    async fn get_metadata(&self, _: Request<get_metadata::Request>) -> Answer<get_metadata::Response> {
        self.0.answer("GetMetadata", async { self.0.metadata() }).await
    }

    async fn get_provider_schema(
        &self,
        _: Request<get_provider_schema::Request>,
    ) -> Answer<get_provider_schema::Response> {
        self.0
            .answer("GetProviderSchema", async { self.0.schemas() })
            .await
    }

    async fn get_resource_identity_schemas(
        &self,
        _: Request<identities::Request>,
    ) -> Answer<identities::Response> {
        self.0
            .answer("GetResourceIdentitySchemas", async { self.0.identities() })
            .await
    }

    async fn validate_provider_config(
        &self,
        request: Request<validate_provider_config::Request>,
    ) -> Answer<validate_provider_config::Response> {
        let request = request.into_inner();
        self.0
            .answer("ValidateProviderConfig", async {
                self.0.validate_provider(&request)
            })
            .await
    }

    async fn validate_resource_config(
        &self,
        request: Request<validate_resource_config::Request>,
    ) -> Answer<validate_resource_config::Response> {
        let request = request.into_inner();
        self.0
            .answer("ValidateResourceConfig", async {
                self.0.validate_resource(&request)
            })
            .await
    }

    async fn validate_data_resource_config(
        &self,
        request: Request<validate_data_resource_config::Request>,
    ) -> Answer<validate_data_resource_config::Response> {
        let request = request.into_inner();
        self.0
            .answer("ValidateDataResourceConfig", async {
                self.0.validate_data(&request)
            })
            .await
    }

    async fn upgrade_resource_state(
        &self,
        request: Request<upgrade_resource_state::Request>,
    ) -> Answer<upgrade_resource_state::Response> {
        let request = request.into_inner();
        self.0
            .answer("UpgradeResourceState", async { self.0.upgrade(&request) })
            .await
    }

    async fn upgrade_resource_identity(
        &self,
        request: Request<upgrade_resource_identity::Request>,
    ) -> Answer<upgrade_resource_identity::Response> {
        let request = request.into_inner();
        self.0
            .answer("UpgradeResourceIdentity", async {
                self.0.upgrade_identity(&request)
            })
            .await
    }

    async fn configure_provider(&self, request: Request<configure::Request>) -> Answer<configure::Response> {
        self.0
            .answer("ConfigureProvider", self.0.configure(request.into_inner()))
            .await
    }

    async fn read_resource(
        &self,
        request: Request<read_resource::Request>,
    ) -> Answer<read_resource::Response> {
        self.0
            .answer("ReadResource", self.0.read(request.into_inner()))
            .await
    }

    async fn plan_resource_change(&self, request: Request<plan::Request>) -> Answer<plan::Response> {
        self.0
            .answer("PlanResourceChange", self.0.plan(request.into_inner()))
            .await
    }

    async fn apply_resource_change(&self, request: Request<apply::Request>) -> Answer<apply::Response> {
        self.0
            .answer("ApplyResourceChange", self.0.apply(request.into_inner()))
            .await
    }

    async fn import_resource_state(&self, request: Request<import::Request>) -> Answer<import::Response> {
        self.0
            .answer("ImportResourceState", self.0.import(request.into_inner()))
            .await
    }

    async fn move_resource_state(&self, request: Request<moving::Request>) -> Answer<moving::Response> {
        let request = request.into_inner();
        self.0
            .answer("MoveResourceState", async { self.0.refuse_move(&request) })
            .await
    }

    async fn read_data_source(
        &self,
        request: Request<read_data_source::Request>,
    ) -> Answer<read_data_source::Response> {
        self.0
            .answer("ReadDataSource", self.0.read_data(request.into_inner()))
            .await
    }

    async fn validate_ephemeral_resource_config(
        &self,
        request: Request<validate_ephemeral::Request>,
    ) -> Answer<validate_ephemeral::Response> {
        let found = Server::<P>::no_ephemeral(&request.get_ref().type_name);
        self.0
            .answer("ValidateEphemeralResourceConfig", ready(found))
            .await
    }

    async fn open_ephemeral_resource(
        &self,
        request: Request<open_ephemeral::Request>,
    ) -> Answer<open_ephemeral::Response> {
        let found = Server::<P>::no_ephemeral(&request.get_ref().type_name);
        self.0.answer("OpenEphemeralResource", ready(found)).await
    }

    async fn renew_ephemeral_resource(
        &self,
        request: Request<renew_ephemeral::Request>,
    ) -> Answer<renew_ephemeral::Response> {
        let found = Server::<P>::no_ephemeral(&request.get_ref().type_name);
        self.0.answer("RenewEphemeralResource", ready(found)).await
    }

    async fn close_ephemeral_resource(
        &self,
        request: Request<close_ephemeral::Request>,
    ) -> Answer<close_ephemeral::Response> {
        let found = Server::<P>::no_ephemeral(&request.get_ref().type_name);
        self.0.answer("CloseEphemeralResource", ready(found)).await
    }

    async fn get_functions(&self, _: Request<get_functions::Request>) -> Answer<get_functions::Response> {
        Ok(Response::new(get_functions::Response::default()))
    }

    async fn call_function(
        &self,
        request: Request<call_function::Request>,
    ) -> Answer<call_function::Response> {
        let name: String = request.get_ref().name.chars().take(100).collect();
        let error = proto::FunctionError {
            text: format!("this provider has no function `{name}`"),
            function_argument: None,
        };
        Ok(Response::new(call_function::Response {
            result: None,
            error: Some(error),
        }))
    }

    async fn stop_provider(&self, _: Request<stop_provider::Request>) -> Answer<stop_provider::Response> {
        self.0.stop();
        Ok(Response::new(stop_provider::Response::default()))
    }
}

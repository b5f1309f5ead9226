//! Compiles `proto/` to Rust without a `protoc` on the machine.

use std::error::Error;

const PROTOS: [&str; 4] = [
    "proto/tfplugin6.proto",
    "proto/go_plugin/grpc_broker.proto",
    "proto/go_plugin/grpc_controller.proto",
    "proto/go_plugin/grpc_stdio.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    for proto in PROTOS {
        println!("cargo::rerun-if-changed={proto}");
    }
    let descriptors = protox::compile(PROTOS, ["proto"])?;
    tonic_prost_build::configure()
        // An RPC that we do not implement answers UNIMPLEMENTED.
        .generate_default_stubs(true)
        // The client is for tests, over a connection that they bring.
        .build_transport(false)
        .compile_fds(descriptors)?;
    Ok(())
}

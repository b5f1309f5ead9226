//! The provider. Terraform and `OpenTofu` start it without arguments.
//!
//! `--debug` serves until Ctrl-C and prints the environment variable by which Terraform finds this
//! process; see `docs/developing.md`.

use std::io::Write as _;
use std::process::ExitCode;

use msk::resource::Msk;
use msk::tfplugin::{serve, serve_for_debugging};

/// The full source address.
const ADDRESS: &str = "registry.terraform.io/terraform-provider-msk/msk";

const USAGE: &str =
    "usage: terraform-provider-msk [--debug | --version | clusters list | clusters discard NAME]

Terraform and OpenTofu start this program without arguments.
  --debug    serve until Ctrl-C, print TF_REATTACH_PROVIDERS
  --version  print the version
  clusters   list the clusters of a data directory or control bucket, discard one that no state holds (--help)
";

fn main() -> ExitCode {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|first| first == "clusters")
    {
        return msk::engine::command_line::main(std::env::args_os().skip(1));
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        [] => serve(Msk),
        ["--debug" | "-debug"] => serve_for_debugging(Msk, ADDRESS),
        ["--version"] => {
            let version = format!("terraform-provider-msk {}\n", msk::version::VERSION);
            let written = std::io::stdout().write_all(version.as_bytes());
            if written.is_ok() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        _ => {
            // Nothing more can be done if stderr is closed.
            let _ = std::io::stderr().write_all(USAGE.as_bytes());
            ExitCode::from(2)
        }
    }
}

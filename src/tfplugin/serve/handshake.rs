//! What host and plugin tell each other before the first RPC: environment variables one way, one
//! line on stdout the other way.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The value of `TF_PLUGIN_MAGIC_COOKIE` by which a program knows that Terraform started it.
const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";
/// The application protocol that we speak.
const PROTOCOL: u32 = 6;

/// What the host said in environment variables.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    /// Whether the host is Terraform or `OpenTofu`.
    pub(crate) cookie_is_right: bool,
    /// The certificate with which the host will come, in PEM; `None`: it wants no TLS.
    pub(crate) client_certificate: Option<String>,
    /// Whether the host expects a seventh field.
    pub(crate) asks_for_multiplexing: bool,
    /// Where the socket should be.
    pub(crate) socket_directory: Option<PathBuf>,
}

impl Environment {
    /// Reads the variables of this process.
    pub(crate) fn of_process() -> Self {
        Self::of(|name| std::env::var_os(name))
    }

    fn of(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name| variable(name).filter(|value: &OsString| !value.is_empty());
        Self {
            cookie_is_right: set("TF_PLUGIN_MAGIC_COOKIE").is_some_and(|value| value == COOKIE),
            client_certificate: set("PLUGIN_CLIENT_CERT").map(|value| value.to_string_lossy().into_owned()),
            asks_for_multiplexing: set("PLUGIN_MULTIPLEX_GRPC").is_some(),
            socket_directory: set("PLUGIN_UNIX_SOCKET_DIR").map(PathBuf::from),
        }
    }
}

/// The handshake line, with its end of line. `certificate` is unpadded base64, empty without TLS.
///
/// We always announce protocol 6: a host that does not know it says so better than we could.
pub(crate) fn line(socket: &Path, certificate: &str, environment: &Environment) -> String {
    let multiplexing = if environment.asks_for_multiplexing {
        "|false"
    } else {
        ""
    };
    format!(
        "1|{PROTOCOL}|unix|{}|grpc|{certificate}{multiplexing}\n",
        socket.display()
    )
}

/// The value of `TF_REATTACH_PROVIDERS` that makes Terraform use this process for `address`.
pub(crate) fn reattach(address: &str, socket: &Path) -> String {
    let socket = socket.display().to_string();
    serde_json::json!({
        address: {
            "Protocol": "grpc",
            "ProtocolVersion": PROTOCOL,
            "Pid": std::process::id(),
            "Test": true,
            "Addr": { "Network": "unix", "String": socket },
        }
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_six_fields_and_a_seventh_only_when_asked() {
        let mut environment = Environment::default();
        let socket = Path::new("/tmp/x/s");
        assert_eq!(
            line(socket, "QUJD", &environment),
            "1|6|unix|/tmp/x/s|grpc|QUJD\n"
        );
        environment.asks_for_multiplexing = true;
        assert_eq!(line(socket, "", &environment), "1|6|unix|/tmp/x/s|grpc||false\n");
    }

    #[test]
    fn empty_variables_count_as_unset() {
        let environment = Environment::of(|name| match name {
            "TF_PLUGIN_MAGIC_COOKIE" => Some(COOKIE.into()),
            _ => Some("".into()),
        });
        assert!(environment.cookie_is_right);
        assert!(environment.client_certificate.is_none() && !environment.asks_for_multiplexing);
        assert!(!Environment::of(|_| Some("x".into())).cookie_is_right);
    }
}

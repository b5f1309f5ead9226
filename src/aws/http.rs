//! The one HTTP client of every AWS client: further authorities, a proxy.

use aws_sdk_sts::config::{RuntimeComponents, SharedHttpClient};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};

use super::connection::ConnectionError;
use super::settings::{Proxy, Settings};

/// The client, for `https` and `http` URLs.
pub(super) async fn client(settings: &Settings) -> Result<SharedHttpClient, ConnectionError> {
    let mut trust = TrustStore::default();
    let environment = || {
        std::env::var("AWS_CA_BUNDLE")
            .ok()
            .filter(|path| !path.is_empty())
    };
    if let Some(path) = settings
        .authorities
        .clone()
        .or_else(|| environment().map(Into::into))
    {
        let read = tokio::fs::read(&path).await;
        let pem = read.map_err(|cause| ConnectionError::Authorities {
            path: path.clone(),
            cause,
        })?;
        let count = pem_certificates(&pem);
        if count == 0 {
            return Err(ConnectionError::NoAuthority { path });
        }
        trust = trust.with_pem_certificate(pem);
    }
    let context = TlsContext::builder()
        .with_trust_store(trust)
        .build()
        .map_err(|cause| ConnectionError::Http(cause.into()))?;
    let proxy = proxy(settings.proxy.as_ref())?;
    Ok(
        Builder::new().build_with_connector_fn(move |timeouts, components| {
            let mut connector = Connector::builder()
                .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
                .tls_context(context.clone())
                .proxy_config(proxy.clone());
            connector.set_connector_settings(timeouts.cloned());
            connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
            connector.build()
        }),
    )
}

/// How many certificates a PEM text holds.
fn pem_certificates(pem: &[u8]) -> usize {
    let mark = b"-----BEGIN CERTIFICATE-----";
    pem.windows(mark.len()).filter(|window| window == mark).count()
}

fn proxy(settings: Option<&Proxy>) -> Result<ProxyConfig, ConnectionError> {
    let Some(settings) = settings else {
        return Ok(ProxyConfig::from_env());
    };
    let bad = |cause: aws_smithy_http_client::proxy::ProxyError| ConnectionError::Http(cause.into());
    let proxy = match (&settings.http, &settings.https) {
        (Some(http), Some(https)) if http == https => ProxyConfig::all(http).map_err(bad)?,
        (Some(_), Some(_)) => return Err(ConnectionError::TwoProxies),
        (Some(http), None) => ProxyConfig::http(http).map_err(bad)?,
        (None, Some(https)) => ProxyConfig::https(https).map_err(bad)?,
        (None, None) => return Ok(ProxyConfig::from_env()),
    };
    Ok(match &settings.except {
        Some(except) => proxy.no_proxy(except),
        None => proxy,
    })
}

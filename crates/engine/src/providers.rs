//! Providers as configured, made into providers that can be asked.

mod local;
mod simulated;

use std::sync::Arc;

use config::provider::{Http2, Kind};
use config::{Provider as Configured, Remote, Secret};
use http::{HeaderName, HeaderValue};
use tokio_util::task::TaskTracker;
use types::Fault;
use upstream::{Family, Http, HttpVersion, Local, Provider, Settings, Simulated, Transport};

/// The version of Anthropic's API that our dialect is.
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// Makes a provider. Opens nothing yet.
pub(crate) fn make(configured: &Configured, tasks: &TaskTracker) -> Result<Arc<Provider>, Fault> {
    let (family, transport) = match &configured.kind {
        Kind::Openai(remote) => {
            let key =
                remote.api_key.as_ref().map(|key| ("authorization", format!("Bearer {}", key.expose())));
            (Family::Openai, http(remote, key.into_iter().collect(), tasks)?)
        }
        Kind::Anthropic(remote) => {
            let mut headers = vec![("anthropic-version", ANTHROPIC_VERSION.to_owned())];
            headers.extend(remote.api_key.as_ref().map(|key| ("x-api-key", key.expose().to_owned())));
            (Family::Anthropic, http(remote, headers, tasks)?)
        }
        Kind::Local(configured) => {
            (Family::Openai, Transport::Local(Local::new(local::settings(configured), tasks.clone())))
        }
        Kind::Simulated(configured) => {
            (Family::Openai, Transport::Simulated(Simulated::new(simulated::settings(configured))))
        }
    };
    Ok(Arc::new(Provider { name: Arc::from(configured.name.as_str()), family, transport }))
}

fn http(remote: &Remote, own: Vec<(&'static str, String)>, tasks: &TaskTracker) -> Result<Transport, Fault> {
    let bad = |name: &str| Fault::internal(format!("the header `{name}` of a provider cannot be sent"));
    let mut headers = Vec::new();
    for (name, value) in own {
        headers.push((HeaderName::from_static(name), hidden(&value).ok_or_else(|| bad(name))?));
    }
    for (name, value) in &remote.headers {
        let value = hidden(Secret::expose(value)).ok_or_else(|| bad(name))?;
        headers.push((HeaderName::try_from(name.as_str()).map_err(|_| bad(name))?, value));
    }
    let origin = remote.base_url.as_str().parse();
    let origin =
        origin.map_err(|error| Fault::internal(format!("a checked base URL does not parse: {error}")))?;
    let settings = Settings {
        origin,
        headers,
        versions: match remote.pool.http2 {
            Http2::Auto => HttpVersion::Auto,
            Http2::On => HttpVersion::Http2,
            Http2::Off => HttpVersion::Http1,
        },
        max_connections: remote.pool.max_connections as usize,
        max_idle: remote.pool.max_idle as usize,
        idle_timeout: remote.pool.idle_timeout,
        dns_ttl: remote.pool.dns_ttl,
        roots: None,
    };
    Ok(Transport::Http(Box::new(Http::new(settings, tasks.clone())?)))
}

/// A header value that no debug output shows.
fn hidden(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

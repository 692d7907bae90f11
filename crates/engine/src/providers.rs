//! Providers as configured, made into providers that can be asked.

mod local;
mod simulated;

use std::sync::Arc;

use config::provider::{Http2, Kind, Pool};
use config::{BaseUrl, Compatible, Provider as Configured, Remote, Secret};
use http::{HeaderName, HeaderValue};
use tokio_util::task::TaskTracker;
use types::{Fault, Quirks};
use upstream::{
    Api, Auth, Compression, Endpoints, Family, Http, HttpVersion, Keys, Local, OauthSettings, Provider,
    Settings, Signer, Simulated, Transport,
};

/// The version of Anthropic's API that our dialect is.
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// Makes a provider. Opens nothing yet.
pub(crate) fn make(configured: &Configured, tasks: &TaskTracker) -> Result<Arc<Provider>, Fault> {
    let mut quirks = Quirks::OPENAI;
    let (family, transport) = match &configured.kind {
        Kind::Openai(openai) => {
            quirks = openai.server.quirks;
            let way = Way { headers: bearer(&openai.remote), ..Way::default() };
            (Family::Openai(api(openai.api)), http(&openai.remote, way, tasks)?)
        }
        Kind::Anthropic(remote) => {
            let mut headers = vec![("anthropic-version", ANTHROPIC_VERSION.to_owned())];
            headers.extend(key("x-api-key", remote));
            (
                Family::Anthropic,
                http(remote, Way { endpoints: Endpoints::Anthropic, headers, ..Way::default() }, tasks)?,
            )
        }
        Kind::Gemini(remote) => {
            let headers = key("x-goog-api-key", remote).into_iter().collect();
            (
                Family::Gemini,
                http(remote, Way { endpoints: Endpoints::Gemini, headers, ..Way::default() }, tasks)?,
            )
        }
        Kind::Azure(azure) => (Family::Openai(api(azure.api)), azure_way(azure, tasks)?),
        Kind::Bedrock(bedrock) => (Family::Bedrock, bedrock_way(bedrock, tasks)?),
        Kind::Local(configured) => {
            quirks = Compatible::named("llamacpp").map_or(quirks, |server| server.quirks);
            let local = Local::new(local::settings(configured), tasks.clone());
            (Family::Openai(Api::Chat), Transport::Local(local))
        }
        Kind::Simulated(configured) => {
            let simulated = Simulated::new(simulated::settings(configured));
            (Family::Openai(Api::Chat), Transport::Simulated(simulated))
        }
    };
    Ok(Arc::new(Provider { name: Arc::from(configured.name.as_str()), family, quirks, transport }))
}

/// What differs from one kind of provider behind HTTP to the next.
#[derive(Default)]
struct Way {
    endpoints: Endpoints,
    auth: Auth,
    headers: Vec<(&'static str, String)>,
    /// Goes behind the base URL, before the endpoint's path.
    below: &'static str,
}

const fn api(configured: config::provider::Api) -> Api {
    match configured {
        config::provider::Api::Chat => Api::Chat,
        config::provider::Api::Both => Api::Both,
        config::provider::Api::Responses => Api::Responses,
    }
}

fn key(name: &'static str, remote: &Remote) -> Option<(&'static str, String)> {
    remote.api_key.as_ref().map(|key| (name, key.expose().to_owned()))
}

fn bearer(remote: &Remote) -> Vec<(&'static str, String)> {
    let key = remote.api_key.as_ref();
    key.map(|key| ("authorization", format!("Bearer {}", key.expose()))).into_iter().collect()
}

fn azure_way(azure: &config::provider::Azure, tasks: &TaskTracker) -> Result<Transport, Fault> {
    let remote = &azure.remote;
    let (endpoints, below) = match &azure.api_version {
        Some(version) => (Endpoints::AzureDeployments { api_version: version.clone() }, ""),
        None => (Endpoints::Openai, "/openai/v1"),
    };
    let auth = match &azure.oauth {
        None => Auth::Headers,
        Some(oauth) => Auth::Oauth(Box::new(OauthSettings {
            server: settings(&oauth.token_url, &remote.pool)?,
            client_id: oauth.client_id.clone(),
            client_secret: oauth.client_secret.expose().to_owned(),
            scope: oauth.scope.clone(),
        })),
    };
    let headers = match &azure.oauth {
        None => key("api-key", remote).into_iter().collect(),
        Some(_) => Vec::new(),
    };
    http(remote, Way { endpoints, auth, headers, below }, tasks)
}

fn bedrock_way(bedrock: &config::provider::Bedrock, tasks: &TaskTracker) -> Result<Transport, Fault> {
    let endpoints = Endpoints::Bedrock;
    let way = match &bedrock.credentials {
        None => Way { endpoints, headers: bearer(&bedrock.remote), ..Way::default() },
        Some(pair) => {
            let signer = Signer::bedrock(
                &*bedrock.region,
                Keys {
                    access_key_id: pair.access_key_id.clone(),
                    secret_access_key: pair.secret_access_key.expose().to_owned(),
                    session_token: pair.session_token.as_ref().map(|token| token.expose().to_owned()),
                },
            );
            Way { endpoints, auth: Auth::Signed(Box::new(signer)), ..Way::default() }
        }
    };
    http(&bedrock.remote, way, tasks)
}

fn http(remote: &Remote, way: Way, tasks: &TaskTracker) -> Result<Transport, Fault> {
    let bad = |name: &str| Fault::internal(format!("the header `{name}` of a provider cannot be sent"));
    let mut headers = Vec::new();
    for (name, value) in way.headers {
        headers.push((HeaderName::from_static(name), hidden(&value).ok_or_else(|| bad(name))?));
    }
    for (name, value) in &remote.headers {
        let value = hidden(Secret::expose(value)).ok_or_else(|| bad(name))?;
        headers.push((HeaderName::try_from(name.as_str()).map_err(|_| bad(name))?, value));
    }
    let mut settings = settings(&remote.base_url, &remote.pool)?;
    settings.origin.prefix.push_str(way.below);
    let compression =
        Compression { requests_above: remote.compress_above, answers: remote.accept_compressed };
    let settings = Settings { endpoints: way.endpoints, auth: way.auth, headers, compression, ..settings };
    Ok(Transport::Http(Box::new(Http::new(settings, tasks.clone())?)))
}

/// The way to a server, and nothing else of it.
fn settings(url: &BaseUrl, pool: &Pool) -> Result<Settings, Fault> {
    let origin = url.as_str().parse();
    let origin =
        origin.map_err(|error| Fault::internal(format!("a checked base URL does not parse: {error}")))?;
    Ok(Settings {
        origin,
        endpoints: Endpoints::Openai,
        auth: Auth::Headers,
        headers: Vec::new(),
        compression: Compression::default(),
        versions: match pool.http2 {
            Http2::Auto => HttpVersion::Auto,
            Http2::On => HttpVersion::Http2,
            Http2::Off => HttpVersion::Http1,
        },
        max_connections: pool.max_connections as usize,
        max_idle: pool.max_idle as usize,
        idle_timeout: pool.idle_timeout,
        dns_ttl: pool.dns_ttl,
        roots: None,
    })
}

/// A header value that no debug output shows.
fn hidden(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

//! Providers: what answers calls. Everything that a driver needs to know is resolved here: no defaults are
//! left to look up, no address is missing.

use std::time::Duration;

use policy::Timeouts;
use types::Price;

use crate::catalogue::Vendor;
use crate::{BaseUrl, Compatible, Local, Secret, Simulated};

/// One entry of `providers`.
#[derive(Clone, Debug, PartialEq)]
pub struct Provider {
    /// Its name in configuration and in `provider/model`.
    pub name: String,
    /// How it is reached.
    pub kind: Kind,
    /// The models that it offers.
    pub models: Models,
    /// Whose price list holds for it.
    pub vendor: Vendor,
    /// Its deadlines; a route may set others ([`Route::timeouts`](crate::Route)).
    pub timeouts: Timeouts,
}

/// How a provider is reached.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A server that speaks OpenAI's dialect.
    Openai(Openai),
    /// Anthropic's Messages API, or a server that speaks it.
    Anthropic(Remote),
    /// Google's Gemini API.
    Gemini(Remote),
    /// OpenAI's models on Azure.
    Azure(Azure),
    /// Any model on AWS Bedrock, by its Converse API.
    Bedrock(Bedrock),
    /// A small model on this machine, started when first asked.
    Local(Local),
    /// Nobody: latency, text, usage and faults as configured.
    Simulated(Simulated),
}

impl Kind {
    /// The word in the configuration: `openai`, `groq`, `anthropic`, `local`, `simulated` …
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Openai(openai) => openai.server.kind,
            Self::Gemini(_) => "gemini",
            Self::Azure(_) => "azure",
            Self::Bedrock(_) => "bedrock",
            Self::Anthropic(_) => "anthropic",
            Self::Local(_) => "local",
            Self::Simulated(_) => "simulated",
        }
    }
}

/// A server that speaks OpenAI's dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Openai {
    /// Where it is.
    pub remote: Remote,
    /// Whose server it is, and so how it differs from OpenAI's.
    pub server: &'static Compatible,
    /// Which of OpenAI's two APIs is spoken to it.
    pub api: Api,
}

/// Which of OpenAI's two APIs a server is asked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// Chat Completions only: calls in the Responses dialect are translated.
    Chat,
    /// Each call by the API that it came in; other dialects by Chat Completions.
    Both,
    /// Responses only: every other call is translated.
    Responses,
}

/// OpenAI's models on Azure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Azure {
    /// The resource: `https://NAME.openai.azure.com`.
    pub remote: Remote,
    /// The version of the older API, whose paths name the deployment; `None`: the `v1` API.
    pub api_version: Option<String>,
    /// Client credentials in place of a key.
    pub oauth: Option<Oauth>,
    /// Which of the two APIs is spoken.
    pub api: Api,
}

/// OAuth 2.0 client credentials (RFC 6749 §4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oauth {
    /// Where tokens are had.
    pub token_url: BaseUrl,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: Secret,
    /// What the token is for.
    pub scope: String,
}

/// AWS Bedrock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bedrock {
    /// The region's endpoint. Its `api_key` is a Bedrock API key, sent as a bearer token.
    pub remote: Remote,
    /// The region that requests are signed for.
    pub region: String,
    /// The key pair that requests are signed with; `None`: by `api_key`, or not at all.
    pub credentials: Option<AwsCredentials>,
}

/// An AWS key pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsCredentials {
    /// The key's id.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: Secret,
    /// The token of a temporary pair.
    pub session_token: Option<Secret>,
}

/// A provider behind HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Where its API starts; the paths of the dialect are added to it. For OpenAI's dialect it ends in
    /// `/v1` or what stands for it; for Anthropic's it ends before `/v1`.
    pub base_url: BaseUrl,
    /// The key that is sent; `None`: the server asks for none.
    pub api_key: Option<Secret>,
    /// More headers for every request, names in lower case.
    pub headers: Vec<(String, Secret)>,
    /// Request bodies of more than this many bytes are sent with gzip; `None`: never.
    pub compress_above: Option<u64>,
    /// Whether whole answers may come compressed.
    pub accept_compressed: bool,
    /// Connections.
    pub pool: Pool,
}

/// Connections to one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Open connections at most; calls beyond wait for one.
    pub max_connections: u32,
    /// Connections kept while nobody uses them.
    pub max_idle: u32,
    /// An unused connection is closed after this.
    pub idle_timeout: Duration,
    /// HTTP/2.
    pub http2: Http2,
    /// How long a looked-up address is believed.
    pub dns_ttl: Duration,
}

/// When HTTP/2 is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Http2 {
    /// Where the server offers it in the TLS handshake.
    #[default]
    Auto,
    /// Always, also without TLS.
    On,
    /// Never.
    Off,
}

/// What a provider offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Models {
    /// These and no others.
    Listed(Vec<Model>),
    /// Whatever it is asked for; the provider itself says no.
    Any,
}

/// A model that a provider is configured to offer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// Its name for callers.
    pub name: String,
    /// Its name for the provider.
    pub id: String,
    /// The operator's price, before the price list.
    pub price: Option<Price>,
    /// Tokens that its context holds, where the operator says so.
    pub context_tokens: Option<u64>,
    /// Tokens that it writes at most, where the operator says so.
    pub max_output_tokens: Option<u64>,
}

impl Models {
    /// The model listed under `name`.
    pub fn find(&self, name: &str) -> Option<&Model> {
        match self {
            Self::Listed(models) => models.iter().find(|model| model.name == name),
            Self::Any => None,
        }
    }

    /// May `name` be asked for?
    pub fn offers(&self, name: &str) -> bool {
        matches!(self, Self::Any) || self.find(name).is_some()
    }
}

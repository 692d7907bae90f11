//! Providers behind HTTP: where they are, what opens them, and how connections to them are kept.

use document::Reader;

use crate::fields::{Fields, secret};
use crate::provider::{Api, AwsCredentials, Azure, Bedrock, Http2, Oauth, Openai, Pool, Remote};
use crate::{BaseUrl, Compatible, Secret};

/// A server of the OpenAI kind, whose kind in the configuration is `word`.
pub(crate) fn openai(word: &str, fields: &mut Fields<'_>) -> Openai {
    let named = Compatible::named(word).unwrap_or(Compatible::openai());
    let given = fields.url("base_url");
    if given.is_none() && named.base_url.is_none() {
        fields.error(format!("{} runs where you run it: `base_url` is missing", named.title));
    }
    let own = named.base_url.and_then(|url| BaseUrl::parse(url).ok());
    let remote = behind(given.or(own), fields);
    // OpenAI's dialect at another vendor's address is that vendor's.
    let server = match word {
        "openai" => Compatible::at(remote.base_url.host()).unwrap_or(named),
        _ => named,
    };
    let is_openai = remote.base_url.host() == "api.openai.com";
    let both = server.responses && (server.kind != "openai" || is_openai);
    let api = api(fields).unwrap_or(if both { Api::Both } else { Api::Chat });
    Openai { remote, server, api }
}

fn api(fields: &mut Fields<'_>) -> Option<Api> {
    fields.word("api", &[("chat", Api::Chat), ("both", Api::Both), ("responses", Api::Responses)])
}

/// Anthropic: a `/v1` at the end of the address is dropped.
pub(crate) fn anthropic(fields: &mut Fields<'_>) -> Remote {
    let url = fields.url("base_url");
    let short = url.as_ref().and_then(|url| url.as_str().strip_suffix("/v1"));
    let short = short.and_then(|text| BaseUrl::parse(text).ok());
    behind(short.or(url), fields)
}

/// A provider whose address says all.
pub(crate) fn plain(fields: &mut Fields<'_>) -> Remote {
    let url = fields.url("base_url");
    behind(url, fields)
}

/// Azure: by key or by client credentials.
pub(crate) fn azure(fields: &mut Fields<'_>) -> Azure {
    let url = fields.url("base_url");
    let remote = behind(url, fields);
    let oauth_given = fields.value("oauth").is_some();
    let oauth = oauth(fields.section("oauth"), oauth_given);
    if remote.api_key.is_none() && !oauth_given {
        fields.error("Azure needs an `api_key` or `oauth`");
    }
    let api_version = fields.text("api_version");
    let api = api(fields).unwrap_or(if api_version.is_some() { Api::Chat } else { Api::Both });
    Azure { remote, api_version, oauth, api }
}

fn oauth(mut fields: Fields<'_>, given: bool) -> Option<Oauth> {
    let (tenant, url) = (fields.text("tenant"), fields.url("token_url"));
    let of_tenant = tenant.and_then(|tenant| {
        BaseUrl::parse(&format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token")).ok()
    });
    let token_url = url.or(of_tenant);
    if given && token_url.is_none() {
        fields.error("`tenant` or `token_url` is missing");
    }
    let oauth = Oauth {
        token_url: token_url.unwrap_or_else(BaseUrl::nowhere),
        client_id: fields.text("client_id").unwrap_or_default(),
        client_secret: fields.secret("client_secret").unwrap_or_else(|| Secret::new("")),
        scope: fields.text("scope").unwrap_or_default(),
    };
    fields.finish();
    given.then_some(oauth)
}

/// Bedrock: signed, or with a Bedrock API key.
pub(crate) fn bedrock(fields: &mut Fields<'_>) -> Bedrock {
    let region = fields.text("region").unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !region.bytes().all(plain) {
        fields.error("`region` must be the name of an AWS region, `us-east-1`");
    }
    let given = fields.url("base_url");
    let own = BaseUrl::parse(&format!("https://bedrock-runtime.{region}.amazonaws.com")).ok();
    let remote = behind(given.or(own), fields);
    let (id, key) = (fields.text("access_key_id"), fields.secret("secret_access_key"));
    let session_token = fields.secret("session_token");
    let credentials = match (id, key) {
        (Some(access_key_id), Some(secret_access_key)) => {
            Some(AwsCredentials { access_key_id, secret_access_key, session_token })
        }
        (None, None) => None,
        _ => {
            fields.error("`access_key_id` and `secret_access_key` go together");
            None
        }
    };
    if credentials.is_none() && remote.api_key.is_none() {
        fields.error("Bedrock needs a key pair (`access_key_id`, `secret_access_key`) or an `api_key`");
    }
    Bedrock { remote, region, credentials }
}

fn behind(url: Option<BaseUrl>, fields: &mut Fields<'_>) -> Remote {
    let compress = fields.bool("compress_requests");
    let above = fields.size("compress_above");
    let remote = Remote {
        base_url: url.unwrap_or_else(BaseUrl::nowhere),
        api_key: fields.secret("api_key"),
        headers: fields.names("headers").into_iter().filter_map(header).collect(),
        compress_above: compress.then_some(above),
        accept_compressed: fields.bool("accept_compressed"),
        pool: pool(fields.section("pool")),
    };
    if remote.api_key.as_ref().is_some_and(|key| !key.expose().is_ascii())
        && let Some(at) = fields.value("api_key")
    {
        at.error("a key goes into a header, so it must be ASCII");
    }
    remote
}

/// A header that may be added. Those that frame a message or belong to the dialect may not.
fn header((name, reader): (String, Reader<'_>)) -> Option<(String, Secret)> {
    let lower = name.to_ascii_lowercase();
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if lower.is_empty() || !lower.bytes().all(token) {
        reader.error("not a header's name");
        return None;
    }
    if ["host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"]
        .contains(&lower.as_str())
    {
        reader.error(format!("`{lower}` is set by Windlass itself"));
        return None;
    }
    let value = secret(&reader)?;
    if !value.expose().is_ascii() {
        reader.error("a header's value must be ASCII");
        return None;
    }
    Some((lower, value))
}

fn pool(mut fields: Fields<'_>) -> Pool {
    let http2 = [("auto", Http2::Auto), ("on", Http2::On), ("off", Http2::Off)];
    let pool = Pool {
        max_connections: fields.integer("max_connections"),
        max_idle: fields.integer("max_idle"),
        idle_timeout: fields.duration("idle_timeout"),
        http2: fields.word("http2", &http2).unwrap_or_default(),
        dns_ttl: fields.duration("dns_ttl"),
    };
    fields.finish();
    pool
}

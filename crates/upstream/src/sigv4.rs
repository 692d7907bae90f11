//! AWS signatures, version 4, on requests that are otherwise ready: nothing may change a signed request but
//! headers that are not signed.
//!
//! Signed are the method, the path, the query, the body and the headers `host`, `content-type` and `x-amz-*`.
//! Others are left to whatever stands between us and AWS. The path is expected as it goes over the wire, a
//! model's id percent-encoded in it; AWS wants it encoded once more in what is signed, which `aws-sigv4` does.
//!
//! The keys are those of the configuration. Temporary ones (a session token) are used as they are: when they
//! expire, AWS refuses them and the configuration has to bring new ones. Bedrock's own API keys need no
//! signature: they go as `Authorization: Bearer`.
//!
//! Source: AWS, "Signature Version 4 for API requests" (IAM user guide).

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Request};
use types::{Fault, Timestamp};

/// An AWS account's keys.
#[derive(Clone, Default)]
pub struct Keys {
    /// `AKIA…`, or `ASIA…` if they are temporary. Not a secret.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
    /// What proves temporary keys.
    pub session_token: Option<String>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// Signs requests to one service of AWS in one region.
#[derive(Clone)]
pub struct Signer {
    region: String,
    service: &'static str,
    keys: Credentials,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("region", &self.region)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

impl Signer {
    /// Signs for Bedrock in `region`: `us-east-1`.
    pub fn bedrock(region: impl Into<String>, keys: Keys) -> Self {
        Self::new(region, "bedrock", keys)
    }

    /// Signs for `service`, as AWS names it in signatures.
    pub fn new(region: impl Into<String>, service: &'static str, keys: Keys) -> Self {
        let Keys { access_key_id, secret_access_key, session_token } = keys;
        let keys = Credentials::new(access_key_id, secret_access_key, session_token, None, "configuration");
        Self { region: region.into(), service, keys }
    }

    /// Puts `authorization`, `x-amz-date` and, with temporary keys, `x-amz-security-token` on a request whose
    /// body is `body`. A signature that was on it is replaced.
    ///
    /// `at` is the wall clock: AWS takes signatures that are at most five minutes off. The request must have a
    /// `host` header. Fails with `Internal` if a header to be signed is not text.
    pub fn sign<B>(&self, request: &mut Request<B>, body: &[u8], at: Timestamp) -> Result<(), Fault> {
        let identity = self.keys.clone().into();
        let since = Duration::from_micros(u64::try_from(at.as_micros()).unwrap_or(0));
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(UNIX_EPOCH + since)
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| unsigned("its parameters are not complete"))?;
        let signable = signable(request, body)?;
        let signed = sign(signable, &params.into()).map_err(|_| unsigned("its parts cannot be signed"))?;
        let (instructions, _) = signed.into_parts();
        for (name, value) in instructions.headers() {
            let name = HeaderName::try_from(name).map_err(|_| unsigned("its signature has no header"))?;
            let mut value = HeaderValue::try_from(value)
                .map_err(|_| unsigned("its signature is not a header's value"))?;
            value.set_sensitive(name != "x-amz-date");
            request.headers_mut().insert(name, value);
        }
        Ok(())
    }
}

/// What is signed of a request.
fn signable<'r, B>(request: &'r Request<B>, body: &'r [u8]) -> Result<SignableRequest<'r>, Fault> {
    let mut headers = Vec::with_capacity(4);
    for (name, value) in request.headers() {
        // The date and the token are the signature's own.
        let ours = name == "x-amz-date" || name == "x-amz-security-token";
        if !ours && (name == HOST || name == CONTENT_TYPE || name.as_str().starts_with("x-amz-")) {
            let text = value.to_str().map_err(|_| unsigned("a header to be signed is not text"))?;
            headers.push((name.as_str(), text));
        }
    }
    let host = headers.iter().find(|(name, _)| *name == "host").map(|(_, host)| *host);
    let host = host.ok_or_else(|| unsigned("it has no host"))?;
    let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let uri = format!("https://{host}{path}");
    SignableRequest::new(request.method().as_str(), uri, headers.into_iter(), SignableBody::Bytes(body))
        .map_err(|_| unsigned("its address cannot be read"))
}

fn unsigned(why: &str) -> Fault {
    Fault::internal(format!("the request to AWS cannot be signed: {why}"))
}

#[cfg(test)]
mod tests;

//! What every request to one provider has in common, worked out once: where it goes, and its headers.

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HOST, HeaderName, USER_AGENT};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};
use types::{Dialect, Fault};
use wire::Rope;

use crate::coding::{self, Compression};
use crate::endpoints::{Paths, uri};
use crate::parcel::Parcel;
use crate::{Endpoints, Origin, Outgoing};

/// A request as the connections take it.
pub(crate) type Ready = Request<Parcel>;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The parts of a provider's requests that do not change from call to call.
pub(crate) struct Template {
    scheme: Scheme,
    authority: Authority,
    prefix: String,
    paths: Paths,
    /// With `host`, and with `accept` for an answer that comes whole.
    whole: HeaderMap,
    /// With `host`, and with `accept` for a stream.
    stream: HeaderMap,
}

impl Template {
    pub(crate) fn new(
        origin: &Origin,
        endpoints: &Endpoints,
        own: &[(HeaderName, HeaderValue)],
        compression: Compression,
    ) -> Result<Self, Fault> {
        const IDENTITY: HeaderValue = HeaderValue::from_static("identity");
        let codings = if compression.answers { coding::WELCOME } else { IDENTITY };
        // Of the dialects that one provider speaks all streams are framed alike.
        let framing = match endpoints {
            Endpoints::Bedrock => Dialect::BedrockConverse,
            _ => Dialect::OpenaiChat,
        };
        let authority = origin.authority.parse();
        let authority =
            authority.map_err(|_| Fault::internal("the provider's authority is not part of a URI"))?;
        Ok(Self {
            scheme: if origin.tls { Scheme::HTTPS } else { Scheme::HTTP },
            authority,
            prefix: origin.prefix.clone(),
            paths: Paths::new(endpoints, &origin.prefix)?,
            whole: headers(origin, own, HeaderValue::from_static("application/json"), codings)?,
            stream: headers(origin, own, HeaderValue::from_static(framing.stream_type()), IDENTITY)?,
        })
    }

    /// An attempt's request in HTTP/1's form: the path alone in its line, and a `host` header.
    pub(crate) fn request(&self, outgoing: Outgoing) -> Result<Ready, Fault> {
        let Outgoing { dialect, model, body, stream, traceparent, passed, .. } = outgoing;
        let mut request = Request::new(Parcel::from(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.paths.of(dialect, &model, stream)?;
        let mut headers = if stream { self.stream.clone() } else { self.whole.clone() };
        if let Some(trace) = traceparent {
            headers.insert(TRACEPARENT, trace);
        }
        headers.extend(passed.into_iter().map(|(name, value)| (Some(name), value)));
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// A `POST` of a form to the base URL itself.
    pub(crate) fn form(&self, body: Bytes) -> Result<Ready, Fault> {
        let mut request = Request::new(Parcel::from(Rope::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri(self.prefix.clone())?;
        *request.headers_mut() = self.whole.clone();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, form);
        Ok(request)
    }

    /// A `POST` of JSON to `endpoint` under the base URL.
    pub(crate) fn post(&self, endpoint: &str, body: Bytes) -> Result<Ready, Fault> {
        let mut request = Request::new(Parcel::from(Rope::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri(format!("{}{endpoint}", self.prefix))?;
        *request.headers_mut() = self.whole.clone();
        Ok(request)
    }

    /// A `GET` of `path` under the base URL.
    pub(crate) fn get(&self, endpoint: &str) -> Result<Ready, Fault> {
        let mut request = Request::new(Parcel::default());
        *request.uri_mut() = uri(format!("{}{endpoint}", self.prefix))?;
        *request.headers_mut() = self.whole.clone();
        Ok(request)
    }

    /// Turns a request into HTTP/2's form: the whole URI, and no `host`.
    pub(crate) fn http2(&self, mut request: Ready) -> Ready {
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        // The three parts that a URI needs are there.
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
        request.headers_mut().remove(HOST);
        *request.version_mut() = Version::HTTP_2;
        request
    }
}

fn headers(
    origin: &Origin,
    own: &[(HeaderName, HeaderValue)],
    accept: HeaderValue,
    codings: HeaderValue,
) -> Result<HeaderMap, Fault> {
    let host = HeaderValue::from_str(&origin.authority)
        .map_err(|_| Fault::internal("the provider's authority is not a header value"))?;
    let mut headers = HeaderMap::with_capacity(8 + own.len());
    headers.insert(HOST, host);
    headers.insert(ACCEPT, accept);
    headers.insert(ACCEPT_ENCODING, codings);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("windlass/", env!("CARGO_PKG_VERSION"))));
    headers.extend(own.iter().map(|(name, value)| (Some(name.clone()), value.clone())));
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use types::Dialect;

    use super::*;

    fn outgoing() -> Outgoing {
        Outgoing {
            dialect: Dialect::OpenaiChat,
            model: "m".into(),
            body: Bytes::from_static(b"{}").into(),
            stream: true,
            traceparent: Some(HeaderValue::from_static("00-1-2-01")),
            passed: vec![(HeaderName::from_static("openai-beta"), HeaderValue::from_static("x"))],
            connect_by: types::Moment::default(),
        }
    }

    #[test]
    fn a_request_has_a_form_for_each_version_of_http() {
        let origin: Origin = "https://api.example.com/v1".parse().unwrap();
        let own = [(HeaderName::from_static("authorization"), HeaderValue::from_static("Bearer k"))];
        let template = Template::new(&origin, &Endpoints::Openai, &own, Compression::default()).unwrap();
        let request = template.request(outgoing()).unwrap();
        assert_eq!(request.uri(), "/v1/chat/completions");
        assert_eq!(request.headers()["host"], "api.example.com");
        assert_eq!(request.headers()["authorization"], "Bearer k");
        assert_eq!(request.headers()["accept"], "text/event-stream");
        assert_eq!(request.headers()["traceparent"], "00-1-2-01");
        assert_eq!(request.headers()["openai-beta"], "x");
        let request = template.http2(request);
        assert_eq!(request.uri(), "https://api.example.com/v1/chat/completions");
        assert!(!request.headers().contains_key("host"));
    }

    #[test]
    fn an_operators_header_replaces_ours() {
        let origin: Origin = "http://127.0.0.1:1".parse().unwrap();
        let own = [(USER_AGENT, HeaderValue::from_static("mine"))];
        let request = Template::new(&origin, &Endpoints::Openai, &own, Compression::default())
            .unwrap()
            .get("/health")
            .unwrap();
        assert_eq!(request.uri(), "/health");
        assert_eq!(request.headers().get_all(USER_AGENT).iter().count(), 1);
    }
}

//! Where load is sent and what is sent there. Only loopback addresses are accepted: this is a generator for
//! one machine's own servers. Leaves sending to `load`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, bail};
use serde_json::json;

/// A loopback address and the path on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
}

impl std::str::FromStr for Endpoint {
    type Err = anyhow::Error;

    fn from_str(url: &str) -> Result<Self> {
        let rest = url.strip_prefix("http://").context("the URL must begin with http://")?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = authority.rsplit_once(':').context("the URL must name a port")?;
        let port = port.parse().with_context(|| format!("{port:?} is no port"))?;
        let host = match host {
            "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            host => {
                host.trim_matches(['[', ']']).parse().with_context(|| format!("{host:?} is no IP address"))?
            }
        };
        if !host.is_loopback() {
            bail!("{host} is not a loopback address, and load is sent to no other");
        }
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self { address: SocketAddr::new(host, port), path: path.to_owned() })
    }
}

/// One request, as the bytes that go on the wire: about 300 bytes of body.
pub(crate) fn request(
    to: &Endpoint,
    model: &str,
    key: Option<&str>,
    extra: &[String],
    stream: bool,
) -> Vec<u8> {
    let body = body(model, stream);
    let mut head = format!(
        "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\naccept: */*\r\n\
         user-agent: windlass-bench\r\ncontent-length: {}\r\n",
        to.path,
        to.address,
        body.len()
    );
    if let Some(key) = key {
        head.extend(["authorization: Bearer ", key, "\r\n"]);
    }
    for line in extra {
        head.extend([line, "\r\n"]);
    }
    head.extend(["\r\n", &body]);
    head.into_bytes()
}

/// The request's JSON text. Fields stand in the order in which the official SDK writes them.
pub(crate) fn body(model: &str, stream: bool) -> String {
    let mut body = json!({
        "messages": [
            {"role": "system", "content": "You are a helpful assistant. Answer briefly and in plain words."},
            {"role": "user", "content": "Summarize the state of tidal power for a technical audience."}],
        "model": model, "max_tokens": 200, "temperature": 0.7, "user": "bench"});
    if stream {
        body["stream"] = json!(true);
        body["stream_options"] = json!({"include_usage": true});
    }
    body.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_accepted() {
        for url in ["http://127.0.0.1:80/v1/x", "http://localhost:1", "http://[::1]:9/"] {
            assert!(url.parse::<Endpoint>().is_ok(), "{url}");
        }
        for url in
            ["http://10.0.0.1:80/", "http://example.org:80/", "https://127.0.0.1:1/", "http://127.0.0.1/"]
        {
            assert!(url.parse::<Endpoint>().is_err(), "{url}");
        }
    }

    #[test]
    fn the_body_is_about_three_hundred_bytes() {
        for stream in [false, true] {
            let length = body("mock/gpt-4o-mini", stream).len();
            assert!((260..=360).contains(&length), "{length}");
        }
    }
}

//! A call to the gateway by a client without any cleverness: no retries, no pool, and a body that ends too early
//! is told as such.

use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// More than this of an answer is not read.
const MAX_BODY: usize = 4 << 20;

/// The gateway that is judged.
#[derive(Clone, Debug)]
pub(super) struct Gateway {
    /// `127.0.0.1:8080`.
    authority: String,
    /// The path of its chat completions.
    path: String,
    key: Option<String>,
}

/// What the caller saw of an answer.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// `None`: there was no answer.
    pub(super) status: Option<u16>,
    pub(super) content_type: String,
    pub(super) body: Vec<u8>,
    pub(super) end: End,
    pub(super) took: Duration,
}

/// How the answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// As HTTP has it.
    Whole,
    /// The connection broke, or there was none: why.
    Broken(String),
    /// It did not, in the time given.
    Late,
    /// The caller left, as it meant to.
    Left,
}

/// How long a caller stays.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stay {
    /// To the end.
    ToTheEnd,
    /// For so many events of a stream.
    Events(usize),
}

impl Gateway {
    /// From its URL, with or without `/v1`.
    pub(super) fn new(url: &str, key: Option<String>) -> Result<Self, String> {
        let Some(rest) = url.strip_prefix("http://") else {
            return Err(format!(
                "`{url}` does not begin with http://: the wall stands on this machine, and so must the gateway"
            ));
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.is_empty() || authority.contains('@') {
            return Err(format!("`{url}` has no address: write it like http://127.0.0.1:8080"));
        }
        let port =
            if authority.rsplit(']').next().is_some_and(|rest| rest.contains(':')) { "" } else { ":80" };
        let base = match path.trim_matches('/') {
            "" => "v1",
            path => path.trim_end_matches("/chat/completions"),
        };
        Ok(Self { authority: format!("{authority}{port}"), path: format!("/{base}/chat/completions"), key })
    }

    /// Sends a body and watches what comes, until `deadline` has passed.
    pub(super) async fn call(&self, body: String, stay: Stay, deadline: Duration) -> Seen {
        let start = Instant::now();
        let mut seen = Seen {
            status: None,
            content_type: String::new(),
            body: Vec::new(),
            end: End::Late,
            took: Duration::ZERO,
        };
        let exchange = self.exchange(body, stay, &mut seen);
        let end = tokio::time::timeout(deadline, exchange).await;
        seen.end = match end {
            Ok(Ok(end)) => end,
            Ok(Err(why)) => End::Broken(why),
            Err(_) => End::Late,
        };
        seen.took = start.elapsed();
        seen
    }

    async fn exchange(&self, body: String, stay: Stay, seen: &mut Seen) -> Result<End, String> {
        let connecting = TcpStream::connect(&self.authority).await;
        let stream = connecting.map_err(|error| format!("{}: {error}", self.authority))?;
        // Small requests must not wait for one another's acknowledgement. If it fails, so will what follows.
        let _ = stream.set_nodelay(true);
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(told)?;
        // Dropped with the call: leaving is closing the connection.
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let mut request = hyper::Request::post(&self.path)
            .header("host", &self.authority)
            .header("content-type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(|error| error.to_string())?;
        let mut answer = sender.send_request(request).await.map_err(told)?;
        seen.status = Some(answer.status().as_u16());
        let content_type = answer.headers().get("content-type").and_then(|value| value.to_str().ok());
        content_type.unwrap_or_default().clone_into(&mut seen.content_type);
        while let Some(frame) = answer.frame().await {
            let Ok(data) = frame.map_err(told)?.into_data() else { continue };
            seen.body.extend_from_slice(&data);
            if seen.body.len() > MAX_BODY {
                return Err(format!("more than {MAX_BODY} bytes came"));
            }
            if let Stay::Events(most) = stay
                && seen.body.windows(2).filter(|pair| pair == b"\n\n").count() >= most
            {
                return Ok(End::Left);
            }
        }
        Ok(End::Whole)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn told(error: hyper::Error) -> String {
    match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_as_people_write_them() {
        let told =
            |url| Gateway::new(url, None).map(|gateway| format!("{}{}", gateway.authority, gateway.path));
        for (url, meant) in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080/v1/chat/completions"),
            ("http://127.0.0.1:8080/v1/", "127.0.0.1:8080/v1/chat/completions"),
            ("http://gateway/openai", "gateway:80/openai/chat/completions"),
            ("http://[::1]/v1/chat/completions", "[::1]:80/v1/chat/completions"),
        ] {
            assert_eq!(told(url).as_deref(), Ok(meant));
        }
        assert!(told("https://gateway").unwrap_err().contains("http://"));
        assert!(told("http:///v1").unwrap_err().contains("no address"));
    }
}

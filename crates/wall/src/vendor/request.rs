//! Requests as they came.

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::time::Instant;

/// A request that a vendor has received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `POST`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Bytes,
    /// The connection that it came on, from 0.
    pub connection: usize,
    /// When it was whole.
    pub at: Instant,
}

impl Request {
    /// The first header of that name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `null` if it is not.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Takes a request off the front of `buffer`, once it is whole. Bodies have a `content-length` or none.
    pub(super) fn take(buffer: &mut BytesMut, connection: usize) -> Option<Self> {
        let end = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        let headers: Vec<(String, String)> = lines.filter_map(header).collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
        if buffer.len() < end + 4 + length {
            return None;
        }
        buffer.advance(end + 4);
        Some(Self {
            method: first.next().unwrap_or_default(),
            path: first.next().unwrap_or_default(),
            headers,
            body: buffer.split_to(length).freeze(),
            connection,
            at: Instant::now(),
        })
    }
}

//! A client that hides nothing: HTTP/1.1 over a socket of its own, one request a connection. What a library
//! would smooth over (a body that ends too early, a head that never ends) is what many tests look at.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Ask {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: "GET", path: path.into(), headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn post(path: impl Into<String>, body: &Value) -> Self {
        Self::bytes(path, body.to_string())
    }

    /// Whatever bytes as the body.
    pub(crate) fn bytes(path: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        let ask = Self { method: "POST", body: body.into(), ..Self::get(path) };
        ask.header("content-type", "application/json")
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("authorization", format!("Bearer {key}"))
    }

    /// The request as it goes over the wire.
    pub(crate) fn wire(&self) -> Vec<u8> {
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!(
            "{} {} HTTP/1.1\r\nhost: windlass\r\n{}content-length: {}\r\n\r\n",
            self.method,
            self.path,
            headers.concat(),
            self.body.len()
        );
        [head.as_bytes(), &self.body].concat()
    }

    /// Sends it, and waits for the answer's head.
    pub(crate) async fn open(&self, to: SocketAddr) -> Result<Open> {
        let mut stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        stream.write_all(&self.wire()).await?;
        Open::read(stream).await
    }

    /// Sends it, and waits for the whole answer.
    pub(crate) async fn send(&self, to: SocketAddr) -> Result<Reply> {
        self.open(to).await?.whole().await
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The code of the error that this is.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// An answer whose body is still coming.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    stream: BufReader<TcpStream>,
    framing: Framing,
}

#[derive(Debug)]
enum Framing {
    Length(usize),
    Chunked,
    Ended,
}

impl Open {
    /// Reads an answer's head.
    pub(crate) async fn read(stream: TcpStream) -> Result<Self> {
        let mut stream = BufReader::new(stream);
        let first = line(&mut stream).await?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| Error::new(ErrorKind::InvalidData, first))?;
        let mut headers = Vec::new();
        loop {
            let line = line(&mut stream).await?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let framing = match (find(&headers, "transfer-encoding"), find(&headers, "content-length")) {
            (Some(_), _) => Framing::Chunked,
            (None, Some(length)) => Framing::Length(length.parse().unwrap()),
            (None, None) => Framing::Ended,
        };
        Ok(Self { status, headers, stream, framing })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The next piece of the body, `None` at its regular end. A connection that ends before is an error.
    pub(crate) async fn piece(&mut self) -> Result<Option<Vec<u8>>> {
        let size = match self.framing {
            Framing::Ended => 0,
            Framing::Length(length) => {
                self.framing = Framing::Ended;
                length
            }
            Framing::Chunked => {
                let size = line(&mut self.stream).await?;
                usize::from_str_radix(&size, 16).map_err(|_| Error::new(ErrorKind::InvalidData, size))?
            }
        };
        let mut piece = vec![0; size];
        self.stream.read_exact(&mut piece).await?;
        if matches!(self.framing, Framing::Chunked) {
            line(&mut self.stream).await?;
        }
        if size == 0 {
            self.framing = Framing::Ended;
            return Ok(None);
        }
        Ok(Some(piece))
    }

    /// Reads until `what` has come; gives all that came until then.
    pub(crate) async fn until(&mut self, what: &str) -> String {
        let mut text = String::new();
        while !text.contains(what) {
            let piece = self.piece().await.unwrap();
            let piece = piece.unwrap_or_else(|| panic!("the answer ended before {what:?}: {text}"));
            text += std::str::from_utf8(&piece).unwrap();
        }
        text
    }

    /// The rest of it.
    pub(crate) async fn whole(mut self) -> Result<Reply> {
        let mut body = Vec::new();
        while let Some(piece) = self.piece().await? {
            body.extend_from_slice(&piece);
        }
        Ok(Reply { status: self.status, headers: self.headers, body })
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

async fn line(stream: &mut BufReader<TcpStream>) -> Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

//! One kept-alive connection that sends the same request again and again and checks each answer: the status,
//! and that the answer is complete.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, Result, bail};
use memchr::memmem;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::http1::{Response, Responses};

const DONE: &[u8] = b"data: [DONE]";
/// Room for one read from the socket.
const READ: usize = 16 << 10;

/// A connection, opened at the first call. A clone is a connection of its own.
#[derive(Debug)]
pub(crate) struct Caller {
    address: SocketAddr,
    request: Arc<[u8]>,
    stream: bool,
    connection: Option<TcpStream>,
    reader: Responses,
    /// How often the server had closed a kept-alive connection.
    pub(crate) reconnects: u64,
}

impl Clone for Caller {
    fn clone(&self) -> Self {
        Self::new(self.address, Arc::clone(&self.request), self.stream)
    }
}

impl Caller {
    pub(crate) fn new(address: SocketAddr, request: Arc<[u8]>, stream: bool) -> Self {
        Self { address, request, stream, connection: None, reader: Responses::default(), reconnects: 0 }
    }

    /// Sends the request and reads the answer to its end.
    ///
    /// # Errors
    /// When it is not 200, or not complete, or a stream without its end mark.
    pub(crate) async fn call(&mut self) -> Result<()> {
        let response = match self.connection.take() {
            // A server may close an idle connection just as we write to it: that is worth one fresh try.
            Some(kept) => match self.exchange(kept).await {
                Err(_) if !self.reader.begun() => {
                    self.reconnects += 1;
                    self.fresh().await
                }
                other => other,
            },
            None => self.fresh().await,
        }?;
        let checked = check(&response, self.stream);
        self.reader.recycle(response);
        checked
    }

    async fn fresh(&mut self) -> Result<Response> {
        self.reader = Responses::default();
        let connection = TcpStream::connect(self.address)
            .await
            .with_context(|| format!("cannot connect to {}", self.address))?;
        connection.set_nodelay(true)?;
        self.exchange(connection).await
    }

    async fn exchange(&mut self, mut connection: TcpStream) -> Result<Response> {
        connection.write_all(&self.request).await?;
        loop {
            self.reader.input.reserve(READ);
            let ended = connection.read_buf(&mut self.reader.input).await? == 0;
            if let Some(response) = self.reader.next(ended)? {
                if !response.close && !ended {
                    self.connection = Some(connection);
                }
                return Ok(response);
            }
        }
    }
}

fn check(response: &Response, stream: bool) -> Result<()> {
    if response.status != 200 {
        let body = String::from_utf8_lossy(&response.body[..response.body.len().min(300)]).into_owned();
        bail!("status {}: {body}", response.status);
    }
    if stream && memmem::rfind(&response.body, DONE).is_none() {
        bail!("a stream ended without {}", String::from_utf8_lossy(DONE));
    }
    if !stream && !response.body.trim_ascii_end().ends_with(b"}") {
        bail!("an answer is no JSON object");
    }
    Ok(())
}

//! One connection: requests in, scripted answers out, and a sharp eye on the client leaving.

use std::future::Future;
use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::Instant;

use super::answer::{Answer, Framing, Step};
use super::{Closed, Record, Request};

/// How an answer has ended.
enum Outcome {
    /// The connection can take another request.
    Whole,
    /// The script wants the connection closed.
    Close,
    /// The script wants it reset.
    Reset,
    /// The client has gone.
    Gone,
}

pub(super) async fn serve(mut stream: TcpStream, number: usize, record: Arc<Record>) {
    let during_answer = match converse(&mut stream, number, &record).await {
        Outcome::Reset => {
            // Closing then sends RST; an error means that the connection is gone already.
            let _ = stream.set_zero_linger();
            return;
        }
        Outcome::Close => return,
        Outcome::Gone => true,
        Outcome::Whole => false,
    };
    record.closed.push(Closed { at: Instant::now(), connection: number, during_answer });
}

/// Answers requests until one side has had enough; `Whole` if the client leaves between two.
async fn converse(stream: &mut TcpStream, number: usize, record: &Record) -> Outcome {
    // Errors show when the connection is used.
    let _ = stream.set_nodelay(true);
    let (read, write) = stream.split();
    let mut line = Line { read, write, buffer: BytesMut::new() };
    loop {
        let request = loop {
            if let Some(request) = Request::take(&mut line.buffer, number) {
                break request;
            }
            if !matches!(line.read.read_buf(&mut line.buffer).await, Ok(1..)) {
                return Outcome::Whole;
            }
        };
        let answer = record.script.next(&request);
        record.requests.push(request);
        match line.play(&answer).await {
            Outcome::Whole => {}
            other => return other,
        }
    }
}

struct Line<'a> {
    read: ReadHalf<'a>,
    write: WriteHalf<'a>,
    buffer: BytesMut,
}

impl Line<'_> {
    async fn play(&mut self, answer: &Answer) -> Outcome {
        let chunked = answer.framing() == Framing::Chunked
            && answer.steps.iter().any(|step| matches!(step, Step::Head));
        for step in &answer.steps {
            let going_on = match step {
                Step::Head => self.send(answer.head().as_bytes()).await,
                Step::Piece(bytes) => self.piece(bytes, chunked, answer).await,
                Step::Endless(bytes) => {
                    while self.piece(bytes, chunked, answer).await {}
                    false
                }
                Step::Pause(time) => self.unless_gone(tokio::time::sleep(*time)).await.is_some(),
                Step::Gate(gate) => self.unless_gone(gate.pass()).await.is_some(),
                Step::Silence => self.unless_gone(std::future::pending::<()>()).await.is_some(),
                Step::Close => return Outcome::Close,
                Step::Reset => return Outcome::Reset,
            };
            if !going_on {
                return Outcome::Gone;
            }
        }
        if chunked && !self.send(b"0\r\n\r\n").await {
            return Outcome::Gone;
        }
        if answer.framing() == Framing::Close { Outcome::Close } else { Outcome::Whole }
    }

    /// Sends a piece of a body; `false` if the client has gone.
    async fn piece(&mut self, bytes: &Bytes, chunked: bool, answer: &Answer) -> bool {
        let size = answer.slice.unwrap_or(bytes.len()).max(1);
        for part in bytes.chunks(size) {
            if let Some(pace) = answer.pace
                && self.unless_gone(tokio::time::sleep(pace)).await.is_none()
            {
                return false;
            }
            let sent = if chunked {
                let mut framed = format!("{:x}\r\n", part.len()).into_bytes();
                framed.extend_from_slice(part);
                framed.extend_from_slice(b"\r\n");
                self.send(&framed).await
            } else {
                self.send(part).await
            };
            if !sent {
                return false;
            }
        }
        true
    }

    async fn send(&mut self, bytes: &[u8]) -> bool {
        let Self { read, write, buffer } = self;
        tokio::select! {
            sent = write.write_all(bytes) => sent.is_ok(),
            () = gone(read, buffer) => false,
        }
    }

    async fn unless_gone<T>(&mut self, wait: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = wait => Some(done),
            () = gone(&mut self.read, &mut self.buffer) => None,
        }
    }
}

/// Waits for the client to leave; keeps what it sends meanwhile.
async fn gone(read: &mut ReadHalf<'_>, buffer: &mut BytesMut) {
    loop {
        let count: io::Result<usize> = read.read_buf(buffer).await;
        if !matches!(count, Ok(1..)) {
            return;
        }
    }
}

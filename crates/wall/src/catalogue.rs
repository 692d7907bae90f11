//! The wall: a vendor that plays the fault it is asked for, by the model's name or by the path.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::dialect::Dialect;
use crate::play::{self, Asked};
use crate::visits::Book;
use crate::{Answer, Fault, Request, Script, Vendor, Visits, Way};

/// A prompt with this and a name after it (letters, digits, `.` and `-`) belongs to the case of that name:
/// requests are numbered and counted by case. Without it the case is `MODEL.WAY`.
pub const CASE: &str = "wall-case:";

/// The fault wall. It speaks OpenAI's Chat Completions and Anthropic's Messages, streamed and not. The fault is
/// the first part of the path (`/cut/v1/chat/completions`), else the last part of the model's name
/// (`anything/cut`). Dropping it closes its port and all its connections.
#[derive(Debug)]
pub struct Wall {
    address: SocketAddr,
    book: Arc<Book>,
    /// Owns the vendor and writes down who leaves.
    watching: JoinHandle<()>,
}

impl Wall {
    /// Starts at this address of the loopback interface; port 0 is any that is free.
    pub async fn start(at: SocketAddr) -> io::Result<Self> {
        if !at.ip().is_loopback() {
            let why = "the wall stands on loopback only: it would do to strangers what it does to gateways";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let book = Arc::new(Book::new());
        let kept = Arc::clone(&book);
        let vendor = Vendor::start_at(at, Script::by(move |request| choose(request, &kept))).await?;
        let address = vendor.address();
        let watching = tokio::spawn(watch(vendor, Arc::clone(&book)));
        Ok(Self { address, book, watching })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL for OpenAI's dialect.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The requests of a case so far.
    pub fn visits(&self, case: &str) -> Visits {
        self.book.of(case)
    }

    /// Waits until every client of the case has left in the middle of its answer.
    pub async fn all_left(&self, case: &str) {
        self.book.all_left(case).await;
    }
}

impl Drop for Wall {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

async fn watch(vendor: Vendor, book: Arc<Book>) {
    loop {
        tokio::select! {
            // Noted when its answer was chosen; taken here so that they do not pile up.
            _ = vendor.request() => {}
            closed = vendor.closed() => {
                if closed.during_answer {
                    book.left(closed.connection, closed.at);
                }
            }
        }
    }
}

fn choose(request: &Request, book: &Book) -> Answer {
    if request.method == "GET" && request.path.ends_with("/models") {
        return Answer::json(200, models().to_string());
    }
    let Some(dialect) = Dialect::of(&request.path) else {
        let what = "The wall answers /v1/chat/completions, /v1/messages and /v1/models.";
        return Answer::json(404, Dialect::Openai.error(what, "invalid_request_error"));
    };
    let body = request.json();
    let model = body["model"].as_str().unwrap_or_default();
    let name = model.rsplit('/').next().unwrap_or_default();
    let by_path = request.path.split('/').nth(1).and_then(Fault::named);
    let Some(fault) = by_path.or_else(|| Fault::named(name)) else {
        let what = format!("The wall has no such fault. It has: {}", Fault::ALL.map(Fault::name).join(", "));
        return Answer::json(404, dialect.error(&what, "not_found_error"));
    };
    let way = if body["stream"] == true { Way::Streamed } else { Way::Plain };
    let case = marked(&request.body).unwrap_or_else(|| format!("{fault}.{way}"));
    let number = book.came(&case, request);
    let usage = body["stream_options"]["include_usage"] == true;
    play::answer(fault, Asked { dialect, way, usage, number })
}

/// The name of the case in a request's body, wherever a gateway has put the prompt.
fn marked(body: &[u8]) -> Option<String> {
    let body = String::from_utf8_lossy(body);
    let (_, after) = body.split_once(CASE)?;
    let name = |sign: &char| sign.is_ascii_alphanumeric() || matches!(sign, '.' | '-');
    Some(after.chars().take_while(name).take(100).collect())
}

fn models() -> Value {
    let models = Fault::ALL.map(|fault| json!({ "id": fault.name(), "object": "model", "owned_by": "wall" }));
    json!({ "object": "list", "data": models })
}

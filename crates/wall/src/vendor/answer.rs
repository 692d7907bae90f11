//! Answers to play: a head, pieces of a body, and what happens between them and after.

use std::time::Duration;

use bytes::Bytes;

use super::Gate;

/// An answer to play to one request.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    framing: Framing,
    pub(super) steps: Vec<Step>,
    /// Pieces are cut into parts of so many bytes.
    pub(super) slice: Option<usize>,
    /// Before each piece, or each part of one.
    pub(super) pace: Option<Duration>,
}

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// By `content-length`: of all pieces, unless it is said to be another.
    Length(Option<usize>),
    /// Chunked, one chunk a piece.
    Chunked,
    /// By closing the connection.
    Close,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Head,
    Piece(Bytes),
    /// The same bytes again and again, until the client leaves.
    Endless(Bytes),
    Gate(Gate),
    Pause(Duration),
    /// Nothing more, until the client leaves.
    Silence,
    Close,
    Reset,
}

impl Answer {
    /// A head alone, with no body as yet.
    pub fn new(status: u16, framing: Framing) -> Self {
        Self { status, headers: Vec::new(), framing, steps: vec![Step::Head], slice: None, pace: None }
    }

    /// A JSON body that comes whole.
    pub fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self::new(status, Framing::Length(None)).header("content-type", "application/json").piece(body)
    }

    /// Server-sent events, a chunk each. What they say, an end mark too, is the caller's.
    pub fn events(events: impl IntoIterator<Item = String>) -> Self {
        let answer = Self::new(200, Framing::Chunked).header("content-type", "text/event-stream");
        events.into_iter().fold(answer, Self::piece)
    }

    /// These bytes instead of HTTP, and a closed connection.
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        let steps = vec![Step::Piece(bytes.into()), Step::Close];
        Self { steps, ..Self::new(200, Framing::Close) }
    }

    /// No answer: the connection stays open and nothing comes.
    pub fn silent() -> Self {
        Self { steps: vec![Step::Silence], ..Self::new(200, Framing::Close) }
    }

    /// No answer: the connection is closed.
    pub fn closed() -> Self {
        Self { steps: vec![Step::Close], ..Self::new(200, Framing::Close) }
    }

    /// No answer: the connection is reset (RST).
    pub fn resets() -> Self {
        Self { steps: vec![Step::Reset], ..Self::new(200, Framing::Close) }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Then comes a piece of the body.
    #[must_use]
    pub fn piece(self, bytes: impl Into<Bytes>) -> Self {
        self.then(Step::Piece(bytes.into()))
    }

    /// Then it waits for the test.
    #[must_use]
    pub fn gate(self, gate: &Gate) -> Self {
        self.then(Step::Gate(gate.clone()))
    }

    /// Waits for the test before it begins.
    #[must_use]
    pub fn behind(mut self, gate: &Gate) -> Self {
        self.steps.insert(0, Step::Gate(gate.clone()));
        self
    }

    /// Then nothing comes for a while: for faults that are slowness itself. Tests have gates.
    #[must_use]
    pub fn pause(self, time: Duration) -> Self {
        self.then(Step::Pause(time))
    }

    /// Nothing comes for a while before it begins.
    #[must_use]
    pub fn after(mut self, time: Duration) -> Self {
        self.steps.insert(0, Step::Pause(time));
        self
    }

    /// A pause before each piece, or each part of one.
    #[must_use]
    pub const fn paced(mut self, time: Duration) -> Self {
        self.pace = Some(time);
        self
    }

    /// A gate before each piece of the body.
    #[must_use]
    pub fn gates(mut self, gates: &[Gate]) -> Self {
        let mut gates = gates.iter();
        self.steps = self.steps.into_iter().fold(Vec::new(), |mut steps, step| {
            if matches!(step, Step::Piece(_))
                && let Some(gate) = gates.next()
            {
                steps.push(Step::Gate(gate.clone()));
            }
            steps.push(step);
            steps
        });
        self
    }

    /// Then the connection is closed, whatever the head has promised.
    #[must_use]
    pub fn cut(self) -> Self {
        self.then(Step::Close)
    }

    /// Then the connection is reset (RST).
    #[must_use]
    pub fn reset(self) -> Self {
        self.then(Step::Reset)
    }

    /// Then nothing more comes; the connection stays open.
    #[must_use]
    pub fn stalls(self) -> Self {
        self.then(Step::Silence)
    }

    /// Then these bytes come again and again, for ever.
    #[must_use]
    pub fn endless(self, bytes: impl Into<Bytes>) -> Self {
        self.then(Step::Endless(bytes.into()))
    }

    /// Body chunks of one byte each, flushed one by one.
    #[must_use]
    pub const fn bytewise(self) -> Self {
        self.sliced(1)
    }

    /// Body chunks of so many bytes each, flushed one by one.
    #[must_use]
    pub const fn sliced(mut self, bytes: usize) -> Self {
        self.slice = Some(bytes);
        self
    }

    pub(super) const fn framing(&self) -> Framing {
        self.framing
    }

    pub(super) fn head(&self) -> String {
        let mut head = format!("HTTP/1.1 {} Scripted\r\n", self.status);
        let framing = match self.framing {
            Framing::Length(said) => {
                let piece = |step: &Step| if let Step::Piece(bytes) = step { bytes.len() } else { 0 };
                format!("content-length: {}", said.unwrap_or_else(|| self.steps.iter().map(piece).sum()))
            }
            Framing::Chunked => "transfer-encoding: chunked".to_owned(),
            Framing::Close => "connection: close".to_owned(),
        };
        for (name, value) in &self.headers {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        }
        head + &framing + "\r\n\r\n"
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

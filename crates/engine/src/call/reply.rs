//! What goes into the call path and what comes out of it.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use policy::degrade::Level;
use policy::limit::Standing;
use types::{CallId, Dialect, Fault, Money, TraceId};

use crate::call::{Head, Relay, Settled};

/// A call as it came in.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// The caller's dialect.
    pub dialect: Dialect,
    /// The body.
    pub body: Bytes,
    /// What the headers said.
    pub head: Head,
}

/// An answer.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "moved twice a call; a box would be one more allocation")]
pub enum Answered {
    /// All of it.
    Whole(Whole),
    /// A stream, committed: its first content is there.
    Stream(Box<Relay>),
}

/// A whole answer, in the caller's dialect.
#[derive(Debug)]
pub struct Whole {
    /// The body.
    pub body: Bytes,
    /// What the answer's headers tell.
    pub about: About,
    /// What the attempt that answered came to.
    pub settled: Settled,
    /// What all attempts cost together; `None`: a price is unknown.
    pub cost: Option<Money>,
}

/// What an answer's headers tell about the call.
#[derive(Clone, Debug)]
pub struct About {
    /// The call.
    pub call: CallId,
    /// Who answered.
    pub provider: Arc<str>,
    /// With which model.
    pub model: Arc<str>,
    /// In which dialect; the caller's may be another.
    pub dialect: Dialect,
    /// Attempts made, this one included.
    pub attempts: u16,
    /// Whether it was not the route's first choice.
    pub fallback: bool,
    /// Whether the answer is made up.
    pub simulated: bool,
    /// The provider's id for the request.
    pub request_id: Option<HeaderValue>,
    /// What the provider's dialect cannot say and the route lets go: the caller's names of the fields.
    pub dropped: Vec<String>,
    /// How well it was served.
    pub level: Level,
    /// Where the caller's limits stand; `None`: it has none.
    pub limits: Option<Box<Standing>>,
    /// The task or profile that counted, as in the ledger's row.
    pub profile: Option<String>,
}

/// A call that was not answered.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The call.
    pub call: CallId,
    /// Its trace.
    pub trace: TraceId,
    /// Attempts made.
    pub attempts: u16,
    /// What they cost; `None`: unknown.
    pub cost: Option<Money>,
    /// Where the caller's limits stand.
    pub limits: Standing,
    /// Why.
    pub fault: Fault,
}

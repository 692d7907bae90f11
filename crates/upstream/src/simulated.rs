//! Simulated providers: answers made up in this process, in OpenAI's dialect, with the latency, limits and
//! faults that they are told to have. For demonstrations, load tests and rehearsing failure.
//!
//! Every answer says what it is: a header, the fingerprint, and the first word of made-up text. The same seed
//! and the same calls give the same answers. A model without latency touches no timer and answers in one
//! piece.

mod answer;
mod body;
mod dice;
mod embed;
mod error;
mod fit;
mod limit;
mod render;
mod request;
#[cfg(feature = "driven")]
mod scripted;
mod settings;
mod text;

use std::fmt;
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::time::Instant;
use types::{Code, Dialect, Fault, Kind, Progress, Timing};

pub use body::Body;
pub use settings::{FaultKind, FaultRule, Model, Settings, When};

use crate::simulated::answer::Rendered;
use crate::simulated::body::{End, Pace};
use crate::simulated::dice::Dice;
use crate::simulated::limit::{Limiter, Limits};
use crate::{Exchange, Outgoing, clock, exchange};

const SIMULATED: HeaderName = HeaderName::from_static("x-windlass-simulated");

/// A provider that makes its answers up.
pub struct Simulated {
    models: Vec<Offered>,
    seed: u64,
}

/// A model, and what its calls have left behind.
struct Offered {
    model: Model,
    /// Where this model's luck starts.
    seed: u64,
    /// Calls so far.
    calls: AtomicU64,
    limiter: Option<Limiter>,
}

/// How one call will go, as the dice have fallen.
#[derive(Clone, Copy)]
struct Fate {
    fault: Option<FaultKind>,
    pace: Pace,
}

impl Simulated {
    /// A provider with these models.
    pub fn new(settings: Settings) -> Self {
        let offered = |model: Model| {
            let limiter = Limiter::new(model.requests_per_minute, model.tokens_per_minute);
            Offered {
                seed: dice::hash(model.name.as_bytes(), settings.seed),
                model,
                calls: AtomicU64::new(0),
                limiter,
            }
        };
        Self { models: settings.models.into_iter().map(offered).collect(), seed: settings.seed }
    }

    /// Answers one request, in OpenAI's dialect.
    pub async fn send(&self, outgoing: Outgoing) -> Result<Exchange, Fault> {
        let sent_at = clock::now();
        let Some(offered) = self.models.iter().find(|offered| *offered.model.name == *outgoing.model) else {
            let names = self.models.iter().map(|offered| offered.model.name.as_str());
            return Ok(whole(
                StatusCode::NOT_FOUND,
                error::unknown_model(&outgoing.model, names),
                HeaderMap::new(),
                sent_at,
            ));
        };
        #[cfg(feature = "driven")]
        if let Some(script) = crate::driven::script() {
            return scripted::send(&*script, &outgoing, sent_at).await;
        }
        let model = &offered.model;
        let call = offered.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let mut dice = Dice::new(offered.seed, call);
        let fate = model.fate(call, &mut dice);
        match fate.fault {
            Some(FaultKind::Refuse) => return Err(lost("the simulated provider refuses connections")),
            Some(FaultKind::Reset) => {
                let fault = lost("the simulated provider reset the connection before its answer");
                return Err(fault.with_progress(Progress::PerhapsExecuted));
            }
            Some(FaultKind::Stall { after_tokens: 0 }) => pending::<()>().await,
            Some(FaultKind::Status { status, retry_after }) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                return Ok(whole(
                    status,
                    error::configured(status),
                    error::retry_after(retry_after),
                    sent_at,
                ));
            }
            Some(FaultKind::Malformed) => return Ok(malformed(&outgoing, sent_at)),
            Some(FaultKind::Stall { .. } | FaultKind::Cut { .. } | FaultKind::Slow { .. }) | None => {}
        }
        let rendered = match outgoing.dialect {
            Dialect::OpenaiChat => answer::chat(model, self.seed, call, &outgoing.body),
            Dialect::OpenaiEmbeddings => {
                embed::embeddings(&model.name, self.seed, &outgoing.body).map_err(Into::into)
            }
            Dialect::AnthropicMessages
            | Dialect::OpenaiResponses
            | Dialect::GeminiContent
            | Dialect::BedrockConverse => {
                let message = "a simulated provider answers in OpenAI's dialects only";
                return Err(Fault::new(Kind::Validation, Code::Unsupported, message));
            }
        };
        let rendered = match rendered {
            Ok(rendered) => rendered,
            Err(wrong) => {
                return Ok(whole(
                    StatusCode::BAD_REQUEST,
                    error::bad_request(&wrong),
                    HeaderMap::new(),
                    sent_at,
                ));
            }
        };
        let mut headers = HeaderMap::with_capacity(8);
        if let Some(limiter) = &offered.limiter {
            match limiter.admit(rendered.tokens(), sent_at) {
                Ok(limits) => state(&mut headers, limits),
                Err(wait) => {
                    let headers = error::retry_after(Some(wait));
                    return Ok(whole(
                        StatusCode::TOO_MANY_REQUESTS,
                        error::rate_limited(&model.name),
                        headers,
                        sent_at,
                    ));
                }
            }
        }
        play(rendered, fate, headers, sent_at).await
    }
}

impl Model {
    fn fate(&self, call: u64, dice: &mut Dice) -> Fate {
        let fault = self.faults.iter().find(|rule| rule.when.hits(call, dice)).map(|rule| rule.kind);
        let factor = match fault {
            Some(FaultKind::Slow { factor }) => factor,
            _ => 1.0,
        };
        Fate { fault, pace: Pace::new(self, factor, dice) }
    }
}

/// Lets an answer come at its pace, or as far as its fault lets it.
async fn play(
    rendered: Rendered,
    fate: Fate,
    mut headers: HeaderMap,
    sent_at: types::Moment,
) -> Result<Exchange, Fault> {
    let end = match fate.fault {
        Some(FaultKind::Stall { after_tokens }) => End::Stalls { after: after_tokens },
        Some(FaultKind::Cut { after_tokens }) => End::Cut { after: after_tokens },
        _ => End::Whole,
    };
    let body = match rendered {
        Rendered::Stream { bytes, marks, .. } => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
            Body::stream(bytes, marks, fate.pace, end)
        }
        Rendered::Whole { bytes, length, .. } => {
            if let End::Stalls { .. } = end {
                pending::<()>().await;
            }
            // All of it is written before any of it is sent.
            let time = fate.pace.until(length);
            if !time.is_zero() {
                tokio::time::sleep_until(Instant::now() + time).await;
            }
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Body::whole(bytes, end)
        }
    };
    Ok(exchange_of(StatusCode::OK, headers, body, sent_at))
}

/// An answer that is not the protocol: cut JSON, or an event of it.
fn malformed(outgoing: &Outgoing, sent_at: types::Moment) -> Exchange {
    let mut headers = HeaderMap::with_capacity(4);
    let (kind, text) = if outgoing.stream {
        ("text/event-stream", "data: {\"id\":\"chatcmpl-sim\",\"choices\":[{\"delta\":\u{1}\n\n")
    } else {
        ("application/json", "{\"id\":\"chatcmpl-sim\",\"choices\":[{\"message\":\u{1}")
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    exchange_of(
        StatusCode::OK,
        headers,
        Body::whole(Bytes::from_static(text.as_bytes()), End::Whole),
        sent_at,
    )
}

fn whole(status: StatusCode, body: Bytes, mut headers: HeaderMap, sent_at: types::Moment) -> Exchange {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    exchange_of(status, headers, Body::whole(body, End::Whole), sent_at)
}

fn exchange_of(status: StatusCode, mut headers: HeaderMap, body: Body, sent_at: types::Moment) -> Exchange {
    headers.insert(SIMULATED, HeaderValue::from_static("true"));
    let timing = Timing { first_byte: Some(clock::now() - sent_at), ..Timing::default() };
    Exchange { status, headers, body: exchange::Body::Simulated(Box::new(body)), timing, sent_at }
}

/// Says how much of the limits is left, as OpenAI does.
fn state(headers: &mut HeaderMap, limits: Limits) {
    let mut put = |name: &'static str, value: Option<u64>| {
        if let Some(value) = value {
            headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
        }
    };
    put("x-ratelimit-limit-requests", limits.requests.map(|limit| limit.most));
    put("x-ratelimit-remaining-requests", limits.requests.map(|limit| limit.left));
    put("x-ratelimit-limit-tokens", limits.tokens.map(|limit| limit.most));
    put("x-ratelimit-remaining-tokens", limits.tokens.map(|limit| limit.left));
}

/// The connection failed as a real one does.
fn lost(why: &str) -> Fault {
    Fault::new(Kind::NetworkTimeout, Code::Unreachable, why)
}

impl When {
    /// Whether it hits the `call`-th call, counted from 1. Throws the dice only for a probability.
    fn hits(self, call: u64, dice: &mut Dice) -> bool {
        match self {
            Self::Every(n) => n > 0 && call.is_multiple_of(n),
            Self::After(n) => call > n,
            Self::First(n) => call <= n,
            Self::Probability(p) => dice.unit() < p,
            Self::Always => true,
        }
    }
}

impl fmt::Debug for Simulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.models.iter().map(|offered| &offered.model.name).collect();
        f.debug_struct("Simulated").field("models", &names).field("seed", &self.seed).finish()
    }
}

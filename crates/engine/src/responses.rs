//! Conversations in OpenAI's Responses dialect with models that do not speak it: what such a model answered is
//! kept here, so that the next call may name it as `previous_response_id`.
//!
//! Where a provider speaks the dialect itself, it keeps its own answers, and an id that is not ours is its own.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use store::responses::{Kept, Turn};
use tokio::task::JoinHandle;
use types::{Code, Dialect, Fault};
use upstream::clock;
use wire::Peek;

use crate::Engine;
use crate::call::{Inbound, Who};

/// How long to wait for an answer that is being written.
const WRITING: Duration = Duration::from_secs(1);
/// The longest conversation that is gone on with, in bytes of its items.
const MOST_BYTES: usize = 64 << 20;

/// What is kept of a call beside its answer.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    previous: Option<String>,
    tenant: Option<String>,
    input: String,
}

impl Asked {
    /// What to keep of a call, if it is to be kept.
    pub(crate) fn of(engine: &Engine, inbound: &Inbound, peek: &Peek<'_>, who: &Who) -> Option<Self> {
        let wanted = inbound.dialect == Dialect::OpenaiResponses
            && peek.store != Some(false)
            && !engine.config().storage.keep_responses.is_zero();
        wanted.then(|| Self {
            previous: peek.previous_response_id.as_deref().map(str::to_owned),
            tenant: who.tenant.as_deref().map(str::to_owned),
            input: wire::input_items(&inbound.body, peek),
        })
    }
}

impl Engine {
    /// The call with the conversation that it goes on from in its own input; `None` if it names none of ours.
    pub(crate) async fn recalled(
        &self,
        inbound: &Inbound,
        peek: &Peek<'_>,
        who: &Who,
    ) -> Result<Option<Inbound>, Fault> {
        let Some(previous) = peek.previous_response_id.as_deref() else { return Ok(None) };
        let mut turns = self.history(previous, who).await?;
        if turns.is_none() && !self.0.keeps.is_empty() {
            // Perhaps it is being written just now: its stream has only just ended.
            self.0.keeps.close();
            let _ = tokio::time::timeout(WRITING, self.0.keeps.wait()).await;
            turns = self.history(previous, who).await?;
        }
        let Some(turns) = turns else { return Ok(None) };
        let items = joined(&turns)?;
        let body = wire::with_history(&inbound.body, peek, &items);
        Ok(Some(Inbound { body, ..inbound.clone() }))
    }

    async fn history(&self, previous: &str, who: &Who) -> Result<Option<Vec<Turn>>, Fault> {
        let turns = self.0.responses.history(previous, who.tenant.as_deref()).await;
        turns.map_err(|error| unread(&error))
    }

    /// Keeps an answer, in the background: `body` is the whole response, or the data of the event that ended
    /// its stream. Gives the end of the writing to those who can wait for it.
    pub(crate) fn remember(&self, asked: Asked, body: &[u8]) -> Option<JoinHandle<()>> {
        let keep = self.0.responses.keep(kept(asked, body)?);
        let keep = async move {
            if let Err(error) = keep.await {
                telemetry::log::response_not_kept(&error);
            }
        };
        Some(self.0.tasks.spawn(self.0.keeps.track_future(keep)))
    }

    /// A kept answer, as its caller got it.
    pub async fn response(&self, id: &str, who: &Who) -> Result<String, Fault> {
        let found = self.0.responses.find(id, who.tenant.as_deref()).await;
        found.map_err(|error| unread(&error))?.ok_or_else(|| unknown("response_id", id))
    }

    /// Forgets a kept answer.
    pub async fn forget_response(&self, id: &str, who: &Who) -> Result<(), Fault> {
        let gone = self.0.responses.remove(id, who.tenant.as_deref()).await;
        if gone.map_err(|error| unread(&error))? { Ok(()) } else { Err(unknown("response_id", id)) }
    }

    /// Forgets what has been kept for long enough.
    pub(crate) async fn forget_old_responses(&self) {
        let keep = self.config().storage.keep_responses;
        let before =
            clock::wall().as_micros().saturating_sub(i64::try_from(keep.as_micros()).unwrap_or(i64::MAX));
        if let Err(error) = self.0.responses.forget(types::Timestamp::from_micros(before)).await {
            telemetry::log::response_not_kept(&error);
        }
    }
}

/// The conversation's items in order.
fn joined(turns: &[Turn]) -> Result<String, Fault> {
    let size: usize = turns.iter().map(|turn| turn.input.len() + turn.output.len() + 2).sum();
    if size > MOST_BYTES {
        let message = format!("the conversation is longer than {MOST_BYTES} bytes");
        return Err(Fault::invalid(Code::BodyTooLarge, "previous_response_id", message));
    }
    let items = turns.iter().flat_map(|turn| [turn.input.as_str(), turn.output.as_str()]);
    Ok(items.filter(|items| !items.is_empty()).collect::<Vec<_>>().join(","))
}

fn kept(asked: Asked, body: &[u8]) -> Option<Kept> {
    #[derive(Deserialize)]
    struct Event<'a> {
        #[serde(borrow)]
        response: &'a RawValue,
    }
    #[derive(Deserialize)]
    struct Named {
        id: String,
    }
    let event: Option<Event<'_>> = serde_json::from_slice(body).ok();
    let whole = match &event {
        Some(event) => event.response.get(),
        None => std::str::from_utf8(body).ok()?,
    };
    let Named { id } = serde_json::from_str(whole).ok()?;
    let output = wire::output_items(whole.as_bytes())?;
    let Asked { previous, tenant, input } = asked;
    Some(Kept { id, previous, tenant, at: clock::wall(), input, output, body: whole.to_owned() })
}

pub(crate) fn unknown(param: &str, id: &str) -> Fault {
    let shown = if id.len() > 100 { "that id" } else { id };
    Fault::invalid(Code::UnknownPath, param, format!("no response is kept under `{shown}`"))
        .with_hint("answers are kept for storage.keep_responses, unless the call said `store: false`")
}

fn unread(error: &store::StoreError) -> Fault {
    telemetry::log::response_not_kept(error);
    Fault::internal("kept responses cannot be read just now")
}

/// The data of the last event in `written`, a piece of a stream.
pub(crate) fn last_event(written: &Bytes) -> Option<Bytes> {
    const DATA: &[u8] = b"data: ";
    let start = memchr::memmem::rfind(written, DATA)? + DATA.len();
    let end = memchr::memchr(b'\n', written.get(start..)?).map_or(written.len(), |end| start + end);
    Some(written.slice(start..end))
}

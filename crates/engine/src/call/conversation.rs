//! Conversations in OpenAI's Responses dialect with models that do not speak it: what such a model answered is
//! kept here, so that the next call may name it as `previous_response_id`.
//!
//! Where a provider speaks the dialect itself, it keeps its own answers, and an id that is not ours is its own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use store::responses::{Kept, Turn};
use tokio::task::JoinHandle;
use types::{Code, Dialect, Fault, Timestamp};
use upstream::clock;

use crate::Engine;
use crate::call::plan::named;
use crate::call::{Admitted, Answered, Inbound, Parsed, Target, Who};

/// How long to wait for an answer that is being written; on a disk that does much else that may take seconds.
const WRITING: Duration = Duration::from_secs(5);
/// How often what is kept is looked through for what is old.
const SWEEP: Duration = Duration::from_mins(10);
/// The longest conversation that is gone on with, in bytes of its items.
const MOST_BYTES: usize = 64 << 20;

/// What a call in the Responses dialect has to do with other calls. Nothing, for one in another dialect.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    /// The answer that the call goes on from, and the call with all that was said until then in its own input.
    pub(super) recalled: Option<(String, Inbound)>,
    /// What is kept with the call's answer, if it is kept here.
    pub(super) asked: Option<Asked>,
}

/// What is kept of a call beside its answer.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    previous: Option<String>,
    tenant: Option<String>,
    input: String,
}

impl Engine {
    /// Recalls what the call goes on from, and notes what will be kept of it.
    ///
    /// Fails with `UnknownPath` for an earlier answer that is not kept here and that no provider can have kept.
    pub(super) async fn conversation(&self, admitted: &Admitted<'_>) -> Result<Conversation, Fault> {
        let Admitted { parsed: Parsed { inbound, peek, .. }, snapshot, who } = admitted;
        if inbound.dialect != Dialect::OpenaiResponses {
            return Ok(Conversation::default());
        }
        let plan = named(snapshot, who, &peek.model)?;
        let keeps_its_own = |target: &Arc<Target>| {
            target.provider.family.dialect(Dialect::OpenaiResponses) == Ok(Dialect::OpenaiResponses)
        };
        let previous = peek.previous_response_id.as_deref();
        let recalled = match previous {
            Some(previous) => Box::pin(self.recalled(previous, admitted)).await?,
            None => None,
        };
        if let Some(previous) = previous
            && recalled.is_none()
            && !plan.targets.iter().any(keeps_its_own)
        {
            return Err(unknown("previous_response_id", previous));
        }
        // An input can be large: it is copied only if it may have to be kept here.
        let kept = peek.store != Some(false)
            && !snapshot.config().storage.keep_responses.is_zero()
            && !plan.targets.iter().all(keeps_its_own);
        let asked = kept.then(|| Asked {
            previous: previous.map(str::to_owned),
            tenant: who.tenant.as_deref().map(str::to_owned),
            input: wire::input_items(&inbound.body, peek),
        });
        Ok(Conversation { recalled: previous.map(str::to_owned).zip(recalled), asked })
    }

    /// The call with the conversation up to `previous` in its own input; `None` if that is not kept here.
    async fn recalled(&self, previous: &str, admitted: &Admitted<'_>) -> Result<Option<Inbound>, Fault> {
        let Admitted { parsed: Parsed { inbound, peek, .. }, who, .. } = admitted;
        let Some(turns) = self.history(previous, who).await? else { return Ok(None) };
        let items = joined(&turns)?;
        let body = wire::with_history(&inbound.body, peek, &items);
        Ok(Some(Inbound { body, ..(*inbound).clone() }))
    }

    /// An answer in the Responses dialect is kept, unless its provider has kept it.
    pub(super) async fn kept(&self, mut answered: Answered, asked: Option<Asked>) -> Answered {
        let Some(asked) = asked else { return answered };
        match &mut answered {
            Answered::Whole(whole) if whole.about.dialect != Dialect::OpenaiResponses => {
                if let Some(keeping) = self.remember(asked, &whole.body) {
                    // What has been answered can be gone on from.
                    let _ = keeping.await;
                }
            }
            Answered::Stream(relay) if relay.about.dialect != Dialect::OpenaiResponses => {
                relay.remember(self.clone(), asked);
            }
            Answered::Whole(_) | Answered::Stream(_) => {}
        }
        answered
    }

    /// Waits for an answer that is being kept just now.
    async fn written(&self, id: &str) {
        let _ = tokio::time::timeout(WRITING, self.0.keeps.end(id)).await;
    }

    async fn history(&self, previous: &str, who: &Who) -> Result<Option<Vec<Turn>>, Fault> {
        self.written(previous).await;
        let turns = self.0.responses.history(previous, who.tenant.as_deref()).await;
        turns.map_err(|error| unread(&error))
    }

    /// Keeps an answer, in the background: `body` is the whole response, or the data of the event that ended
    /// its stream. Gives the end of the writing to those who can wait for it.
    pub(super) fn remember(&self, asked: Asked, body: &[u8]) -> Option<JoinHandle<()>> {
        let kept = kept(asked, body)?;
        let being = self.0.keeps.begin(&kept.id);
        let keep = self.0.responses.keep(kept);
        Some(self.0.tasks.spawn(async move {
            if let Err(error) = keep.await {
                telemetry::log::response_not_kept(&error);
            }
            drop(being);
        }))
    }

    /// A kept answer, as its caller got it.
    pub async fn response(&self, id: &str, who: &Who) -> Result<String, Fault> {
        self.written(id).await;
        let found = self.0.responses.find(id, who.tenant.as_deref()).await;
        found.map_err(|error| unread(&error))?.ok_or_else(|| unknown("response_id", id))
    }

    /// Forgets a kept answer.
    pub async fn forget_response(&self, id: &str, who: &Who) -> Result<(), Fault> {
        // One that is written only after it was forgotten would stay.
        self.written(id).await;
        let gone = self.0.responses.remove(id, who.tenant.as_deref()).await;
        if gone.map_err(|error| unread(&error))? { Ok(()) } else { Err(unknown("response_id", id)) }
    }

    /// Forgets, now and then, what has been kept for long enough.
    pub(crate) async fn forget_old_responses(self) {
        let mut tick = tokio::time::interval(SWEEP);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let keep = self.config().storage.keep_responses.as_micros();
            let before = clock::wall().as_micros().saturating_sub(i64::try_from(keep).unwrap_or(i64::MAX));
            if let Err(error) = self.0.responses.forget(Timestamp::from_micros(before)).await {
                telemetry::log::response_not_kept(&error);
            }
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

fn unknown(param: &str, id: &str) -> Fault {
    let shown = if id.len() > 100 { "that id" } else { id };
    Fault::invalid(Code::UnknownPath, param, format!("no response is kept under `{shown}`"))
        .with_hint("answers are kept for storage.keep_responses, unless the call said `store: false`")
}

fn unread(error: &store::StoreError) -> Fault {
    telemetry::log::response_not_kept(error);
    Fault::internal("kept responses cannot be read just now")
}

/// The data of the last event in `written`, a piece of a stream.
pub(super) fn last_event(written: &Bytes) -> Option<Bytes> {
    const DATA: &[u8] = b"data: ";
    let start = memchr::memmem::rfind(written, DATA)? + DATA.len();
    let end = memchr::memchr(b'\n', written.get(start..)?).map_or(written.len(), |end| start + end);
    Some(written.slice(start..end))
}

//! The call path, on one page.
//!
//! ```text
//! Parsed ──admit──▶ Admitted ──plan──▶ Planned ──attempt──▶ Answered ──settle──▶ Settled
//! ```
//!
//! Each stage takes the one before, so none can be left out; the attempts only look at the plan, which stays where it
//! is. All of it runs in the task that owns the caller's connection; dropping the future, or the stream that it gave,
//! cancels the call, and its record settles it then ([`record`]). Caches and budgets will stand between `plan` and
//! `attempt`.

mod admit;
mod attempt;
mod continuation;
mod conversation;
mod count;
mod joined;
mod limit;
mod outgoing;
mod permissions;
mod plan;
mod plans;
mod pool;
mod profile;
mod race;
mod ration;
mod record;
mod relay;
mod reply;
pub mod said;
mod silence;
mod stream;
mod tally;
mod terms;
mod trial;
mod watch;
mod writing;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use types::ledger::Outcome;
use types::{CallId, Fault, Kind, Moment, Progress};
use wire::Peek;

pub use admit::{Along, Head, Step, Who};
pub use count::Counted;
pub(crate) use count::counted as tokens_of;
pub(crate) use plan::check_model;
pub use plan::{Plan, Target};
pub(crate) use plans::Plans;
pub use record::Settled;
pub use relay::Relay;
pub use reply::{About, Answered, Inbound, Refusal, Whole};
pub(crate) use writing::Writing;

use crate::Engine;
use crate::call::ration::Ration;
use crate::call::tally::Tally;
use crate::call::terms::Terms;
use crate::snapshot::Snapshot;

/// A body that is what its dialect says it is.
pub(crate) struct Parsed<'a> {
    call: CallId,
    began: Moment,
    inbound: &'a Inbound,
    peek: Peek<'a>,
    /// The answer that it goes on from, once its conversation stands in the body.
    previous: Option<String>,
}

/// A caller that may call.
pub(crate) struct Admitted<'a> {
    parsed: Parsed<'a>,
    snapshot: Arc<Snapshot>,
    who: Who,
}

/// A call that knows where it goes.
pub(crate) struct Planned<'a> {
    admitted: Admitted<'a>,
    plan: Arc<Plan>,
    terms: Terms,
    /// Targets whose model's own limit was used up when the call took its limits.
    used_up: Option<Box<limit::UsedUp>>,
}

impl Planned<'_> {
    /// The target that is asked first, if it can be.
    fn first(&self) -> Option<&Arc<Target>> {
        self.plan.targets.get(self.terms.preferred.unwrap_or(0))
    }

    /// Whether an attempt is not at the route's first choice for this call.
    fn is_fallback(&self, send: policy::attempt::Send) -> bool {
        send.target != self.terms.preferred.unwrap_or(0)
    }
}

impl Engine {
    /// Answers one call: whole, or with a stream that has already brought its first content.
    pub async fn call(&self, inbound: Inbound) -> Result<Answered, Refusal> {
        let mut tally = Tally::begin(self, &inbound);
        let answered = {
            let mut answer = pin!(self.answer(&inbound, &mut tally));
            poll_fn(|cx| match answer.as_mut().poll(cx) {
                Poll::Pending => self.ended(&inbound).map_or(Poll::Pending, |fault| Poll::Ready(Err(fault))),
                polled @ Poll::Ready(_) => polled,
            })
            .await
        };
        match answered {
            Ok(Answered::Stream(mut relay)) => {
                relay.carry(tally);
                Ok(Answered::Stream(relay))
            }
            Ok(whole) => {
                tally.end(Outcome::Complete, None);
                Ok(whole)
            }
            Err(fault) => Err(self.refuse(&inbound, tally, fault)),
        }
    }

    /// Why a call must end now, whatever it waits for. A run's steps are their run's business: it says when they end,
    /// and a run that this process leaves is left to whoever resumes it.
    fn ended(&self, inbound: &Inbound) -> Option<Fault> {
        match &inbound.head.step {
            Some(step) => step.ended.get().cloned(),
            None => self.cut_off(),
        }
    }

    fn refuse(&self, inbound: &Inbound, tally: Tally, fault: Fault) -> Refusal {
        match self.ended(inbound) {
            Some(ended) if ended.code == fault.code => {
                let sent = tally.attempts() > 0 && fault.progress == Progress::NothingSent;
                let fault = if sent { fault.with_progress(Progress::PerhapsExecuted) } else { fault };
                tally.refuse(outcome_of(&fault), fault)
            }
            Some(_) | None => tally.refuse(Outcome::Failed, fault),
        }
    }

    async fn answer(&self, inbound: &Inbound, tally: &mut Tally) -> Result<Answered, Fault> {
        let with_body;
        let mut parsed = parse(inbound, tally)?;
        if let Some(windlass) = parsed.peek.windlass {
            with_body = Box::new(said::beside(inbound, windlass)?);
            parsed = parse(&with_body, tally)?;
        }
        let mut admitted = self.admit(parsed, tally)?;
        let conversation = self.conversation(&admitted).await?;
        if let Some((previous, recalled)) = &conversation.recalled {
            admitted.parsed = Parsed { previous: Some(previous.clone()), ..parse(recalled, tally)? };
        }
        let shorter;
        let mut planned = plan::plan(admitted)?;
        tally.planned(&planned.plan.name, planned.admitted.who.key.as_ref());
        self.limit(&mut planned, tally).await?;
        if let Some(ration) = Ration::of(&planned)? {
            shorter = ration.shorter(planned.admitted.parsed.inbound)?;
            if let Some(shorter) = &shorter {
                let previous = planned.admitted.parsed.previous.take();
                planned.admitted.parsed = Parsed { previous, ..parse(shorter, tally)? };
                if let Some(wanted) = &mut planned.terms.profile {
                    wanted.look_again(&shorter.body);
                }
            }
            ration.apply(&mut planned);
        }
        let answered = self.attempt(&planned, tally).await?;
        Ok(self.kept(answered, conversation.asked).await)
        // Each attempt's record settles itself: a whole answer's before it is returned from `attempt`, a
        // stream's before its last byte leaves, a failed, cut or dropped one's where it ends.
    }
}

/// How an attempt ends that is cut off for this: by whoever asked for it, or by us.
fn outcome_of(ended: &Fault) -> Outcome {
    if ended.kind == Kind::Cancelled { Outcome::HungUp } else { Outcome::Stopped }
}

fn parse<'a>(inbound: &'a Inbound, tally: &Tally) -> Result<Parsed<'a>, Fault> {
    let peek = wire::peek(inbound.dialect, &inbound.body)?;
    Ok(Parsed { call: tally.call(), began: tally.began(), inbound, peek, previous: None })
}

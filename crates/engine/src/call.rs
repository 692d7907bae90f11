//! The call path, on one page.
//!
//! ```text
//! Parsed ──admit──▶ Admitted ──plan──▶ Planned ──attempt──▶ Answered ──settle──▶ Settled
//! ```
//!
//! Each stage takes the one before by value, so none can be left out or run twice. All of it runs in the task
//! that owns the caller's connection; dropping the future, or the stream that it gave, cancels the call,
//! and its record settles it then ([`record`]). Caches and budgets will stand between `plan` and `attempt`.

mod admit;
mod attempt;
mod count;
mod joined;
mod outgoing;
mod permissions;
mod plan;
mod pool;
mod race;
mod record;
mod relay;
mod reply;
mod stream;
mod tally;
mod trial;
mod watch;

use std::sync::Arc;

use types::ledger::Outcome;
use types::{CallId, Dialect, Fault, Moment};
use wire::Peek;

pub use admit::{Head, Step, Who};
pub use count::Counted;
pub(crate) use plan::Plans;
pub use plan::{Plan, Target};
pub use record::Settled;
pub use relay::Relay;
pub use reply::{About, Answered, Inbound, Refusal, Whole};

use crate::Engine;
use crate::call::tally::Tally;
use crate::responses::{self, Asked};
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
    /// The call's own, instead of the route's.
    retry: Option<policy::retry::Policy>,
    /// The caller's own.
    deadline: Option<Moment>,
    /// The target to be asked first; `None`: they are asked in order.
    preferred: Option<usize>,
    /// The tokens that it will likely take in and give out.
    expected: (u64, u64),
}

impl Planned<'_> {
    /// Whether an attempt is not at the route's first choice for this call.
    fn is_fallback(&self, send: policy::attempt::Send) -> bool {
        send.target != self.preferred.unwrap_or(0)
    }
}

impl Engine {
    /// Answers one call: whole, or with a stream that has already brought its first content.
    pub async fn call(&self, inbound: Inbound) -> Result<Answered, Refusal> {
        let mut tally = Tally::begin(self, &inbound);
        match self.answer(&inbound, &mut tally).await {
            Ok(Answered::Stream(mut relay)) => {
                relay.carry(tally);
                Ok(Answered::Stream(relay))
            }
            Ok(whole) => {
                tally.end(Outcome::Complete, None);
                Ok(whole)
            }
            Err(fault) => Err(tally.refuse(fault)),
        }
    }

    async fn answer(&self, inbound: &Inbound, tally: &mut Tally) -> Result<Answered, Fault> {
        let parsed = parse(inbound, tally)?;
        let mut admitted = self.admit(parsed)?;
        let asked = Asked::of(self, inbound, &admitted.parsed.peek, &admitted.who);
        let recalled = self.recalled(inbound, &admitted.parsed.peek, &admitted.who).await?;
        if let Some(recalled) = &recalled {
            let previous = admitted.parsed.peek.previous_response_id.as_deref().map(str::to_owned);
            admitted.parsed = Parsed { previous, ..parse(recalled, tally)? };
        }
        let planned = plan::plan(admitted)?;
        let plan = Arc::clone(&planned.plan);
        if let Some(previous) = planned.admitted.parsed.peek.previous_response_id.as_deref() {
            known_elsewhere(previous, &plan)?;
        }
        tally.planned(&plan.name, planned.admitted.who.key.as_ref());
        let answered = self.attempt(planned, tally).await?;
        Ok(match asked {
            Some(asked) => self.kept(answered, asked, &plan).await,
            None => answered,
        })
        // Each attempt's record settles itself: a whole answer's before it is returned from `attempt`, a
        // stream's before its last byte leaves, a failed, cut or dropped one's where it ends.
    }
}

impl Engine {
    /// An answer in the Responses dialect is kept, unless its provider has kept it.
    async fn kept(&self, mut answered: Answered, asked: Asked, plan: &Plan) -> Answered {
        let about = match &answered {
            Answered::Whole(whole) => &whole.about,
            Answered::Stream(relay) => &relay.about,
        };
        let asked_of = plan
            .targets
            .iter()
            .find(|target| target.provider.name == about.provider && target.id == about.model);
        let dialect =
            asked_of.and_then(|target| target.provider.family.dialect(Dialect::OpenaiResponses).ok());
        if dialect == Some(Dialect::OpenaiResponses) {
            return answered;
        }
        match &mut answered {
            Answered::Whole(whole) => {
                if let Some(keeping) = self.remember(asked, &whole.body) {
                    // What has been answered can be gone on from.
                    let _ = keeping.await;
                }
            }
            Answered::Stream(relay) => relay.remember(self.clone(), asked),
        }
        answered
    }
}

/// An answer to go on from that is not kept here can only be one that a provider keeps itself.
fn known_elsewhere(previous: &str, plan: &Plan) -> Result<(), Fault> {
    let native = plan.targets.iter().any(|target| {
        target.provider.family.dialect(Dialect::OpenaiResponses) == Ok(Dialect::OpenaiResponses)
    });
    if native { Ok(()) } else { Err(responses::unknown("previous_response_id", previous)) }
}

fn parse<'a>(inbound: &'a Inbound, tally: &Tally) -> Result<Parsed<'a>, Fault> {
    let peek = wire::peek(inbound.dialect, &inbound.body)?;
    Ok(Parsed { call: tally.call(), began: tally.began(), inbound, peek, previous: None })
}

//! A stream that broke is gone on with elsewhere: what is kept of its call for that, and the asking.
//!
//! Whether and where is the attempt machine's business, what passes the seam `wire`'s, and the caller's side the
//! relay's.

use std::sync::Arc;

use policy::attempt::{Event, Machine, Send, StreamFailure};
use types::ledger::{self, Outcome, Rest};
use types::{CallId, Code, Dialect, Fault, Kind, Moment, Usage};
use upstream::clock;
use wire::{Rope, Seam, StreamEncoder, Told, Writing};

use crate::Engine;
use crate::call::attempt::{Got, Started};
use crate::call::outgoing::Maker;
use crate::call::permissions::later_permissions;
use crate::call::record::Record;
use crate::call::stream::Reader;
use crate::call::tally::Tally;
use crate::call::terms::Terms;
use crate::call::trial::Trial;
use crate::call::watch::Watch;
use crate::call::{Admitted, Inbound, Parsed, Plan, Planned, Target, Who};
use crate::snapshot::Snapshot;

/// The largest request that is kept while its answer streams, in bytes.
const MOST_KEPT: usize = 4 << 20;

/// What is kept of a call so that its answer can be gone on with.
pub(super) struct Continuation {
    engine: Engine,
    machine: Machine,
    call: CallId,
    began: Moment,
    inbound: Inbound,
    previous: Option<String>,
    snapshot: Arc<Snapshot>,
    who: Who,
    plan: Arc<Plan>,
    terms: Terms,
    /// Why the first stream broke, once it has: what the caller is told if nothing comes of all this.
    cause: Option<(Outcome, Fault)>,
    /// What that stream had reported.
    first: Option<Usage>,
}

/// The beginning of an answer that is to be gone on with.
pub(super) struct Beginning {
    /// What the caller has.
    text: String,
    /// Stands where the caller's stream has come to.
    encoder: StreamEncoder,
    told: Told,
    /// Targets that refused it.
    refused: Vec<Arc<Target>>,
}

/// A request that goes on with an answer, as the answer to it is read.
pub(super) struct Resumed {
    pub(super) reader: Reader,
    pub(super) seam: ledger::Seam,
}

/// What came of asking.
pub(super) struct Came {
    pub(super) continuation: Box<Continuation>,
    pub(super) tally: Tally,
    pub(super) result: Result<Next, Fault>,
}

/// The stream that goes on.
pub(super) struct Next {
    pub(super) started: Box<Started>,
    pub(super) settling: (Record, Watch),
    pub(super) send: Send,
}

impl Continuation {
    /// What to keep of a call whose route continues broken streams; `None` where it does not, or where the request is
    /// too large to be kept for that.
    pub(super) fn of(engine: &Engine, planned: &Planned<'_>, machine: &Machine) -> Option<Box<Self>> {
        // The machine has left those that were used up.
        let Planned { admitted, plan, terms, used_up: _ } = planned;
        let Admitted { parsed, snapshot, who } = admitted;
        let wanted = plan.route.stream_failure == StreamFailure::Continue;
        (wanted && parsed.inbound.body.len() <= MOST_KEPT).then(|| {
            Box::new(Self {
                engine: engine.clone(),
                machine: machine.clone(),
                call: parsed.call,
                began: parsed.began,
                inbound: parsed.inbound.clone(),
                previous: parsed.previous.clone(),
                snapshot: Arc::clone(snapshot),
                who: who.clone(),
                plan: Arc::clone(plan),
                terms: terms.clone(),
                cause: None,
                first: None,
            })
        })
    }

    /// A stream of this call broke. Gives why its first one did.
    pub(super) fn caused(
        &mut self,
        outcome: Outcome,
        fault: &Fault,
        reported: Option<Usage>,
    ) -> (Outcome, Fault) {
        if self.cause.is_none() {
            self.first = reported;
        }
        self.cause.get_or_insert_with(|| (outcome, fault.clone())).clone()
    }

    /// What can be gone on from, of what `reader` has let pass from `model`; `None`: nothing can.
    pub(super) fn beginning(&self, reader: &Reader, model: &str) -> Option<Beginning> {
        if !wire::is_single(&self.inbound.body) {
            return None;
        }
        let peek = wire::peek(self.inbound.dialect, &self.inbound.body).ok()?;
        let meta = wire::AnswerMeta {
            created: clock::wall(),
            model: &peek.model,
            call: self.call,
            previous: self.previous.as_deref(),
        };
        let (text, encoder) = reader.behind(&meta, peek.include_usage)?;
        let beginning = self.engine.estimates().correct(model, models::tokens::rough(text.len()));
        let told = Told { first: self.first, beginning };
        Some(Beginning { text, encoder, told, refused: Vec::new() })
    }

    /// Asks for the rest, as often and wherever the machine says, until a stream has begun.
    pub(super) async fn ask(
        mut self: Box<Self>,
        mut tally: Tally,
        broken: (u16, Fault),
        beginning: Beginning,
    ) -> Came {
        let result = self.rest(&mut tally, broken, beginning).await;
        Came { continuation: self, tally, result }
    }

    async fn rest(
        &mut self,
        tally: &mut Tally,
        (attempt, fault): (u16, Fault),
        beginning: Beginning,
    ) -> Result<Next, Fault> {
        let Self { engine, machine, inbound, .. } = self;
        let peek = wire::peek(inbound.dialect, &inbound.body)?;
        let (call, began, previous) = (self.call, self.began, self.previous.clone());
        let parsed = Parsed { call, began, inbound, peek, previous };
        let planned = Planned {
            admitted: Admitted { parsed, snapshot: Arc::clone(&self.snapshot), who: self.who.clone() },
            plan: Arc::clone(&self.plan),
            terms: self.terms.clone(),
            used_up: None,
        };
        let mut may = later_permissions(&planned, engine.metrics());
        let mut maker = Maker::going_on(beginning);
        let mut last = Some(fault.clone());
        let mut event = Event::Broken(attempt, fault);
        loop {
            use policy::attempt::Step;
            match machine.next_with(event, clock::now(), &mut may) {
                Step::Send(send) => {
                    let Some(target) = planned.plan.targets.get(send.target) else {
                        return Err(Fault::internal("the attempt machine named a target that is not there"));
                    };
                    let granted = match engine.holdings(&planned, send.target, tally, &mut may).await {
                        Ok(granted) => granted,
                        Err(used_up) => {
                            event = Event::Withheld(last.clone().unwrap_or(used_up));
                            continue;
                        }
                    };
                    let mut trial = Trial::begin(engine, &planned, (target, send), (granted, tally));
                    match engine.once(&planned, &maker, &mut trial).await {
                        Ok(Got::Stream(started)) => {
                            machine.next_with(Event::Committed, clock::now(), &mut may);
                            let settling = trial.streams()?;
                            return Ok(Next { started, settling, send });
                        }
                        Ok(Got::Whole(..)) => {
                            return Err(Fault::internal("a whole answer came to a stream's rest"));
                        }
                        Err(fault) => {
                            tally.spent(&trial.settled());
                            last = Some(fault.clone());
                            event = if trial.rest == Some(Rest::Prefill) && is_refusal(&fault) {
                                maker.refused(&trial.target);
                                Event::Unsuited(fault)
                            } else {
                                Event::Failed(fault)
                            };
                        }
                    }
                }
                Step::Sleep(until) => {
                    tokio::time::sleep_until(clock::instant(until)).await;
                    event = Event::Woke;
                }
                Step::Emit | Step::Finish(Ok(())) => {
                    return Err(Fault::internal("a stream's rest ended before it began"));
                }
                Step::Finish(Err(fault)) => return Err(fault),
            }
        }
    }
}

/// Whether a provider takes the request for wrong: it may be the beginning of the answer that it does not take.
fn is_refusal(fault: &Fault) -> bool {
    fault.kind == Kind::Validation && fault.status.is_some() && fault.code != Code::ContextTooLong
}

impl Beginning {
    /// This target does not take it.
    pub(super) fn refused(&mut self, target: &Arc<Target>) {
        self.refused.push(Arc::clone(target));
    }

    /// The request as it asks `target` for the rest, and how the answer is to be read.
    pub(super) fn ask(&self, body: Rope, writing: &Writing<'_>, target: &Target) -> (Rope, Resumed) {
        let refused = self.refused.iter().any(|refused| std::ptr::eq(&raw const **refused, target));
        let given = if refused || !target.takes_beginnings(writing.dialect) {
            None
        } else {
            wire::prefilled(body.joined(), writing, &self.text, self.told.beginning)
        };
        let (body, seam) = match given {
            Some(given) => (given.body.into(), Seam::prefilled(&self.text, given.repeats, self.told)),
            None => (body, Seam::anew(&self.text, self.told)),
        };
        let row = ledger::Seam { at_bytes: self.text.len() as u64, how: seam.how() };
        let reader = Reader::going_on(writing.dialect, seam, self.encoder.clone(), self.text.clone());
        (body, Resumed { reader, seam: row })
    }
}

impl Target {
    /// Whether it is worth giving the model the beginning of its answer. Of Anthropic's models the newer ones refuse
    /// it, and the price list knows which.
    fn takes_beginnings(&self, dialect: Dialect) -> bool {
        match dialect {
            Dialect::AnthropicMessages | Dialect::BedrockConverse => self.prefill != Some(false),
            Dialect::OpenaiChat
            | Dialect::OpenaiResponses
            | Dialect::OpenaiEmbeddings
            | Dialect::GeminiContent => true,
        }
    }
}

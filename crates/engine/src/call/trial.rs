//! One attempt that runs: its row, and what its deployment learns of it. A trial is settled exactly once: by its
//! answer, by its fault, by having been beaten, or by being dropped with its call.

use std::sync::Arc;

use policy::attempt::{Role, Send};
use types::ledger::{Outcome, Rest};
use types::{Code, Fault, Kind};

use crate::Engine;
use crate::call::attempt::Got;
use crate::call::outgoing::{Made, Maker};
use crate::call::permissions::{Granted, longest};
use crate::call::record::{Record, Settled};
use crate::call::tally::Tally;
use crate::call::watch::{Start, Watch};
use crate::call::{Answered, Planned, Relay, Target, Whole, outcome_of};

/// An attempt.
pub(super) struct Trial {
    pub(super) target: Arc<Target>,
    pub(super) send: Send,
    /// How the rest of an answer was asked for, if it was.
    pub(super) rest: Option<Rest>,
    state: State,
}

#[expect(clippy::large_enum_variant, reason = "moved twice an attempt; a box would be one more allocation")]
enum State {
    Running(Record, Watch),
    Settled(Settled),
}

impl Trial {
    pub(super) fn begin(
        engine: &Engine,
        planned: &Planned<'_>,
        (target, send): (&Arc<Target>, Send),
        (mut granted, tally): (Granted, &mut Tally),
    ) -> Self {
        tally.attempted();
        match send.role {
            Role::Backup => target.metrics.hedged(),
            Role::Panic => target.metrics.panicked(),
            Role::First | Role::Again | Role::Fallback => {}
        }
        let counted = granted.counted.take();
        let record = Record::begin(engine, planned, target, send, tally.context()).counting(counted);
        let tokens = planned.terms.tokens();
        let start = Start {
            granted,
            share: planned.plan.pool.as_ref().and_then(|pool| pool.send(send.target, tokens)),
            tokens,
            caller_by: planned.terms.deadline,
            whole: longest(planned),
        };
        let watch = Watch::begin(target, start);
        Self { target: Arc::clone(target), send, rest: None, state: State::Running(record, watch) }
    }

    /// The request, and where its row is kept.
    pub(super) fn make(
        &mut self,
        planned: &Planned<'_>,
        maker: &Maker,
    ) -> Result<(Made, &mut Record), Fault> {
        let State::Running(record, _) = &mut self.state else {
            return Err(Fault::internal("an attempt was made twice"));
        };
        let made = maker.make(planned, &self.target, record.traceparent(), self.send.connect_by)?;
        if let Some(row) = record.row() {
            row.profile.clone_from(&made.profile);
        }
        if let Some(resumed) = &made.resumed {
            self.rest = Some(resumed.seam.how);
            record.goes_on(resumed.seam);
        }
        Ok((made, record))
    }

    /// It failed; gives the fault as it is to be told.
    pub(super) fn fail(&mut self, fault: Fault) -> Fault {
        let named = |fault: Fault| fault.with_provider(&*self.target.provider.name);
        match std::mem::replace(&mut self.state, State::Settled(Settled::default())) {
            State::Running(record, mut watch) => {
                let fault = named(watch.blamed(fault));
                watch.failed(&fault);
                self.state = State::Settled(record.fail(&fault));
                fault
            }
            State::Settled(settled) => {
                self.state = State::Settled(settled);
                named(fault)
            }
        }
    }

    /// It is ended although nothing is wrong with it. What it has cost until now is accounted for.
    pub(super) fn cut_off(&mut self, fault: &Fault) {
        match std::mem::replace(&mut self.state, State::Settled(Settled::default())) {
            State::Running(record, watch) => {
                drop(watch);
                self.state = State::Settled(record.end(outcome_of(fault), Some(fault)));
            }
            settled @ State::Settled(_) => self.state = settled,
        }
    }

    /// Another attempt of the same call was quicker. What it has cost until now is accounted for.
    pub(super) fn beaten(mut self) -> Settled {
        if let State::Running(record, watch) =
            std::mem::replace(&mut self.state, State::Settled(Settled::default()))
        {
            drop(watch);
            let message = "another attempt of this call was quicker, so this one was cancelled";
            let fault = Fault::new(Kind::Cancelled, Code::Cancelled, message)
                .with_provider(&*self.target.provider.name);
            self.state = State::Settled(record.end(Outcome::HungUp, Some(&fault)));
        }
        self.settled()
    }

    /// What it came to, once it is settled.
    pub(super) fn settled(&self) -> Settled {
        match &self.state {
            State::Running(..) => Settled::default(),
            State::Settled(settled) => *settled,
        }
    }

    /// Its stream goes on with what the caller has.
    pub(super) fn streams(self) -> Result<(Record, Watch), Fault> {
        let State::Running(record, mut watch) = self.state else {
            return Err(Fault::internal("an attempt answered after its end"));
        };
        watch.told(record.limits());
        watch.begun();
        Ok((record, watch))
    }

    /// It is what the caller gets.
    pub(super) fn answered(
        self,
        got: Got,
        planned: &Planned<'_>,
        tally: &mut Tally,
    ) -> Result<Answered, Fault> {
        let State::Running(record, mut watch) = self.state else {
            return Err(Fault::internal("an attempt answered after its end"));
        };
        watch.told(record.limits());
        Ok(match got {
            Got::Whole(body, mut about) => {
                about.attempts = tally.attempts();
                let settled = record.end(Outcome::Complete, None);
                watch.whole(settled.usage.output);
                tally.spent(&settled);
                Answered::Whole(Whole { body, about, settled, cost: tally.cost() })
            }
            Got::Stream(mut started) => {
                // A backup that was beaten has been made, too.
                started.about.attempts = tally.attempts();
                watch.begun();
                let dialect = planned.admitted.parsed.inbound.dialect;
                Answered::Stream(Box::new(Relay::new(*started, dialect, (record, watch), self.send)))
            }
        })
    }
}

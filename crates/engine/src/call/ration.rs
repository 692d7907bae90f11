//! What a call gets less of while there is too much to do: a shorter answer, fewer attempts, less time, the
//! route's cheapest model. Never less than the caller accepts: then it is refused instead.

use std::time::Duration;

use policy::degrade::{self, Level, Model};
use types::{Blame, Code, Fault, Kind, Moment, Retry};

use crate::call::{Inbound, Planned};

/// When to come back to a process that can only serve worse than accepted.
const COME_BACK: Duration = Duration::from_secs(5);

/// What a call gets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ration {
    /// How well it is served.
    pub(super) level: Level,
    /// The longest answer in tokens.
    max_tokens: Option<u64>,
    /// Whether the caller sets no ceiling, and a profile does.
    by_profile: bool,
    /// Tries of each target.
    pub(super) attempts: Option<u16>,
    /// The longest time of the call.
    total: Option<Duration>,
    /// Whether it goes to the cheapest model.
    cheapest: bool,
    /// Whether backups may be sent.
    pub(super) extras: bool,
}

impl Ration {
    /// What the call gets; `None`: all that it asks for.
    ///
    /// Fails with `Overloaded` where that is less than its floor.
    pub(super) fn of(planned: &Planned<'_>) -> Result<Option<Self>, Fault> {
        let overload = planned.admitted.snapshot.overload();
        let (holds, allowance) = (overload.level().min(planned.terms.least), overload.allowance());
        if holds == Level::Full && allowance.is_none() {
            return Ok(None);
        }
        let parsed = &planned.admitted.parsed;
        let head = &parsed.inbound.head;
        let level =
            degrade::choose(holds, head.priority.unwrap_or_default(), head.floor.unwrap_or(Level::Emergency));
        let level = level.map_err(|below| {
            Fault::new(Kind::ResourceExhausted, Code::Overloaded, below.to_string())
                .with_hint("come back later, or accept less with `x-windlass-min-level`")
                .with_retry(Retry::After(COME_BACK))
        })?;
        let changes = level.changes();
        let own = parsed.peek.max_tokens;
        let of_profile = planned.terms.profile.as_ref().and_then(|wanted| wanted.max_tokens());
        let ceiling = own.or(of_profile);
        let asked = ceiling.map(|asked| u32::try_from(asked).unwrap_or(u32::MAX));
        let shorter = asked.map(|asked| changes.answer(asked)).or(changes.max_tokens);
        let allowed = allowance.and_then(|allowance| allowance.max_tokens);
        let max_tokens = shorter.into_iter().chain(allowed).min().map(u64::from);
        let tries = allowance.map(|allowance| allowance.attempts);
        Ok(Some(Self {
            level,
            max_tokens: max_tokens.filter(|most| ceiling.is_none_or(|asked| asked > *most)),
            by_profile: own.is_none() && of_profile.is_some(),
            attempts: changes.attempts.into_iter().chain(tries).min(),
            total: allowance.map(|allowance| allowance.timeout),
            cheapest: changes.model == Model::Cheapest,
            extras: changes.extras,
        }))
    }

    /// The call as it is asked now; `None`: as it is.
    pub(super) fn shorter(&self, inbound: &Inbound) -> Result<Option<Inbound>, Fault> {
        let Some(most) = self.max_tokens.filter(|_| !self.by_profile) else { return Ok(None) };
        let body = wire::shorten(inbound.dialect, &inbound.body, most)?;
        Ok(Some(Inbound { body, ..inbound.clone() }))
    }

    /// Applies the rest.
    pub(super) fn apply(self, planned: &mut Planned<'_>) {
        if let Some(total) = self.total {
            let by = planned.admitted.parsed.began + total;
            planned.terms.within = Some(planned.terms.within.map_or(by, |own| own.min(by)));
        }
        if self.cheapest {
            planned.terms.preferred = cheapest(planned).or(planned.terms.preferred);
        }
        if let (Some(most), Some(wanted)) = (self.max_tokens, &mut planned.terms.profile) {
            wanted.at_most(most);
        }
        planned.terms.ration = Some(self);
    }
}

impl Planned<'_> {
    /// `fault`, with the blame on a caller whose own deadline has passed before anything could be asked.
    pub(super) fn blamed(&self, fault: Fault, now: Moment) -> Fault {
        let late = fault.code == Code::Timeout && self.terms.deadline.is_some_and(|by| now >= by);
        if late { fault.with_blame(Blame::Caller) } else { fault }
    }
}

/// The target of the least known price for a call of this size.
fn cheapest(planned: &Planned<'_>) -> Option<usize> {
    let usage = types::Usage::plain(planned.terms.expected.0, planned.terms.expected.1);
    let costs = planned.plan.targets.iter().enumerate();
    costs.filter_map(|(index, target)| Some((target.cost(&usage)?, index))).min().map(|(_, index)| index)
}

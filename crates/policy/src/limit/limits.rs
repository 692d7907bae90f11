//! The keeper of limits in this process.

use std::sync::Arc;
use std::time::Duration;

use types::Moment;

use super::cell::Cell;
use super::{Claim, Denial, MAX_RULES, Rule, Signal, Standing, TIERS, Take, Tier, Unit, Verdict};
use crate::keyed::{Entry, Fingerprint, Idle, Keyed};

/// The state of one tier's rules for one name.
#[derive(Debug)]
struct Cells {
    tier: Tier,
    rules: Arc<[Rule]>,
    state: Box<[Cell]>,
}

impl Cells {
    fn new(claim: Claim<'_>) -> Self {
        let rules = claim.rules.shared();
        let state = rules.iter().map(Cell::new).collect();
        Self { tier: claim.rules.tier, rules, state }
    }

    fn each(&self) -> impl Iterator<Item = (&Rule, &Cell)> {
        self.rules.iter().zip(&self.state)
    }
}

impl Idle for Cells {
    fn busy_for(&self, now: Moment) -> Duration {
        self.state.iter().map(|cell| cell.busy_for(now)).max().unwrap_or_default()
    }
}

type Held = [Option<Arc<Entry<Cells>>>; TIERS];

/// Every limit's state, bounded.
#[derive(Debug)]
pub struct Limits {
    keyed: Keyed<Cells>,
    seed: u64,
}

impl Limits {
    /// Limits for at most `capacity` names of all tiers together. `seed` is the process's own randomness.
    pub fn new(capacity: usize, seed: u64) -> Self {
        Self { keyed: Keyed::new(capacity), seed }
    }

    /// Takes of every claim or of none. A concurrent call may for a moment see what is then given back, and
    /// be refused for it; nothing is ever given twice.
    pub fn take(&self, take: &Take<'_>) -> Result<Reservation, Denial> {
        let held: Held = take.claims.map(|claim| claim.map(|claim| self.cells(claim, take.now)));
        let percent = take.percent();
        for (done, (rule, cell)) in each(&held).enumerate() {
            let amount = rule.amount(take.tokens, percent);
            if cell.take(rule, amount, percent, take.now).is_err() {
                // Asked before our own taking is undone, the refusing one would only look worse: undo first.
                undo(&held, take, done);
                return Err(denial(&held, take));
            }
        }
        let standing = standing(&held, take);
        Ok(Reservation { held, tokens: take.tokens, percent, at: take.now, standing })
    }

    /// The answer of [`Limits::take`] as plain data; what was taken stays taken as estimated.
    pub fn verdict(&self, take: &Take<'_>) -> Verdict {
        match self.take(take) {
            Ok(reservation) => Verdict::Granted(reservation.standing),
            Err(denial) => Verdict::Denied(denial),
        }
    }

    /// Where the limits stand, without taking.
    pub fn standing(&self, take: &Take<'_>) -> Standing {
        let held: Held = take.claims.map(|claim| claim.map(|claim| self.cells(claim, take.now)));
        standing(&held, take)
    }

    /// The rate of each rule now, in the rules' order: for a keeper elsewhere, which does not adapt by itself.
    pub fn rates(&self, claim: Claim<'_>, now: Moment) -> [u64; MAX_RULES] {
        let mut rates = [0; MAX_RULES];
        let cells = self.cells(claim, now);
        for (rate, (rule, cell)) in rates.iter_mut().zip(cells.value.each()) {
            *rate = cell.rate(rule);
        }
        rates
    }

    /// Tells adaptive rules how a call fared that another keeper let pass.
    pub fn learn(&self, claim: Claim<'_>, signal: Signal, now: Moment) {
        for (rule, cell) in self.cells(claim, now).value.each() {
            cell.learn(rule, signal, now);
        }
    }

    /// How many names have state.
    pub fn len(&self) -> usize {
        self.keyed.len()
    }

    /// Whether no name has state.
    pub fn is_empty(&self) -> bool {
        self.keyed.is_empty()
    }

    fn cells(&self, claim: Claim<'_>, now: Moment) -> Arc<Entry<Cells>> {
        let name = Fingerprint::of(claim.rules.id(), claim.name, self.seed);
        self.keyed.get(name, now, || Cells::new(claim))
    }
}

fn each(held: &Held) -> impl Iterator<Item = (&Rule, &Cell)> {
    held.iter().flatten().flat_map(|entry| entry.value.each())
}

fn undo(held: &Held, take: &Take<'_>, done: usize) {
    for (rule, cell) in each(held).take(done) {
        let amount = rule.amount(take.tokens, take.percent());
        cell.shift(rule, take.now, (amount, 0), take.now);
    }
}

fn standing(held: &Held, take: &Take<'_>) -> Standing {
    let mut standing = Standing::default();
    for (rule, cell) in each(held) {
        standing.see(rule.unit, cell.gauge(rule, take.percent(), take.now));
    }
    standing
}

fn denial(held: &Held, take: &Take<'_>) -> Denial {
    let percent = take.percent();
    let mut worst: Option<(Duration, Tier, Rule)> = None;
    for entry in held.iter().flatten() {
        for (rule, cell) in entry.value.each() {
            let wait = cell.wait(rule, rule.amount(take.tokens, percent), percent, take.now);
            if worst.is_none_or(|(longest, ..)| wait > longest) {
                worst = Some((wait, entry.value.tier, *rule));
            }
        }
    }
    let nothing = Rule::bucket(Unit::Requests, 0, Duration::ZERO);
    let (wait, tier, rule) = worst.unwrap_or((Duration::ZERO, Tier::Global, nothing));
    // Zero where the refusing one was freed by another call in between: then at once is right.
    Denial {
        tier,
        unit: rule.unit,
        limit: rule.limit,
        per: rule.per,
        retry_after: wait,
        standing: standing(held, take),
    }
}

/// What one call took. Settle it when the truth is known. Dropped, it stays taken as estimated: the safe side.
#[derive(Debug)]
#[must_use = "a reservation is settled or cancelled; dropped it stays taken in full"]
pub struct Reservation {
    held: Held,
    tokens: u64,
    percent: u8,
    at: Moment,
    standing: Standing,
}

impl Reservation {
    /// Where the limits stood right after.
    pub const fn standing(&self) -> Standing {
        self.standing
    }

    /// What was taken of `tier`, to be settled on its own; `None`: nothing was. This one is then without it.
    pub fn part(&mut self, tier: Tier) -> Option<Self> {
        let place = self.held.get_mut(tier as usize)?;
        let mut held = Held::default();
        *held.get_mut(tier as usize)? = Some(place.take()?);
        let Self { tokens, percent, at, standing, .. } = *self;
        Some(Self { held, tokens, percent, at, standing })
    }

    /// The call is over and used `tokens`: the rest is given back, or what is missing is charged. `signal` is
    /// for adaptive rules.
    pub fn settle(self, tokens: u64, signal: Signal, now: Moment) {
        for (rule, cell) in each(&self.held) {
            cell.learn(rule, signal, now);
            if rule.unit == Unit::Tokens {
                let reserved = rule.amount(self.tokens, self.percent);
                cell.shift(rule, self.at, (reserved, tokens), now);
            }
        }
    }

    /// The call was never sent: everything is given back, the request too.
    pub fn cancel(self, now: Moment) {
        for (rule, cell) in each(&self.held) {
            let reserved = rule.amount(self.tokens, self.percent);
            cell.shift(rule, self.at, (reserved, 0), now);
        }
    }
}

//! What the script is asked, and what it answers, as whole numbers. Their meaning stands in `script.lua`.

use std::time::Duration;

use policy::limit::{
    Algorithm, Ask, Claim, Denial, MAX_RULES, Rule, Rules, Seen, Signal, Standing, Take, Tier, Unit,
};
use types::Moment;

/// The greatest number of the script: far above any wait, and two of them are still exact in a double.
const FAR: u64 = 1 << 52;

const TAKE: i64 = 0;
const SHIFT: i64 = 1;

/// Whose time counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Clock {
    /// The one that all replicas share.
    #[default]
    Redis,
    /// The `now` of takes and settlements, for tests.
    Caller,
}

impl Clock {
    fn numbers(self, now: Moment) -> [i64; 2] {
        match self {
            Self::Redis => [-1, 0],
            Self::Caller => {
                let nanos = now.as_nanos();
                [whole(nanos / 1_000_000_000), whole(nanos % 1_000_000_000)]
            }
        }
    }
}

/// A script's keys and arguments.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) keys: Vec<String>,
    pub(super) arguments: Vec<i64>,
}

/// One tier of a take.
#[derive(Debug)]
pub(super) struct Part {
    key: String,
    pub(super) rules: Rules,
    rates: [u64; MAX_RULES],
    /// Whose it is, if the rules adapt: how the call fares will be told.
    pub(super) name: Option<String>,
}

impl Part {
    pub(super) fn new(claim: Claim<'_>, rates: Option<[u64; MAX_RULES]>) -> Self {
        let mut fixed = [0; MAX_RULES];
        for (rate, rule) in fixed.iter_mut().zip(claim.rules.all()) {
            *rate = rule.limit;
        }
        let name = claim.rules.adapt().then(|| claim.name.to_owned());
        Self { key: key(claim), rules: claim.rules.clone(), rates: rates.unwrap_or(fixed), name }
    }

    fn each(&self) -> impl Iterator<Item = (&Rule, u64)> {
        self.rules.all().iter().zip(self.rates)
    }
}

/// A take before it is answered.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) parts: Vec<Part>,
    tokens: u64,
    percent: u8,
}

/// What was taken.
#[derive(Debug)]
pub(super) struct Taken {
    asked: Asked,
    /// Microseconds of the script's clock.
    at: i64,
    pub(super) standing: Standing,
}

impl Asked {
    pub(super) fn new(take: &Take<'_>, parts: Vec<Part>) -> Self {
        Self { parts, tokens: take.tokens, percent: take.percent() }
    }

    pub(super) fn call(&self, clock: Clock, now: Moment) -> Call {
        let [seconds, nanos] = clock.numbers(now);
        let mut arguments = vec![TAKE, seconds, nanos, 0];
        for part in &self.parts {
            arguments.push(count(part));
            for (rule, rate) in part.each() {
                match self.ask(rule, rate) {
                    Ask::Closed => arguments.push(0),
                    Ask::Bucket { cost, reach } => arguments.extend([1, whole(cost), whole(reach)]),
                    Ask::Window { amount, capacity, slot } => {
                        arguments.extend([2, whole(amount), whole(capacity), whole(slot / 1_000)]);
                    }
                }
            }
        }
        Call { keys: self.parts.iter().map(|part| part.key.clone()).collect(), arguments }
    }

    /// Reads the reply; `None`: it is not one.
    pub(super) fn answer(self, reply: &[i64]) -> Option<Result<Taken, Denial>> {
        let (granted, at) = (*reply.first()? == 1, *reply.get(1)?);
        let mut numbers = reply.get(2..)?.iter().copied();
        let mut standing = Standing::default();
        let mut worst: Option<(Duration, Tier, Rule)> = None;
        for part in &self.parts {
            for (rule, rate) in part.each() {
                let ask = self.ask(rule, rate);
                let seen = match ask {
                    Ask::Closed => Seen::Closed,
                    Ask::Bucket { .. } => Seen::Bucket(u64::try_from(numbers.next()?).ok()?),
                    Ask::Window { .. } => Seen::Window {
                        used: u64::try_from(numbers.next()?).ok()?,
                        reset: Duration::from_micros(u64::try_from(numbers.next()?).ok()?),
                        wait: u64::try_from(numbers.next()?).map_or(Duration::MAX, Duration::from_micros),
                    },
                };
                standing.see(rule.unit, rule.gauge(self.percent, rate, seen));
                let wait = rule.wait(ask, seen);
                if worst.is_none_or(|(longest, ..)| wait > longest) {
                    worst = Some((wait, part.rules.tier, *rule));
                }
            }
        }
        if granted {
            return Some(Ok(Taken { asked: self, at, standing }));
        }
        let (retry_after, tier, rule) = worst?;
        Some(Err(Denial { tier, unit: rule.unit, limit: rule.limit, per: rule.per, retry_after, standing }))
    }

    fn ask(&self, rule: &Rule, rate: u64) -> Ask {
        rule.ask(rule.amount(self.tokens, self.percent), self.percent, rate)
    }
}

impl Taken {
    /// What was taken of `tier`, to be settled on its own; `None`: nothing was. This one is then without it.
    pub(super) fn part(&mut self, tier: Tier) -> Option<Self> {
        let at = self.asked.parts.iter().position(|part| part.rules.tier == tier)?;
        let parts = vec![self.asked.parts.swap_remove(at)];
        let Asked { tokens, percent, .. } = self.asked;
        Some(Self { asked: Asked { parts, tokens, percent }, at: self.at, standing: self.standing })
    }

    /// The rules that adapt, and whose they are.
    pub(super) fn adapting(&self) -> impl Iterator<Item = (&Rules, &str)> {
        self.asked.parts.iter().filter_map(|part| Some((&part.rules, part.name.as_deref()?)))
    }

    /// What makes it into `tokens` used. `None`: nothing is to be done.
    pub(super) fn settle(&self, tokens: u64, clock: Clock, now: Moment) -> Option<Call> {
        self.shift(clock, now, |rule, reserved| match rule.unit {
            Unit::Requests => (0, 0),
            Unit::Tokens => (reserved, tokens),
        })
    }

    /// What gives everything back.
    pub(super) fn cancel(&self, clock: Clock, now: Moment) -> Option<Call> {
        self.shift(clock, now, |_, reserved| (reserved, 0))
    }

    fn shift(&self, clock: Clock, now: Moment, change: impl Fn(&Rule, u64) -> (u64, u64)) -> Option<Call> {
        let [seconds, nanos] = clock.numbers(now);
        let mut call = Call { keys: Vec::new(), arguments: vec![SHIFT, seconds, nanos, self.at] };
        for part in &self.asked.parts {
            let before = call.arguments.len();
            let mut moved = false;
            call.arguments.push(count(part));
            for (rule, rate) in part.each() {
                let reserved = rule.amount(self.asked.tokens, self.asked.percent);
                let (from, to) = change(rule, reserved);
                let ask = |amount| rule.ask(amount, self.asked.percent, rate);
                moved |= from != to;
                match (ask(from), ask(to)) {
                    (Ask::Bucket { cost: from, .. }, Ask::Bucket { cost: to, .. }) if from != to => {
                        call.arguments.extend([1, whole(to) - whole(from)]);
                    }
                    (Ask::Window { slot, .. }, _) if from != to => {
                        call.arguments.extend([2, whole(to) - whole(from), whole(slot / 1_000)]);
                    }
                    (Ask::Window { slot, .. }, _) => call.arguments.extend([0, whole(slot / 1_000)]),
                    _ => call.arguments.extend([0, 0]),
                }
            }
            if moved {
                call.keys.push(part.key.clone());
            } else {
                call.arguments.truncate(before);
            }
        }
        (!call.keys.is_empty()).then_some(call)
    }
}

fn count(part: &Part) -> i64 {
    i64::try_from(part.rules.all().len().min(MAX_RULES)).unwrap_or(0)
}

fn whole(number: u64) -> i64 {
    i64::try_from(number.min(FAR)).unwrap_or(0)
}

/// The key of one tier's rules for one name. The same in every build that has the same rules; the name is a
/// digest, because users' names are nobody's business. All keys have one hash tag: a take is one script, and a
/// script's keys must lie in one slot of a cluster.
fn key(claim: Claim<'_>) -> String {
    let mut hash = blake3::Hasher::new();
    let mut number = |number: u128| {
        hash.update(&number.to_le_bytes());
    };
    for rule in claim.rules.all() {
        number(u128::from(rule.unit == Unit::Tokens));
        number(u128::from(rule.limit));
        number(rule.per.as_nanos());
        number(u128::from(rule.burst));
        match rule.algorithm {
            Algorithm::TokenBucket => number(0),
            Algorithm::SlidingWindow => number(1),
            Algorithm::Adaptive(_) => number(2),
        }
    }
    hash.update(claim.name.as_bytes());
    let digest = hash.finalize().to_hex();
    format!("{{wl}}:limit:{}:{}", claim.rules.tier.as_str(), digest.get(..32).unwrap_or_default())
}

/// So that nothing is learned where nothing adapts.
pub(super) const fn says_something(signal: Signal) -> bool {
    !matches!(signal, Signal::None)
}

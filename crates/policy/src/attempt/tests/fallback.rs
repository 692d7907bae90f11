//! Conditions, priorities, contexts, content refusals and breakers: where a call goes when it leaves a target.

use std::sync::Arc;

use types::Blame;

use super::*;
use crate::attempt::Refused;
use crate::attempt::{Allowances, Cause, Causes, Filtered, Role, Route, Target};
use crate::breaker::{Judge, State};
use crate::health::{Guards, Health, Known};
use crate::retry::{Budget, Budgets, Policy, Pressure, Rules, Share};

fn on(targets: &[Target]) -> Machine {
    let route = Route { targets: targets.into(), ..Route::default() };
    Machine::on(Arc::new(route), Timeouts { total: 60 * SECOND, ..Timeouts::default() }, (at(0), None), 7)
}

fn only(causes: &[Cause]) -> Target {
    Target { when: causes.iter().copied().collect(), ..Target::default() }
}

fn holds(context_tokens: u64) -> Target {
    Target { context_tokens: Some(context_tokens), ..Target::default() }
}

fn too_long() -> Fault {
    fault(Kind::ResourceExhausted, Code::ContextTooLong).with_blame(Blame::Caller).with_retry(Retry::Never)
}

fn silent() -> Fault {
    fault(Kind::NetworkTimeout, Code::Timeout)
}

/// Breakers that say no for some targets, and whether panic is allowed.
#[derive(Default)]
struct Says {
    closed: Vec<(usize, Moment)>,
    panic: bool,
    retries: u32,
    hedges: u32,
}

impl Allowances for Says {
    fn retry(&mut self, _: Moment) -> bool {
        let left = self.retries > 0;
        self.retries = self.retries.saturating_sub(1);
        left
    }

    fn admit(&mut self, target: usize, _: Moment, _: u64) -> Result<(), Refused> {
        let closed = self.closed.iter().find(|(closed, _)| *closed == target);
        closed.map_or(Ok(()), |(_, until)| Err(Refused { until: *until, cause: Cause::BreakerOpen }))
    }

    fn panic(&mut self, _: usize, _: Moment) -> bool {
        self.panic
    }

    fn hedge_after(&self, _: usize, _: Moment) -> Option<Duration> {
        (self.hedges > 0).then_some(SECOND)
    }

    fn hedge(&mut self, _: usize, _: Moment) -> bool {
        let left = self.hedges > 0;
        self.hedges = self.hedges.saturating_sub(1);
        left
    }
}

#[test]
fn a_condition_keeps_a_target_for_its_case() {
    let targets =
        [Target::default(), only(&[Cause::RateLimited]), only(&[Cause::Silent, Cause::BreakerOpen])];
    let mut machine = on(&targets);
    machine.next(Event::Start, at(0));
    assert_eq!(sent(&machine.next(Event::Failed(silent()), at(1))), (2, 2));
    assert_eq!(machine.met(), [Cause::Silent].into_iter().collect::<Causes>());
    // Nothing was limited, so the second target is not there for this call.
    assert_eq!(machine.next(Event::Failed(silent()), at(2)), Step::Finish(Err(silent())));

    let mut machine = on(&targets);
    let mut says = Says { closed: vec![(0, at(9))], ..Says::default() };
    match machine.next_with(Event::Start, at(0), &mut says) {
        Step::Send(send) => assert_eq!((send.target, send.attempt, send.role), (2, 1, Role::Fallback)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_route_of_conditions_only_says_so() {
    let mut machine = on(&[only(&[Cause::Silent])]);
    match machine.next(Event::Start, at(0)) {
        Step::Finish(Err(fault)) => assert_eq!((fault.code, fault.blame), (Code::BadConfig, Blame::Operator)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn priority_comes_before_order_and_the_balance_chooses_among_equals() {
    let with = |priority| Target { priority, ..Target::default() };
    let order = |machine: &mut Machine| {
        let mut step = machine.next(Event::Start, at(0));
        let mut order = Vec::new();
        while let Step::Send(send) = step {
            order.push(send.target);
            step = machine.next(Event::Failed(silent()), at(0));
        }
        order
    };
    let targets = [with(1), with(0), with(0), with(2)];
    assert_eq!(order(&mut on(&targets)), [1, 2, 0, 3]);
    assert_eq!(order(&mut on(&targets).preferring(2)), [2, 1, 0, 3]);
    assert_eq!(order(&mut on(&targets).preferring(3)), [1, 2, 0, 3], "not before a better priority");
}

#[test]
fn a_prompt_that_is_too_long_goes_to_a_larger_context_or_back() {
    let mut machine = on(&[holds(8_000), holds(4_000), Target::default(), holds(128_000)]);
    machine.next(Event::Start, at(0));
    assert_eq!(sent(&machine.next(Event::Failed(too_long()), at(0))), (3, 2));
    // Once too small, always too small: no way back to the little ones.
    assert_eq!(machine.next(Event::Failed(silent()), at(0)), Step::Finish(Err(silent())));

    let mut machine = on(&[holds(8_000), holds(8_000), Target::default()]);
    machine.next(Event::Start, at(0));
    assert_eq!(machine.next(Event::Failed(too_long()), at(0)), Step::Finish(Err(too_long())));

    let unknown = [Target::default(), holds(8_000), holds(128_000)];
    let mut machine = on(&unknown);
    machine.next(Event::Start, at(0));
    assert_eq!(machine.next(Event::Failed(too_long()), at(0)), Step::Finish(Err(too_long())));
    let mut machine = on(&unknown).needing(20_000);
    machine.next(Event::Start, at(0));
    assert_eq!(sent(&machine.next(Event::Failed(too_long()), at(0))), (2, 2));
}

#[test]
fn a_refusal_for_content_is_routed_around_only_where_the_route_says_so() {
    let refused = fault(Kind::Permanent, Code::ContentFiltered).with_provider_reason("content_filter");
    for (filtered, attempts) in [(Filtered::Return, 1), (Filtered::RouteAround, 2)] {
        let route = Route { filtered, ..Route::plain(2, Policy::default()) };
        let mut machine = Machine::on(Arc::new(route), Timeouts::default(), (at(0), None), 7);
        machine.next(Event::Start, at(0));
        let step = machine.next(Event::Failed(refused.clone()), at(0));
        match filtered {
            Filtered::Return => assert_eq!(step, Step::Finish(Err(refused.clone()))),
            Filtered::RouteAround => assert_eq!(sent(&step), (1, 2)),
        }
        assert_eq!(machine.attempts(), attempts);
    }
}

#[test]
fn closed_targets_are_skipped_and_the_soonest_is_told() {
    let mut says = Says { closed: vec![(0, at(9))], ..Says::default() };
    assert_eq!(sent(&machine(2, 1).next_with(Event::Start, at(0), &mut says)), (1, 1));
    says.closed.push((1, at(4)));
    match machine(2, 1).next_with(Event::Start, at(1), &mut says) {
        Step::Finish(Err(fault)) => {
            assert_eq!((fault.kind, fault.retry), (Kind::Throttling, Retry::After(3 * SECOND)));
        }
        other => panic!("{other:?}"),
    }
    // After a real failure that is what the caller learns.
    let mut first_only = Says { closed: vec![(1, at(4))], ..Says::default() };
    let mut machine = machine(2, 1);
    machine.next_with(Event::Start, at(0), &mut first_only);
    assert_eq!(
        machine.next_with(Event::Failed(overloaded()), at(1), &mut first_only),
        Step::Finish(Err(overloaded()))
    );
}

#[test]
fn panic_is_one_attempt_without_a_retry() {
    let mut says = Says { closed: vec![(0, at(9)), (1, at(9))], panic: true, retries: 9, ..Says::default() };
    let mut machine = machine(2, 5);
    match machine.next_with(Event::Start, at(0), &mut says) {
        Step::Send(send) => assert_eq!((send.target, send.role), (0, Role::Panic)),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        machine.next_with(Event::Failed(overloaded()), at(0), &mut says),
        Step::Finish(Err(overloaded()))
    );
}

#[test]
fn a_breaker_that_opens_during_the_wait_ends_the_waiting() {
    let mut says = Says { retries: 9, ..Says::default() };
    let mut machine = machine(2, 5);
    machine.next_with(Event::Start, at(0), &mut says);
    let Step::Sleep(until) = machine.next_with(Event::Failed(overloaded()), at(0), &mut says) else {
        panic!("no wait")
    };
    says.closed.push((0, at(99)));
    assert_eq!(sent(&machine.next_with(Event::Woke, until, &mut says)), (1, 2));
}

#[test]
fn without_a_permission_nothing_is_retried() {
    let mut says = Says { retries: 1, ..Says::default() };
    let mut machine = machine(2, 5);
    machine.next_with(Event::Start, at(0), &mut says);
    let mut seen = Vec::new();
    loop {
        match machine.next_with(Event::Failed(overloaded()), at(1), &mut says) {
            Step::Sleep(until) => seen.push(sent(&machine.next_with(Event::Woke, until, &mut says))),
            Step::Send(send) => seen.push((send.target, send.attempt)),
            _ => break,
        }
    }
    assert_eq!(seen, [(0, 2), (1, 3)], "one retry, then the fallback, then the end");
}

#[test]
fn a_kind_of_fault_has_its_own_number_of_tries() {
    let retry =
        Rules::from(Policy { attempts: 4, ..Policy::default() }).with(Kind::DependencyFailure, Policy::NEVER);
    let mut machine = Machine::on(Arc::new(Route::plain(2, retry)), Timeouts::default(), (at(0), None), 7);
    machine.next(Event::Start, at(0));
    assert_eq!(sent(&machine.next(Event::Failed(overloaded()), at(0))), (1, 2), "never again for this kind");
    let throttled = fault(Kind::Throttling, Code::ProviderError);
    let step = machine.next(Event::Failed(throttled), at(0));
    assert_eq!(sent(&after_wait(&mut machine, step)), (1, 3));
}

#[test]
fn a_backup_runs_beside_the_slow_one_and_the_call_goes_on_with_the_survivor() {
    let mut says = Says { hedges: 2, ..Says::default() };
    let mut machine = machine(3, 1);
    let Step::Send(first) = machine.next_with(Event::Start, at(0), &mut says) else { panic!("no send") };
    assert_eq!(first.hedge_at, Some(at(1)));
    let backup = machine.slow(at(1), &mut says).unwrap();
    assert_eq!((backup.target, backup.attempt, backup.role, backup.hedge_at), (1, 2, Role::Backup, None));
    assert_eq!(machine.slow(at(2), &mut says), None, "one backup a call");
    machine.fell(first.attempt, &overloaded());
    match machine.next_with(Event::Failed(overloaded()), at(3), &mut says) {
        Step::Send(third) => assert_eq!((third.target, third.attempt, third.hedge_at), (2, 3, None)),
        other => panic!("{other:?}"),
    }
    assert_eq!(machine.next_with(Event::Committed, at(4), &mut says), Step::Emit);
    assert_eq!(machine.slow(at(5), &mut says), None, "the caller sees the answer already");
}

#[test]
fn no_backup_is_planned_for_after_an_attempts_own_deadline() {
    let hedge_at = |whole: bool, timeouts: Timeouts| {
        let mut says = Says { hedges: 1, ..Says::default() };
        let mut machine = Machine::new(2, retry::Policy::default(), timeouts, (at(0), None), 7);
        if whole {
            machine = machine.whole();
        }
        let Step::Send(first) = machine.next_with(Event::Start, at(0), &mut says) else { panic!("no send") };
        (first.answer_by, first.hedge_at)
    };
    // The one deadline of silence: a stream's is `first_token`, a plain answer's is `answer`.
    let timeouts = Timeouts { first_token: SECOND, answer: Some(2 * SECOND), ..Timeouts::default() };
    assert_eq!(hedge_at(false, timeouts), (at(1), None));
    assert_eq!(hedge_at(true, timeouts), (at(2), Some(at(1))));
    let timeouts = Timeouts { first_token: 2 * SECOND, answer: Some(SECOND), ..Timeouts::default() };
    assert_eq!(hedge_at(false, timeouts), (at(2), Some(at(1))));
    assert_eq!(hedge_at(true, timeouts), (at(1), None));
}

#[test]
fn an_attempt_that_is_withheld_was_none_and_the_call_goes_on_elsewhere() {
    let used_up = || fault(Kind::RateLimit, Code::LimitExceeded).with_blame(Blame::Caller);
    let mut machine = on(&[Target::default(), only(&[Cause::Silent]), only(&[Cause::RateLimited])]);
    machine.next(Event::Start, at(0));
    assert_eq!(
        sent(&machine.next(Event::Withheld(used_up()), at(0))),
        (2, 1),
        "by its condition, and number one"
    );
    assert_eq!(machine.next(Event::Withheld(used_up()), at(0)), Step::Finish(Err(used_up())));
    assert_eq!(machine.attempts(), 0);

    let mut says = Says { hedges: 2, ..Says::default() };
    let mut machine = self::machine(3, 1);
    machine.next_with(Event::Start, at(0), &mut says);
    assert_eq!(machine.slow(at(1), &mut says).map(|backup| backup.target), Some(1));
    machine.no_backup();
    assert_eq!((machine.attempts(), machine.slow(at(2), &mut says)), (1, None), "it was the only one");
    let step = machine.next_with(Event::Failed(overloaded()), at(3), &mut says);
    assert_eq!(sent(&step), (2, 2), "the backup's target has nothing left");
}

#[test]
fn no_backup_without_another_target_or_a_permission() {
    let mut says = Says { hedges: 1, ..Says::default() };
    let mut alone = machine(1, 1);
    alone.next_with(Event::Start, at(0), &mut says);
    assert_eq!(alone.slow(at(1), &mut says), None);
    let mut pair = machine(2, 1);
    pair.next_with(Event::Start, at(0), &mut says);
    assert_eq!(pair.slow(at(1), &mut Says::default()), None);
    assert_eq!(pair.slow(at(60), &mut says), None, "not after the deadline");
    assert_eq!((alone.attempts(), pair.attempts()), (1, 1));
}

/// The real allowances over a route of three: an outage opens breaker after breaker, the retry budget holds,
/// and a route that is wholly open lets one attempt a call through.
#[test]
fn guards_tie_budgets_and_breakers_to_the_machine() {
    let judge = Arc::new(Judge::default());
    let healths: Vec<Health> = (0..3).map(|_| Health::new(Arc::clone(&judge))).collect();
    let (route, overall) = (Budget::new(Share { per_thousand: 100, floor: 0 }), Budget::default());
    let plan = Arc::new(Route::plain(3, Policy { attempts: 3, ..Policy::default() }));
    let (mut retries, mut panics) = (0, 0);
    for call in 0..100_u64 {
        let mut now = at(1) + Duration::from_millis(call);
        let mut guards = Guards::new(3, |target| healths.get(target).map(Known::from));
        let budgets = Budgets { route: &route, overall: &overall };
        budgets.call(now);
        guards.budgets = Some(budgets);
        let mut machine = Machine::on(Arc::clone(&plan), Timeouts::default(), (now, None), call);
        let mut step = machine.next_with(Event::Start, now, &mut guards);
        let mut attempts = 0;
        loop {
            match step {
                Step::Send(send) => {
                    attempts += 1;
                    retries += u32::from(send.role == Role::Again);
                    panics += u32::from(send.role == Role::Panic);
                    let permit = guards.permit().unwrap();
                    permit.settle(crate::breaker::Sample::Failed, now, call);
                    step = machine.next_with(Event::Failed(overloaded()), now, &mut guards);
                }
                Step::Sleep(until) => {
                    now = now.max(until.min(now + Duration::from_millis(1)));
                    step = machine.next_with(Event::Woke, now, &mut guards);
                }
                _ => break,
            }
        }
        assert!(attempts <= 9);
    }
    assert!(retries <= 10, "{retries} retries of 100 calls");
    assert!(panics > 50, "all three were open for most of the calls: {panics}");
    let open =
        healths.iter().filter(|health| health.breaker.state(at(1) + 100 * SECOND / 1_000) == State::Open);
    assert_eq!(open.count(), 3);
    assert_eq!(healths[0].pressure(at(1)), Pressure { latency: Duration::ZERO, failing: 1.0 });
}

proptest! {
    /// With everything in play at once: attempts are numbered without a gap and bounded, a target that was
    /// left is never asked again, a closed one never (but once in panic), at most one backup, no send at or
    /// after the deadline, and the call ends.
    #[test]
    fn whatever_happens_the_call_stays_bounded(
        conditions in prop::collection::vec((0_u16..4, 0_u8..3, prop::option::of(1_u64..4)), 1..6),
        attempts in 1_u16..4,
        retries in 0_u32..6,
        hedges in 0_u32..2,
        panic: bool,
        seed: u64,
        script in prop::collection::vec((0..FAULTS.len() + 2, 0_u64..4, 0_u8..4, 0_usize..6), 40),
    ) {
        let causes = [Cause::Silent, Cause::RateLimited, Cause::BreakerOpen];
        let targets: Vec<Target> = conditions
            .iter()
            .map(|(when, priority, context)| Target {
                when: when.checked_sub(1).map(|at| causes[usize::from(at)]).into_iter().collect(),
                priority: *priority,
                context_tokens: *context,
            })
            .collect();
        let retry = Policy { attempts, ..Policy::default() };
        let route = Route {
            targets: targets.into(),
            retry: retry.into(),
            filtered: Filtered::RouteAround,
            ..Route::default()
        };
        let count = route.targets.len();
        let timeouts = Timeouts { total: 60 * SECOND, ..Timeouts::default() };
        let mut machine = Machine::on(Arc::new(route), timeouts, (at(0), None), seed);
        let mut says = Says { panic, retries, hedges, ..Says::default() };
        let mut script = script.into_iter().cycle();
        let mut now = at(0);
        let mut step = machine.next_with(Event::Start, now, &mut says);
        let (mut tries, mut left) = (vec![0_u16; count], vec![false; count]);
        let (mut last, mut backups, mut current) = (0, 0, None);
        for _ in 0..200 {
            match step {
                Step::Send(send) => {
                    prop_assert!(now < send.total_by && send.answer_by <= send.total_by);
                    prop_assert_eq!(send.attempt, last + 1);
                    prop_assert!(!left[send.target]);
                    let closed = says.closed.iter().any(|(target, _)| *target == send.target);
                    prop_assert_eq!(closed, send.role == Role::Panic);
                    if let Some(before) = current.filter(|before| *before != send.target) {
                        left[before] = true;
                    }
                    tries[send.target] += 1;
                    prop_assert!(tries[send.target] <= attempts);
                    (last, current) = (send.attempt, Some(send.target));
                    let (which, took, pair, closes) = script.next().unwrap();
                    if (took, pair) == (3, 3) {
                        (last, left[send.target], current) = (last - 1, true, None);
                        tries[send.target] -= 1;
                        step = machine.next_with(Event::Withheld(silent()), now, &mut says);
                        continue;
                    }
                    now = now + SECOND * u32::try_from(took).unwrap();
                    if pair == 0 && let Some(backup) = machine.slow(now, &mut says) {
                        backups += 1;
                        prop_assert!(now < backup.total_by);
                        prop_assert!(backup.target != send.target && !left[backup.target]);
                        prop_assert_eq!(backup.attempt, last + 1);
                        last = backup.attempt;
                        tries[backup.target] += 1;
                        let fallen = if took % 2 == 0 { send } else { backup };
                        machine.fell(fallen.attempt, &silent());
                        left[fallen.target] = true;
                        current = Some(if took % 2 == 0 { backup.target } else { send.target });
                    }
                    if closes < count {
                        says.closed = vec![(closes, now + SECOND)];
                    } else if closes == 5 {
                        says.closed = (0..count).map(|target| (target, now + SECOND)).collect();
                    }
                    let failure = match FAULTS.get(which) {
                        Some((kind, code)) => fault(*kind, *code),
                        None if which == FAULTS.len() => too_long(),
                        None => fault(Kind::Permanent, Code::ContentFiltered),
                    };
                    step = machine.next_with(Event::Failed(failure), now, &mut says);
                }
                Step::Sleep(until) => {
                    prop_assert!(until > now && until < machine.total_by());
                    now = until;
                    step = machine.next_with(Event::Woke, now, &mut says);
                }
                Step::Emit => prop_assert!(false, "nothing was committed"),
                Step::Finish(end) => {
                    prop_assert!(end.is_err());
                    prop_assert!(usize::from(last) <= count * usize::from(attempts));
                    prop_assert!(backups <= 1);
                    return Ok(());
                }
            }
        }
        prop_assert!(false, "the call did not end");
    }
}

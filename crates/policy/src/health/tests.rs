//! What the whole of it costs a call that goes well.

use std::time::Instant;

use super::*;
use crate::attempt::{Event, Machine, Route, Step};
use crate::breaker::Sample;
use crate::retry::{Budget, Policy};
use crate::{Timeouts, hedge};

/// Not a benchmark: the build is not optimised. Even so a call's budgets, breaker, latency and tally together
/// stay far from what would be seen.
#[test]
fn a_good_call_costs_little() {
    let health = Health::new(Arc::new(Judge::default()));
    let (route, overall) = (Budget::default(), Budget::default());
    let hedger = Hedger::new(hedge::Settings { on: true, ..hedge::Settings::default() });
    let plan = Arc::new(Route::plain(1, Policy::default()));
    let calls = 20_000_u32;
    let began = Instant::now();
    for call in 0..calls {
        let now = Moment::from_nanos(u64::from(call) * 1_000_000);
        let budgets = Budgets { route: &route, overall: &overall };
        budgets.call(now);
        hedger.call(now, Money::from_pico(1_000_000_000));
        let mut guards = Guards::new(1, |_| Some(Known::from(&health)));
        guards.budgets = Some(budgets);
        guards.adaptive = Some(Adaptive::upto(Duration::from_secs(60)));
        guards.hedging =
            Some(Hedging { hedger: &hedger, cost: Money::from_pico(1_000_000_000), load: 0.1, whole: None });
        let mut machine = Machine::on(Arc::clone(&plan), Timeouts::default(), (now, None), u64::from(call));
        let step = machine.next_with(Event::Start, now, &mut guards);
        assert!(matches!(step, Step::Send(_)));
        let permit = guards.permit().unwrap();
        assert_eq!(permit.settle(Sample::Good, now, 0), None);
        health.first_token.record(now, Duration::from_millis(300));
        health.total.record(now, Duration::from_millis(900));
        health.tally.record(now, None);
        assert_eq!(machine.next_with(Event::Completed, now, &mut guards), Step::Finish(Ok(())));
    }
    let each = began.elapsed() / calls;
    println!("budgets, breaker, latency, hedging, tally and machine: {each:?} a call, unoptimised");
    assert!(each < Duration::from_micros(100), "{each:?}");
}

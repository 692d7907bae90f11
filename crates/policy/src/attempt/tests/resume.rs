//! Streams that break after their first content, on routes that continue them.

use std::sync::Arc;

use proptest::prelude::*;
use types::{Code, Fault, Kind, Moment, Progress};

use super::{after_wait, at, fault, overloaded, sent};
use crate::attempt::{Allowances, Event, Machine, Route, Step, StreamFailure};
use crate::{Timeouts, retry};

fn continuing(targets: usize, attempts: u16) -> Machine {
    let retry = retry::Policy { attempts, ..retry::Policy::default() };
    let route = Route { stream_failure: StreamFailure::Continue, ..Route::plain(targets, retry) };
    Machine::on(Arc::new(route), Timeouts::default(), (at(0), None), 7)
}

fn cut() -> Fault {
    fault(Kind::InvalidResponse, Code::StreamCut).with_progress(Progress::Streaming)
}

fn begun(machine: &mut Machine) {
    machine.next(Event::Start, at(0));
    assert_eq!(machine.next(Event::Committed, at(0)), Step::Emit);
}

#[test]
fn the_rest_is_asked_for_as_an_answer_would_be() {
    let mut machine = continuing(2, 2);
    begun(&mut machine);
    let mut seen = Vec::new();
    for attempt in 1..=3 {
        let step = machine.next(Event::Broken(attempt, cut()), at(1));
        seen.push(sent(&after_wait(&mut machine, step)));
        assert_eq!(machine.next(Event::Committed, at(1)), Step::Emit);
    }
    assert_eq!(seen, [(0, 2), (1, 3), (1, 4)]);
    let end = machine.next(Event::Broken(4, cut()), at(2));
    assert!(matches!(end, Step::Finish(Err(fault)) if fault.code == Code::StreamCut));
}

#[test]
fn whoever_fell_silent_in_the_middle_is_not_asked_for_the_rest() {
    let mut machine = continuing(2, 3);
    begun(&mut machine);
    let silent = fault(Kind::NetworkTimeout, Code::StreamStalled).with_progress(Progress::Streaming);
    assert_eq!(sent(&machine.next(Event::Broken(1, silent), at(1))), (1, 2));
}

#[test]
fn where_the_route_does_not_say_so_nothing_is_asked_for() {
    let mut machine = Machine::new(2, retry::Policy::default(), Timeouts::default(), (at(0), None), 7);
    begun(&mut machine);
    assert_eq!(machine.next(Event::Broken(1, cut()), at(1)), Step::Finish(Err(cut())));
}

#[test]
fn who_refuses_the_beginning_is_asked_once_more_without_it() {
    let mut machine = continuing(2, 1);
    begun(&mut machine);
    assert_eq!(sent(&machine.next(Event::Broken(1, cut()), at(1))), (1, 2));
    let refused = fault(Kind::Validation, Code::ProviderError);
    assert_eq!(sent(&machine.next(Event::Unsuited(refused.clone()), at(1))), (1, 3));
    assert!(matches!(machine.next(Event::Unsuited(refused), at(1)), Step::Finish(Err(_))));
}

#[test]
fn the_loser_of_a_race_may_be_asked_for_the_rest() {
    struct Hedges;
    impl Allowances for Hedges {
        fn hedge(&mut self, _: usize, _: Moment) -> bool {
            true
        }
    }
    let mut machine = continuing(2, 1);
    machine.next(Event::Start, at(0));
    let backup = machine.slow(at(1), &mut Hedges).unwrap();
    assert_eq!((backup.target, backup.attempt), (1, 2));
    assert_eq!(machine.next(Event::Committed, at(1)), Step::Emit);
    assert_eq!(sent(&machine.next(Event::Broken(2, cut()), at(2))), (0, 3));
}

#[test]
fn the_deadline_and_the_budget_hold_for_the_rest() {
    struct Never;
    impl Allowances for Never {
        fn retry(&mut self, _: Moment) -> bool {
            false
        }
    }
    let mut machine = continuing(1, 3);
    begun(&mut machine);
    assert!(matches!(machine.next_with(Event::Broken(1, cut()), at(1), &mut Never), Step::Finish(Err(_))));
    let mut machine = continuing(3, 3);
    begun(&mut machine);
    let late = machine.total_by();
    assert!(matches!(machine.next(Event::Broken(1, cut()), late), Step::Finish(Err(_))));
}

proptest! {
    /// Whatever comes back, a call ends, within its bound of attempts.
    #[test]
    fn a_call_that_is_continued_ends(
        targets in 1..5_usize,
        tries in 1..4_u16,
        events in prop::collection::vec(0..4_u8, 200),
    ) {
        let mut machine = continuing(targets, tries);
        let mut step = machine.next(Event::Start, at(0));
        let mut attempts = 0;
        for event in events {
            step = match after_wait(&mut machine, step) {
                Step::Send(send) => {
                    attempts += 1;
                    let event = match event {
                        0 | 1 => {
                            machine.next(Event::Committed, at(1));
                            Event::Broken(send.attempt, cut())
                        }
                        2 => Event::Failed(overloaded()),
                        _ => Event::Unsuited(fault(Kind::Validation, Code::ProviderError)),
                    };
                    machine.next(event, at(1))
                }
                Step::Finish(_) => return Ok(()),
                Step::Emit | Step::Sleep(_) => unreachable!(),
            };
            prop_assert!(attempts <= targets * usize::from(tries + 1), "{attempts}");
        }
        prop_assert!(false, "it never ended");
    }
}

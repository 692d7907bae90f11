mod fallback;
mod resume;

use std::time::Duration;

use proptest::prelude::*;
use types::{Code, Fault, Kind, Moment, Progress, Retry};

use super::{Event, Machine, Step};
use crate::{Timeouts, retry};

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: u64) -> Moment {
    Moment::from_nanos(seconds * 1_000_000_000)
}

fn machine(targets: usize, attempts: u16) -> Machine {
    let retry = retry::Policy { attempts, ..retry::Policy::default() };
    Machine::new(targets, retry, Timeouts { total: 60 * SECOND, ..Timeouts::default() }, (at(0), None), 7)
}

fn fault(kind: Kind, code: Code) -> Fault {
    Fault::new(kind, code, "test")
}

fn overloaded() -> Fault {
    fault(Kind::DependencyFailure, Code::ProviderError)
}

/// Target and attempt number of a send.
fn sent(step: &Step) -> (usize, u16) {
    match step {
        Step::Send(send) => (send.target, send.attempt),
        other => panic!("expected a send, got {other:?}"),
    }
}

/// Goes through the wait, if there is one.
fn after_wait(machine: &mut Machine, step: Step) -> Step {
    match step {
        Step::Sleep(until) => machine.next(Event::Woke, until),
        other => other,
    }
}

#[test]
fn retries_on_the_same_target_and_then_falls_back_in_order() {
    let mut machine = machine(2, 2);
    let mut seen = vec![sent(&machine.next(Event::Start, at(0)))];
    for _ in 0..3 {
        let step = machine.next(Event::Failed(overloaded()), at(1));
        seen.push(sent(&after_wait(&mut machine, step)));
    }
    assert_eq!(seen, [(0, 1), (0, 2), (1, 3), (1, 4)]);
    assert_eq!(machine.next(Event::Failed(overloaded()), at(2)), Step::Finish(Err(overloaded())));
}

#[test]
fn a_plain_answer_leaves_time_for_those_behind_it() {
    let sends = |timeouts: Timeouts, targets: usize| {
        let mut machine = Machine::new(targets, retry::Policy::default(), timeouts, (at(0), None), 7).whole();
        let mut step = machine.next(Event::Start, at(0));
        let mut waits = Vec::new();
        let mut now = at(0);
        while let Step::Send(send) = step {
            waits.push(send.answer_by.since(now));
            now = send.answer_by;
            step = machine.next(Event::Failed(fault(Kind::NetworkTimeout, Code::Timeout)), now);
        }
        waits
    };
    let shared =
        Timeouts { total: 60 * SECOND, first_token: 10 * SECOND, answer: None, ..Timeouts::default() };
    assert_eq!(sends(shared, 1), [60 * SECOND]);
    assert_eq!(sends(shared, 2), [30 * SECOND, 30 * SECOND]);
    assert_eq!(sends(shared, 3), [20 * SECOND; 3]);
    // With many of them no share is shorter than the wait for a stream, as long as there is so much left.
    assert_eq!(sends(shared, 12).first(), Some(&(10 * SECOND)));
    let hurried = Timeouts { total: 8 * SECOND, ..shared };
    assert_eq!(sends(hurried, 3), [4 * SECOND, 2 * SECOND, 2 * SECOND]);
    let own = Timeouts { answer: Some(5 * SECOND), ..shared };
    assert_eq!(sends(own, 3), [5 * SECOND; 3]);
    assert_eq!(sends(own, 1), [5 * SECOND], "it holds where there is nowhere else to go, too");
}

#[test]
fn a_committed_stream_is_never_tried_again() {
    let mut machine = machine(3, 3);
    machine.next(Event::Start, at(0));
    assert_eq!(machine.next(Event::Committed, at(1)), Step::Emit);
    let cut = fault(Kind::InvalidResponse, Code::StreamCut).with_progress(Progress::Streaming);
    assert_eq!(machine.next(Event::Failed(cut.clone()), at(2)), Step::Finish(Err(cut)));
}

#[test]
fn the_callers_own_fault_ends_the_call() {
    for fault in [
        fault(Kind::Validation, Code::BadField),
        fault(Kind::Validation, Code::ContextTooLong),
        fault(Kind::Cancelled, Code::Cancelled),
        fault(Kind::Permanent, Code::ContentFiltered),
    ] {
        let mut machine = machine(2, 3);
        machine.next(Event::Start, at(0));
        assert_eq!(machine.next(Event::Failed(fault.clone()), at(0)), Step::Finish(Err(fault)));
    }
}

#[test]
fn what_only_this_target_refuses_goes_to_the_next_one() {
    for fault in [
        fault(Kind::Validation, Code::Unsupported),
        fault(Kind::Authentication, Code::ProviderKey),
        fault(Kind::Budget, Code::QuotaExceeded),
        fault(Kind::NetworkTimeout, Code::Timeout),
    ] {
        let mut machine = machine(2, 3);
        machine.next(Event::Start, at(0));
        assert_eq!(sent(&machine.next(Event::Failed(fault), at(0))), (1, 2));
    }
}

#[test]
fn retry_after_is_a_floor_and_too_long_a_wait_moves_on() {
    let limited = |wait| fault(Kind::RateLimit, Code::RateLimited).with_retry(Retry::After(wait));
    let mut patient = machine(2, 2);
    patient.next(Event::Start, at(0));
    match patient.next(Event::Failed(limited(3 * SECOND)), at(1)) {
        Step::Sleep(until) => assert!(until >= at(4) && until <= at(5), "{until:?}"),
        other => panic!("{other:?}"),
    }
    let mut moving = machine(2, 2);
    moving.next(Event::Start, at(0));
    assert_eq!(sent(&moving.next(Event::Failed(limited(30 * SECOND)), at(1))), (1, 2));
}

#[test]
fn the_callers_deadline_is_over_everything() {
    let policy = retry::Policy { attempts: 9, ..retry::Policy::default() };
    let mut machine = Machine::new(1, policy, Timeouts::default(), (at(0), Some(at(2))), 7);
    match machine.next(Event::Start, at(0)) {
        Step::Send(send) => assert_eq!((send.total_by, send.answer_by), (at(2), at(2))),
        other => panic!("{other:?}"),
    }
    assert_eq!(machine.next(Event::Failed(overloaded()), at(2)), Step::Finish(Err(overloaded())));
}

const FAULTS: [(Kind, Code); 12] = [
    (Kind::NetworkTimeout, Code::Timeout),
    (Kind::NetworkTimeout, Code::Unreachable),
    (Kind::RateLimit, Code::RateLimited),
    (Kind::InvalidResponse, Code::BadAnswer),
    (Kind::DependencyFailure, Code::ProviderError),
    (Kind::ResourceExhausted, Code::Overloaded),
    (Kind::Throttling, Code::ProviderError),
    (Kind::Validation, Code::Unsupported),
    (Kind::Validation, Code::BadField),
    (Kind::Authentication, Code::ProviderKey),
    (Kind::Permanent, Code::UnknownModel),
    (Kind::Budget, Code::QuotaExceeded),
];

proptest! {
    /// Whatever fails, a call makes at most targets × attempts attempts, numbers them without a gap, goes
    /// through the targets in order, never acts after its deadline, and ends.
    #[test]
    fn attempts_are_bounded_and_in_order(
        targets in 1_usize..5,
        attempts in 1_u16..5,
        seed: u64,
        script in prop::collection::vec((0..FAULTS.len(), 0_u64..4, prop::option::of(0_u64..20)), 64),
    ) {
        let policy = retry::Policy { attempts, ..retry::Policy::default() };
        let timeouts = Timeouts { total: 60 * SECOND, ..Timeouts::default() };
        let mut machine = Machine::new(targets, policy, timeouts, (at(0), None), seed);
        let mut now = at(0);
        let mut step = machine.next(Event::Start, now);
        let (mut last_target, mut last_attempt) = (0, 0);
        let mut script = script.into_iter().cycle();
        loop {
            match step {
                Step::Send(send) => {
                    prop_assert!(now < send.total_by);
                    prop_assert_eq!(send.attempt, last_attempt + 1);
                    prop_assert!(send.target >= last_target && send.target < targets);
                    prop_assert!(usize::from(send.attempt) <= targets * usize::from(attempts));
                    (last_target, last_attempt) = (send.target, send.attempt);
                    let (which, took, after) = script.next().unwrap();
                    now = now + SECOND * u32::try_from(took).unwrap();
                    let (kind, code) = FAULTS[which];
                    let mut failure = fault(kind, code);
                    if let Some(seconds) = after {
                        failure = failure.with_retry(Retry::After(Duration::from_secs(seconds)));
                    }
                    step = machine.next(Event::Failed(failure), now);
                }
                Step::Sleep(until) => {
                    prop_assert!(until > now && until < machine.total_by());
                    now = until;
                    step = machine.next(Event::Woke, now);
                }
                Step::Emit => prop_assert!(false, "nothing was committed"),
                Step::Finish(end) => {
                    prop_assert!(end.is_err());
                    break;
                }
            }
        }
    }
}

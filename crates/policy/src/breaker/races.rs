//! Every order in which threads may meet at a half-open breaker (`loom`): never more probes than permits, and
//! none is lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use loom::sync::atomic::AtomicU32;
use loom::thread;
use types::Moment;

use super::{Breaker, Judge, Sample, Settings, State};

fn opened(probes: u16) -> (Arc<Breaker>, Moment) {
    let judge = Arc::new(Judge::new(Settings { probes, ..Settings::default() }));
    let breaker = Arc::new(Breaker::new(judge));
    let sign = crate::analysis::Sign::default();
    let change = breaker.open_early(Moment::from_nanos(1), 7, sign).unwrap();
    (breaker, change.until.unwrap())
}

fn every_order(probes: u16, threads: u32, end: fn(super::Permit, Moment)) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(move || {
        let (breaker, until) = opened(probes);
        let running = Arc::new(AtomicU32::new(0));
        let ask = move |breaker: &Arc<Breaker>, running: &AtomicU32| {
            let Ok(permit) = breaker.admit(until, 11) else { return };
            if permit.is_probe() {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                assert!(now <= u32::from(probes), "{now} probes at once");
                running.fetch_sub(1, Ordering::SeqCst);
            }
            end(permit, until);
        };
        let others: Vec<_> = (1..threads)
            .map(|_| {
                let (breaker, running) = (Arc::clone(&breaker), Arc::clone(&running));
                thread::spawn(move || ask(&breaker, &running))
            })
            .collect();
        ask(&breaker, &running);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(breaker.lock().probes(), 0, "every permit came back");
    });
}

#[test]
fn probes_whose_callers_go_away() {
    every_order(1, 3, |permit, _| drop(permit));
}

#[test]
fn probes_that_fail_and_open_it_again() {
    every_order(1, 2, |permit, now| {
        permit.settle(Sample::Failed, now, 3);
    });
}

#[test]
fn probes_that_go_well() {
    every_order(2, 2, |permit, now| {
        permit.settle(Sample::Good, now, 3);
    });
}

#[test]
fn of_two_that_would_open_it_one_does() {
    loom::model(|| {
        let judge = Arc::new(Judge::new(Settings { streak: (1, 1), ..Settings::default() }));
        let breaker = Arc::new(Breaker::new(judge));
        let opened = Arc::new(AtomicU32::new(0));
        let fail = |breaker: &Arc<Breaker>, opened: &AtomicU32| {
            let now = Moment::from_nanos(5);
            let Ok(permit) = breaker.admit(now, 1) else { return };
            let change = permit.settle(Sample::Failed, now, 2);
            opened.fetch_add(
                u32::from(change.is_some_and(|change| change.to == State::Open)),
                Ordering::SeqCst,
            );
        };
        let other = {
            let (breaker, opened) = (Arc::clone(&breaker), Arc::clone(&opened));
            thread::spawn(move || fail(&breaker, &opened))
        };
        fail(&breaker, &opened);
        other.join().unwrap();
        assert_eq!(opened.load(Ordering::SeqCst), 1);
    });
}

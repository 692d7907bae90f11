//! Storms: what must always hold does, whatever is thrown at the engine. And it is looked for: a run that was tampered
//! with is found out.

use simulation::studies::{Asked, Size, storm, storm_of};
use simulation::{Fate, Run, Scenario, broken, drive};
use types::ledger::Outcome;

use crate::TRACES;

const CALLS: u32 = 24;

fn asked(seed: u64) -> Asked<'static> {
    Asked { traces: &TRACES, seed, size: Size::Small }
}

/// In four parts, which run side by side.
fn storms(part: u64) {
    const EACH: u64 = 400;
    let found = (part * EACH..(part + 1) * EACH).filter_map(|seed| storm(&asked(seed), CALLS).err());
    let found: Vec<String> = found.map(|error| error.to_string()).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn what_must_always_hold_does_1() {
    storms(0);
}

#[test]
fn what_must_always_hold_does_2() {
    storms(1);
}

#[test]
fn what_must_always_hold_does_3() {
    storms(2);
}

#[test]
fn what_must_always_hold_does_4() {
    storms(3);
}

#[test]
fn what_goes_in_panic_may_meet_a_breaker_whose_probes_are_out() {
    storm(&asked(865), 60).unwrap();
}

#[test]
fn the_same_seed_gives_the_same_run_byte_for_byte() {
    for seed in 0..8 {
        let (scenario, _) = storm_of(&asked(seed), 60);
        let text = |seed| drive(&scenario, seed).unwrap().text();
        let (one, two) = (text(seed), text(seed));
        assert!(one.len() > 1_000);
        assert!(one == two, "seed {seed} gave two runs");
        assert_ne!(one, text(seed + 1_000), "luck plays a part");
    }
}

#[test]
fn storms_have_everything_in_them() {
    let mut seen = std::collections::BTreeMap::new();
    let mut count = |what: String| *seen.entry(what).or_insert(0_u32) += 1;
    for seed in 0..40 {
        let (scenario, _) = storm_of(&asked(seed), 60);
        let run = drive(&scenario, seed).unwrap();
        run.visits.iter().for_each(|visit| count(format!("{:?}", visit.fate)));
        run.changes.iter().for_each(|change| count(format!("breaker {}", change.to)));
        for row in &run.rows {
            count(row.outcome.as_str().to_owned());
            count(format!("attempt {}", row.key.attempt.min(3)));
        }
        run.standings.iter().for_each(|(_, standing)| {
            if standing.places.iter().any(|places| places.waiting > 0) {
                count("waiting".to_owned());
            }
        });
    }
    println!("{seen:#?}");
    let wanted = [
        "Served",
        "Trouble",
        "Busy",
        "Limited",
        "breaker open",
        "breaker half_open",
        "breaker ramping",
        "complete",
        "failed",
        "cut",
        "stalled",
        "hung_up",
        "attempt 1",
        "attempt 2",
        "attempt 3",
        "waiting",
    ];
    let missing: Vec<_> = wanted.iter().filter(|what| !seen.contains_key(**what)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// A storm with a call in it that was tried more than once.
fn lively() -> (Scenario, Run, simulation::Promises) {
    for seed in 0.. {
        let (scenario, promises) = storm_of(&asked(seed), 60);
        let run = drive(&scenario, seed).unwrap();
        if run.rows.iter().any(|row| row.key.attempt > 1 && row.outcome == Outcome::Complete)
            && run.changes.iter().any(|change| change.to == "open")
        {
            return (scenario, run, promises);
        }
    }
    unreachable!()
}

#[test]
fn a_run_that_was_tampered_with_is_found_out() {
    let check = |what: &str, tamper: &dyn Fn(&mut Run)| {
        let (scenario, mut run, promises) = lively();
        assert!(broken(&scenario, &run, &promises).is_empty());
        tamper(&mut run);
        assert!(!broken(&scenario, &run, &promises).is_empty(), "{what} was not found out");
    };
    check("a lost row", &|run| drop(run.rows.pop()));
    check("a row twice", &|run| {
        let row = run.rows[0].clone();
        run.rows.insert(0, row);
    });
    check("a request without a row", &|run| {
        let visit = run.visits[0];
        run.visits.push(visit);
    });
    check("a call without an end", &|run| run.seen[0].end = simulation::End::Never);
    check("a place that is held", &|run| run.busy = 1);
    check("a call in flight", &|run| run.left.1 = 1);
    check("somebody who waits", &|run| run.left.0.places[0].waiting = 1);
    check("a long wait", &|run| {
        let seen = run.seen.iter_mut().find(|seen| matches!(seen.end, simulation::End::Refused(_)));
        let seen = seen.unwrap();
        seen.over += std::time::Duration::from_secs(30);
        seen.id = None;
    });
    check("a breaker that lets all through", &|run| {
        let open = run.changes.iter().find(|change| change.to == "open").unwrap().clone();
        run.changes = vec![simulation::Change { at: std::time::Duration::ZERO, ..open }];
    });
    check("two answers", &|run| {
        let at =
            run.rows.iter().position(|row| row.key.attempt > 1 && row.outcome == Outcome::Complete).unwrap();
        run.rows[at - 1].outcome = Outcome::Complete;
    });
    assert_ne!(Fate::Served, Fate::Busy);
}

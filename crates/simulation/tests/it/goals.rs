//! The studies in small: every goal that is met stays met, and every miss is known by name. The same in large stands in
//! `bench/results/stays-up.json`.

use simulation::studies::{STUDIES, Size};

use crate::TRACES;

/// Seeds of each study.
const SEEDS: u64 = 2;

/// What is missed, and why. A line that is no longer true is a failure, too.
const MISSED: &[&str] = &[];

fn judge(name: &str) {
    let study = STUDIES.iter().find(|study| study.name == name).unwrap();
    let figures = study.over(&TRACES, 1..=SEEDS, Size::Small).unwrap_or_else(|error| panic!("{error}"));
    let mut wrong = Vec::new();
    for figure in figures {
        let full = format!("{name}.{}", figure.name);
        println!("{full} = {:.4} {} ({:?})", figure.value, figure.unit, figure.goal);
        if figure.goal.met(figure.value) == MISSED.contains(&&*full) {
            wrong.push(full);
        }
    }
    assert!(wrong.is_empty(), "not as expected: {wrong:?}");
}

macro_rules! goals {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            judge(stringify!($name));
        })*

        #[test]
        fn all_studies_are_asked() {
            let asked = [$(stringify!($name)),*];
            assert_eq!(STUDIES.iter().map(|study| study.name).collect::<Vec<_>>(), asked);
        }
    };
}

goals! {
    steady
    outage_of_one
    brown_out
    outage_of_all
    outage_of_all_without_breakers
    flapping
    cut_streams
    capacity_halves
    ten_tenants
    told_limits
    declared_limits
    hedging
    slowdown
    balance
}

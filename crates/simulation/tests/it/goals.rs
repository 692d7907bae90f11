//! The studies in small: what is met stays met. The same in large, with what is missed, stands in
//! `bench/results/stays-up.json`.

use simulation::studies::{STUDIES, Size};

use crate::TRACES;

/// Seeds of each study.
const SEEDS: u64 = 2;

/// Too close to the goal for two seeds to tell; judged in the large version only.
const CLOSE: &[&str] = &["capacity_halves.goodput_of_the_oracle", "told_limits.used_of_the_requests"];

fn judge(name: &str) {
    let study = STUDIES.iter().find(|study| study.name == name).unwrap();
    let figures = study.over(&TRACES, 1..=SEEDS, Size::Small).unwrap_or_else(|error| panic!("{error}"));
    let mut wrong = Vec::new();
    for figure in figures {
        let full = format!("{name}.{}", figure.name);
        println!("{full} = {:.4} {} ({:?})", figure.value, figure.unit, figure.goal);
        if !figure.goal.met(figure.value) && !CLOSE.contains(&full.as_str()) {
            wrong.push(full);
        }
    }
    assert!(wrong.is_empty(), "missed: {wrong:?}");
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
    breaker_alone
    prefixes_alone
}

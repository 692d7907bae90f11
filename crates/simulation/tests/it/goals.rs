//! The studies in small, with the goals that they meet. What is missed in the large version stands in
//! `bench/results/stays-up.json`.

use simulation::studies::{STUDIES, Size};

use crate::TRACES;

fn show(name: &str, seeds: u64) {
    let study = STUDIES.iter().find(|study| study.name == name).unwrap();
    let figures = study.over(&TRACES, 1..=seeds, Size::Small).unwrap_or_else(|error| panic!("{error}"));
    for figure in figures {
        let met = if figure.goal.met(figure.value) { "" } else { "MISSED" };
        println!("{name}.{} = {:.4} {} {:?} {met}", figure.name, figure.value, figure.unit, figure.goal);
    }
}

#[test]
fn look() {
    let only = std::env::var("ONLY").unwrap_or_default();
    let seeds = std::env::var("SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(2);
    for study in STUDIES.iter().filter(|study| study.name.contains(&only)) {
        let began = std::time::Instant::now();
        let _ = std::panic::catch_unwind(|| show(study.name, seeds));
        println!("  {:?}", began.elapsed());
    }
}

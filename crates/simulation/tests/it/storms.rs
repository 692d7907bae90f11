//! Thousands of storms: what must always hold does.

use simulation::studies::{Asked, Size, storm};

use crate::TRACES;

#[test]
fn what_must_always_hold_does() {
    let from = std::env::var("FROM").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    let seeds = std::env::var("SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(50);
    let mut bad = 0;
    for seed in from..from + seeds {
        if let Err(error) = storm(&Asked { traces: &TRACES, seed, size: Size::Small }, std::env::var("N").ok().and_then(|s| s.parse().ok()).unwrap_or(40)) {
            println!("{error}");
            bad += 1;
        }
    }
    assert_eq!(bad, 0);
}

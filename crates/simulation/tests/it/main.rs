//! The engine as a whole, on a driven clock.

use std::path::Path;
use std::time::{Duration, Instant};

use simulation::*;

#[test]
fn first() {
    let traces = Traces::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/traffic"))).unwrap();
    let s = Duration::from_secs;
    let mut dice = Dice::new(7, 0);
    let calls = calls(&traces.conversation, "r", (20.0, s(50)), &mut dice);
    let scenario = Scenario::new(
        "first",
        "routes: { r: { models: [one/one, two/two] } }\noverload: { memory: { enabled: false } }\n",
        vec![
            Model::new("one").trouble(s(10), s(20), Kind::Fails(500, Duration::from_millis(20))),
            Model::new("two"),
        ],
        calls,
    );
    let t = Instant::now();
    let run = drive(&scenario, 1).unwrap();
    println!("{:?} for {} calls", t.elapsed(), run.seen.len());
    let good = run.seen.iter().filter(|s| matches!(s.end, End::Good)).count();
    println!("good {good} rows {} visits {}", run.rows.len(), run.visits.len());
    for change in &run.changes { println!("{change:?}"); }
    for seen in run.seen.iter().filter(|s| !matches!(s.end, End::Good)).take(5) { println!("{seen:?}"); }
    println!("{:?}", run.left);
}

//! Ten tenants, one of them as loud as five others, at a provider that has room for half of what they want.

use super::{Asked, Figure, Goal, Size, StudyError, mean, millis, secs, sound};
use crate::dice::Dice;
use crate::drive::End;
use crate::figures::{jain, share, within};
use crate::invariants::Promises;
use crate::provider::Model;
use crate::scenario::{Scenario, calls};

const TENANTS: [&str; 10] = ["ada", "ben", "cyd", "dot", "eli", "fay", "gus", "hal", "ivy", "jon"];

/// Ten tenants.
pub(super) fn ten_tenants(asked: &Asked<'_>) -> Result<Vec<Figure>, StudyError> {
    let fair = |name: &'static str, shed: bool| one(asked, name, shed);
    let (with, served) = fair("ten_tenants", true)?;
    let (without, served_without) = fair("ten_tenants_without_shedding", false)?;
    Ok(vec![
        mean("jain", with, "index", Goal::AtLeast(0.95)),
        mean("jain_without_shedding", without, "index", Goal::AtLeast(0.95)),
        mean("goodput", served, "calls/s", Goal::None),
        mean("goodput_without_shedding", served_without, "calls/s", Goal::None),
    ])
}

/// Jain's index over the tenants' whole answers, and how many of them a second there were.
fn one(asked: &Asked<'_>, name: &'static str, shed: bool) -> Result<(f64, f64), StudyError> {
    let end = if asked.size == Size::Large { secs(300) } else { secs(60) };
    let mut dice = Dice::new(asked.seed, 8);
    let mut who = calls(&asked.traces.conversation, "r", (20.0, end), &mut dice);
    for call in &mut who {
        call.output = call.output.clamp(50, 250);
        // The first has five parts of fourteen.
        call.tenant = TENANTS.get(dice.below(14).saturating_sub(4)).copied();
    }
    let mut model = Model::new("one");
    model.places = vec![(secs(0), 16)];
    (model.first, model.write) = (millis(300), millis(8));
    let config = format!(
        "routes: {{ r: {{ models: [one/one], retry: {{ attempts: 1 }} }} }}\n\
         overload: {{ memory: {{ enabled: false }}, concurrency: {{ most: 16, wait: 10s }}, shed: {{ enabled: {shed} }} }}\n"
    );
    let scenario = Scenario::new(name, config, vec![model], who);
    let promises = Promises { targets: 1, tries: 1, wait: secs(10), ..Promises::default() };
    let run = sound(&scenario, asked.seed, &promises)?;
    // The line is long enough by then.
    let span = (secs(10), end);
    let served = |tenant: &&str| {
        let own = scenario.calls.iter().zip(&run.seen);
        let own = own.filter(|(call, seen)| {
            call.tenant == Some(*tenant) && matches!(seen.end, End::Good) && within(call.at + seen.over, span)
        });
        share(own.count(), 1)
    };
    let parts: Vec<f64> = TENANTS.iter().map(served).collect();
    let all: f64 = parts.iter().sum();
    Ok((jain(&parts), all / end.saturating_sub(secs(10)).as_secs_f64()))
}

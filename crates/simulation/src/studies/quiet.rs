//! Nothing much happens: what must not go wrong then.

use super::{Asked, BASE, Figure, Goal, Size, StudyError, mean, secs, sound, worst};
use crate::dice::Dice;
use crate::figures::{answered, firsts, quantile, queued};
use crate::invariants::Promises;
use crate::provider::{Kind, Model};
use crate::scenario::{Scenario, calls};

const ROUTE: &str = "routes: { r: { models: [one/one, two/two] } }\n";

/// Two that are well, and less to do than they can.
pub(super) fn steady(asked: &Asked<'_>) -> Result<Vec<Figure>, StudyError> {
    let span = if asked.size == Size::Large { secs(300) } else { secs(30) };
    let mut dice = Dice::new(asked.seed, 1);
    let mut who = calls(&asked.traces.conversation, "r", (12.0, span), &mut dice);
    for call in &mut who {
        call.stream = dice.unit() < 0.8;
    }
    let scenario =
        Scenario::new("steady", format!("{ROUTE}{BASE}"), vec![Model::new("one"), Model::new("two")], who);
    let run = sound(&scenario, asked.seed, &Promises::default())?;
    let all = (secs(0), span);
    let extra = crate::figures::share(run.rows.len(), run.seen.len()) - 1.0;
    let waited = quantile(&queued(&scenario, &run, all), 0.99);
    let first = quantile(&firsts(&scenario, &run, all), 0.99);
    Ok(vec![
        worst("answered", answered(&scenario, &run, all), "share", Goal::AtLeast(1.0)),
        worst("extra_attempts", extra, "share", Goal::AtMost(0.0)),
        worst("breakers_opened", opened(&run), "", Goal::AtMost(0.0)),
        worst("queueing_p99", waited.as_secs_f64(), "s", Goal::AtMost(0.002)),
        mean("first_content_p99", first.as_secs_f64(), "s", Goal::None),
    ])
}

/// One of ten streams breaks after its first content.
pub(super) fn cut_streams(asked: &Asked<'_>) -> Result<Vec<Figure>, StudyError> {
    let span = if asked.size == Size::Large { secs(120) } else { secs(20) };
    let mut dice = Dice::new(asked.seed, 2);
    let who = calls(&asked.traces.code, "r", (12.0, span), &mut dice);
    let models = vec![Model::new("one").trouble(secs(0), span, Kind::Cuts(0.1)), Model::new("two")];
    // A breaker that opens for it would be right, and leave nothing to look at.
    let more = "defaults: { breaker: { enabled: false } }\n";
    let scenario = Scenario::new("cut_streams", format!("{ROUTE}{BASE}{more}"), models, who);
    let run = sound(&scenario, asked.seed, &Promises::default())?;
    let good = answered(&scenario, &run, (secs(0), span));
    let extra = crate::figures::share(run.rows.len(), run.seen.len()) - 1.0;
    Ok(vec![
        mean("whole", good, "share", Goal::None),
        worst("tried_again_behind_content", extra, "share", Goal::AtMost(0.0)),
    ])
}

/// How often a breaker opened.
pub(super) fn opened(run: &crate::drive::Run) -> f64 {
    crate::figures::share(run.changes.iter().filter(|change| change.to == "open").count(), 1)
}

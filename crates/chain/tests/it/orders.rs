//! Whatever the graph and whatever the order of answers: each step once, never too early, never too many, and
//! a run resumed from anywhere comes to the same end.

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;

use chain::{Chain, Event};
use proptest::prelude::*;
use serde_json::json;

use crate::given::{Run, chain};

/// A chain whose step `i` needs some of the steps before it, in templates and in `after`.
fn graph() -> impl Strategy<Value = (String, usize)> {
    let steps =
        prop::collection::vec((prop::collection::vec(any::<prop::sample::Index>(), 0..4), 0..4_u8), 1..16);
    (steps, 1..5_usize).prop_map(|(steps, concurrency)| {
        let mut text = format!("limits: {{ concurrency: {concurrency} }}\nsteps:\n");
        for (i, (needs, kind)) in steps.iter().enumerate() {
            let needs: Vec<usize> =
                if i == 0 { Vec::new() } else { needs.iter().map(|need| need.index(i)).collect() };
            let (named, after) = needs.split_at(needs.len() / 2);
            let mut prompt =
                named.iter().fold(format!("{i}:"), |prompt, n| prompt + &format!("{{{{ steps.s{n} }}}},"));
            if *kind == 0 && i > 0 {
                prompt.push_str("{{ output[-1] }}");
            }
            let after: Vec<String> = after.iter().map(|n| format!("s{n}")).collect();
            let priority = ["low", "normal", "high", "critical"][usize::from(*kind)];
            let _ = writeln!(
                text,
                "  s{i}: {{ prompt: \"{prompt}\", after: [{}], priority: {priority} }}",
                after.join(", ")
            );
        }
        (text, concurrency)
    })
}

/// Answers open calls in the order that `picks` says until the run ends; checks every step of the way.
fn drive(run: &mut Run, chain: &Chain, concurrency: usize, picks: &[prop::sample::Index]) -> HashSet<usize> {
    let mut asked: HashSet<usize> = run.open.iter().map(|call| call.step).collect();
    for turn in 0.. {
        assert!(run.open.len() <= concurrency);
        for call in &run.open {
            for need in chain.steps()[call.step].needs() {
                let done = |event: &Event| matches!(event, Event::StepFinished { step, .. } if step == need);
                assert!(run.journal.iter().any(done), "step {} before its need {need}", call.step);
            }
        }
        let Some(pick) = (!run.open.is_empty()).then(|| picks[turn % picks.len()].index(run.open.len()))
        else {
            return asked;
        };
        let name = run.open[pick].name.to_string();
        // The answer says what was asked, so that the outputs tell whether all prompts were the same.
        let text = format!("[{}]", run.prompt(&name));
        let before: HashSet<usize> = run.open.iter().map(|call| call.step).collect();
        run.answer(&name, &text);
        for call in run.open.iter().filter(|call| !before.contains(&call.step)) {
            assert!(asked.insert(call.step), "step {} twice", call.step);
        }
    }
    asked
}

fn finished(journal: &[Event]) -> HashSet<usize> {
    let step = |event: &Event| match event {
        Event::StepFinished { step, .. } => Some(*step),
        _ => None,
    };
    journal.iter().filter_map(step).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_graph_in_any_order(
        (text, concurrency) in graph(),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..20),
        others in prop::collection::vec(any::<prop::sample::Index>(), 1..20),
    ) {
        let chain = chain(&text);
        let mut run = Run::start(&chain, json!({}));
        let asked = drive(&mut run, &chain, concurrency, &picks);
        prop_assert_eq!(asked.len(), chain.steps().len());
        let outputs = run.outputs();
        prop_assert_eq!(run.machine.running(), 0);

        for cut in 1..=run.journal.len() {
            let journal = run.journal[..cut].to_vec();
            let done = finished(&journal);
            let mut resumed = Run::resume(&Arc::clone(&chain), journal);
            let asked = drive(&mut resumed, &chain, concurrency, &others);
            prop_assert!(asked.is_disjoint(&done), "asked again: {:?}", asked);
            prop_assert_eq!(asked.len() + done.len(), chain.steps().len());
            prop_assert_eq!(resumed.outputs(), outputs.clone());
            prop_assert_eq!(resumed.machine.cost(), run.machine.cost());
        }
    }
}

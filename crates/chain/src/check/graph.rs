//! Circles of steps that wait for each other.

use document::{Diagnostic, Problems};
use types::Code;

use crate::chain::PlannedStep;
use crate::parse::Places;
use crate::spec::Spec;

/// How far the search has come with a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    OnPath,
    Done,
}

/// Notes each circle once, with its path: every step waits for the next, `a → b → a`.
pub(super) fn report_cycles(steps: &[PlannedStep], spec: &Spec, places: &Places, problems: &Problems<'_>) {
    for cycle in cycles(steps) {
        let name = |index: &usize| spec.steps.get(*index).map_or("?", |step| step.name.as_str());
        let mut path: Vec<&str> = cycle.iter().map(name).collect();
        path.extend(cycle.first().map(name));
        let shown = if path.len() > 12 {
            let (head, tail) = (&path[..6], &path[path.len() - 5..]);
            format!("{} → … → {}", head.join(" → "), tail.join(" → "))
        } else {
            path.join(" → ")
        };
        let message = format!("steps wait for each other in a circle: {shown}");
        let mut diagnostic = Diagnostic::error(Code::ChainCycle.as_str(), message)
            .with_path(format!("steps.{}", path.first().unwrap_or(&"")))
            .with_help("each step waits for the next one; take one of them out of a template or of `after`");
        diagnostic.span = cycle.first().and_then(|index| places.steps.get(*index)).map(|step| step.name);
        problems.add(diagnostic);
    }
}

/// Circles that have no step in common, found by depth-first search without recursion.
fn cycles(steps: &[PlannedStep]) -> Vec<Vec<usize>> {
    let mut marks = vec![Mark::New; steps.len()];
    let mut found = Vec::new();
    for root in 0..steps.len() {
        if marks[root] != Mark::New {
            continue;
        }
        // The path, and for each step on it the next of its needs to look at.
        let mut path: Vec<(usize, usize)> = vec![(root, 0)];
        marks[root] = Mark::OnPath;
        while let Some((step, next)) = path.last_mut() {
            let Some(need) = steps[*step].needs.get(*next).copied() else {
                marks[*step] = Mark::Done;
                path.pop();
                continue;
            };
            *next += 1;
            match marks[need] {
                Mark::New => {
                    marks[need] = Mark::OnPath;
                    path.push((need, 0));
                }
                Mark::OnPath => {
                    let start = path.iter().position(|(on, _)| *on == need).unwrap_or(0);
                    let cycle: Vec<usize> = path[start..].iter().map(|(on, _)| *on).collect();
                    if !found.iter().flatten().any(|known| cycle.contains(known)) {
                        found.push(cycle);
                    }
                }
                Mark::Done => {}
            }
        }
    }
    found
}

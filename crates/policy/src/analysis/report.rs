//! Counts and rates of the last minutes by class, by provider and by model: for the dashboard and the CLI.

use std::collections::BTreeMap;

use types::Moment;

use crate::analysis::Tally;
use crate::attempt::Cause;

/// A deployment and its tally.
#[derive(Clone, Copy, Debug)]
pub struct Deployment<'a> {
    /// The provider's configured name.
    pub provider: &'a str,
    /// The provider's name of the model.
    pub model: &'a str,
    /// Its outcomes.
    pub tally: &'a Tally,
}

/// Failures among attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Attempts.
    pub attempts: u64,
    /// Those that failed.
    pub failures: u64,
}

impl Count {
    /// The share that failed, 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "counts of an hour")]
    pub fn rate(self) -> f64 {
        if self.attempts == 0 { 0.0 } else { self.failures as f64 / self.attempts as f64 }
    }
}

/// What failed where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report<'a> {
    /// Everything.
    pub all: Count,
    /// By class; those that did not happen are left out.
    pub by_class: Vec<(Cause, Count)>,
    /// By provider.
    pub by_provider: BTreeMap<&'a str, Count>,
    /// By provider and model.
    pub by_model: BTreeMap<(&'a str, &'a str), Count>,
}

/// The last `minutes` (at most 60) of all deployments.
pub fn report<'a>(
    deployments: impl IntoIterator<Item = Deployment<'a>>,
    now: Moment,
    minutes: usize,
) -> Report<'a> {
    let mut report = Report::default();
    let mut classes = Cause::ALL.map(|cause| (cause, 0));
    for Deployment { provider, model, tally } in deployments {
        let mut here = Count { attempts: tally.attempts(now, minutes), failures: 0 };
        for (cause, sum) in &mut classes {
            let count = tally.count(now, minutes, *cause);
            here.failures += count;
            *sum += count;
        }
        let sums = [
            &mut report.all,
            report.by_provider.entry(provider).or_default(),
            report.by_model.entry((provider, model)).or_default(),
        ];
        for sum in sums {
            sum.attempts += here.attempts;
            sum.failures += here.failures;
        }
    }
    let attempts = report.all.attempts;
    report.by_class = classes
        .into_iter()
        .filter(|(_, failures)| *failures > 0)
        .map(|(cause, failures)| (cause, Count { attempts, failures }))
        .collect();
    report
}

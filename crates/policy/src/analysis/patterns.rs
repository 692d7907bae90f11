//! What comes back: bursts at regular intervals, a failure that a whole provider or everybody has at once, and
//! failures that follow a figure of our own system. Looks at an hour of minutes; run it when somebody asks.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::attempt::Cause;

/// Bursts that make a rhythm.
const BURSTS: usize = 4;
/// How far intervals may stray from their mean.
const STRAY: f64 = 0.2;
/// The correlation from which failures follow a figure.
const FOLLOWS: f64 = 0.7;

/// Failures of one class at one deployment, by minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series<'a> {
    /// The provider's configured name.
    pub provider: &'a str,
    /// The provider's name of the model.
    pub model: &'a str,
    /// The class.
    pub cause: Cause,
    /// Counts, the oldest minute first ([`crate::analysis::Tally::series`]).
    pub minutes: Vec<u32>,
}

/// A figure of our own system, by the same minutes: memory, processor, calls under way.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its values, the oldest minute first.
    pub minutes: Vec<f64>,
}

/// Something that recurs or belongs together.
#[derive(Clone, Debug, PartialEq)]
pub enum Pattern<'a> {
    /// Bursts at regular intervals.
    Rhythm {
        /// Where: provider and model.
        at: (&'a str, &'a str),
        /// Of what.
        cause: Cause,
        /// How far apart.
        every: Duration,
        /// How many in the hour.
        bursts: usize,
    },
    /// Several models of one provider in the same minute: the provider, not a model.
    Provider {
        /// Which.
        provider: &'a str,
        /// Of what.
        cause: Cause,
        /// How many models.
        models: usize,
    },
    /// Several providers in the same minute: our network or ourselves.
    Everywhere {
        /// Of what.
        cause: Cause,
        /// How many providers.
        providers: usize,
    },
    /// The failures follow a figure of our own system.
    Follows {
        /// Where: provider and model.
        at: (&'a str, &'a str),
        /// Of what.
        cause: Cause,
        /// Which figure.
        metric: &'a str,
        /// Pearson's coefficient, 0.7 to 1.
        correlation: f64,
    },
}

impl fmt::Display for Pattern<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rhythm { at: (provider, model), cause, every, bursts } => write!(
                f,
                "{provider}/{model}: {bursts} bursts of {} in the last hour, about every {} min",
                cause.as_str(),
                every.as_secs() / 60
            ),
            Self::Provider { provider, cause, models } => {
                write!(f, "{provider}: {} at {models} models in the same minute", cause.as_str())
            }
            Self::Everywhere { cause, providers } => write!(
                f,
                "{} at {providers} providers in the same minute: look at our own network first",
                cause.as_str()
            ),
            Self::Follows { at: (provider, model), cause, metric, correlation } => write!(
                f,
                "{provider}/{model}: {} follows {metric} (correlation {correlation:.2})",
                cause.as_str()
            ),
        }
    }
}

/// What recurs in an hour of series.
pub fn patterns<'a>(series: &[Series<'a>], metrics: &[Metric<'a>]) -> Vec<Pattern<'a>> {
    let bursts: Vec<Vec<usize>> = series.iter().map(|series| bursts(&series.minutes)).collect();
    let mut found = Vec::new();
    for (series, bursts) in series.iter().zip(&bursts) {
        let (at, cause) = ((series.provider, series.model), series.cause);
        if let Some(every) = rhythm(bursts) {
            found.push(Pattern::Rhythm { at, cause, every, bursts: bursts.len() });
        }
        for metric in metrics {
            let correlation = correlation(&series.minutes, &metric.minutes);
            if correlation >= FOLLOWS && series.minutes.iter().filter(|count| **count > 0).count() >= BURSTS {
                found.push(Pattern::Follows { at, cause, metric: metric.name, correlation });
            }
        }
    }
    for cause in Cause::ALL {
        together(cause, series, &bursts, &mut found);
    }
    found
}

/// Providers, and models of one provider, that have a burst of the same class in the same minute.
fn together<'a>(cause: Cause, series: &[Series<'a>], bursts: &[Vec<usize>], found: &mut Vec<Pattern<'a>>) {
    let of_cause = || series.iter().zip(bursts).filter(|(series, _)| series.cause == cause);
    let minutes: BTreeSet<usize> = of_cause().flat_map(|(_, bursts)| bursts.iter().copied()).collect();
    let mut most_providers = 0;
    let mut by_provider: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for minute in minutes {
        let at = || of_cause().filter(|(_, bursts)| bursts.contains(&minute));
        let providers: BTreeSet<&str> = at().map(|(series, _)| series.provider).collect();
        most_providers = most_providers.max(providers.len());
        for provider in providers {
            let models = at().filter(|(series, _)| series.provider == provider).count();
            let most = by_provider.entry(provider).or_default();
            *most = (*most).max(models);
        }
    }
    if most_providers >= 2 {
        found.push(Pattern::Everywhere { cause, providers: most_providers });
        return;
    }
    for (provider, models) in by_provider.into_iter().filter(|(_, models)| *models >= 2) {
        found.push(Pattern::Provider { provider, cause, models });
    }
}

/// Minutes in which a burst begins: three failures or more, three times the hour's mean, calm before.
fn bursts(minutes: &[u32]) -> Vec<usize> {
    let mean = minutes.iter().map(|count| f64::from(*count)).sum::<f64>() / count(minutes.len()).max(1.0);
    let high = |minute: &u32| *minute >= 3 && f64::from(*minute) >= 3.0 * mean;
    let before = std::iter::once(false).chain(minutes.iter().map(high));
    let begins = minutes.iter().map(high).zip(before).enumerate();
    begins.filter(|(_, (now, before))| *now && !before).map(|(minute, _)| minute).collect()
}

fn rhythm(bursts: &[usize]) -> Option<Duration> {
    if bursts.len() < BURSTS {
        return None;
    }
    let gaps: Vec<f64> =
        bursts.windows(2).filter_map(|pair| Some(count(pair.last()? - pair.first()?))).collect();
    let mean = gaps.iter().sum::<f64>() / count(gaps.len());
    let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / count(gaps.len());
    (variance.sqrt() <= STRAY * mean).then(|| Duration::from_secs_f64(mean * 60.0))
}

/// Pearson's coefficient; 0 where one of them does not vary.
fn correlation(counts: &[u32], values: &[f64]) -> f64 {
    let pairs = || counts.iter().map(|count| f64::from(*count)).zip(values.iter().copied());
    let n = count(counts.len().min(values.len()));
    if n < 2.0 {
        return 0.0;
    }
    let (mean_x, mean_y) =
        (pairs().map(|(x, _)| x).sum::<f64>() / n, pairs().map(|(_, y)| y).sum::<f64>() / n);
    let (mut both, mut of_x, mut of_y) = (0.0, 0.0, 0.0);
    for (x, y) in pairs() {
        both += (x - mean_x) * (y - mean_y);
        of_x += (x - mean_x).powi(2);
        of_y += (y - mean_y).powi(2);
    }
    let scale = (of_x * of_y).sqrt();
    if scale > 0.0 { both / scale } else { 0.0 }
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

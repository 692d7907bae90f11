//! From samples of all repetitions to the figures of the report: medians, differences from the direct way,
//! ratios to nginx, goals. Pure.

use std::collections::BTreeMap;

use crate::{
    latency::median,
    report::{Goal, Report},
};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Plain,
    Stream,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Stream => "stream",
        }
    }

    /// The most CPU of Windlass per request, as a multiple of nginx's.
    fn cpu_goal(self) -> f64 {
        match self {
            Self::Plain => 2.0,
            Self::Stream => 2.5,
        }
    }
}

/// What one sample measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sample {
    Rps,
    CpuUs,
    P50Us,
    P99Us,
    /// Only where it is not the usual rate.
    Rate,
    StartupMs,
    RssIdleMb,
    RssLoadedMb,
}

/// Samples by target, kind (`None` for what concerns the whole process) and measure.
#[derive(Debug, Default)]
pub(crate) struct Samples(BTreeMap<(&'static str, Option<Kind>, Sample), Vec<f64>>);

impl Samples {
    pub(crate) fn add(&mut self, target: &'static str, kind: Option<Kind>, sample: Sample, value: f64) {
        self.0.entry((target, kind, sample)).or_default().push(value);
    }

    fn all(&self, target: &'static str, kind: Option<Kind>, sample: Sample) -> &[f64] {
        self.0.get(&(target, kind, sample)).map_or(&[], Vec::as_slice)
    }

    fn median(&self, target: &'static str, kind: Option<Kind>, sample: Sample) -> Option<f64> {
        median(self.all(target, kind, sample))
    }

    /// The median, over the repetitions, of what the target adds to the direct way in the same repetition.
    fn added(&self, target: &'static str, kind: Kind, sample: Sample) -> Option<f64> {
        let direct = self.all("direct", Some(kind), sample);
        let added: Vec<f64> = self
            .all(target, Some(kind), sample)
            .iter()
            .zip(direct)
            .map(|(with, without)| with - without)
            .collect();
        median(&added)
    }

    /// Adds every figure to the report, target by target in this order.
    pub(crate) fn summarize(&self, targets: &[&'static str], report: &mut Report) {
        for target in targets {
            for kind in [Kind::Plain, Kind::Stream] {
                self.kind(target, kind, report);
            }
            let ours = *target == "windlass";
            let goal = |limit| if ours { Goal::AtMost(limit) } else { Goal::None };
            for (sample, name, unit, goal) in [
                (Sample::StartupMs, "startup_ms", "ms", goal(100.0)),
                (Sample::RssIdleMb, "rss_idle_mb", "MB", goal(25.0)),
                (Sample::RssLoadedMb, "rss_loaded_mb", "MB", goal(64.0)),
            ] {
                // The most memory of any repetition is the honest figure; the others are medians.
                let value = match sample {
                    Sample::RssLoadedMb => self.all(target, None, sample).iter().copied().reduce(f64::max),
                    _ => self.median(target, None, sample),
                };
                if let Some(value) = value {
                    report.add(format!("{target}.{name}"), value, unit, goal);
                }
            }
        }
    }

    fn kind(&self, target: &'static str, kind: Kind, report: &mut Report) {
        let mut add = |name: &str, value: Option<f64>, unit, goal| {
            if let Some(value) = value {
                report.add(format!("{target}.{}.{name}", kind.name()), value, unit, goal);
            }
        };
        let of = |sample| self.median(target, Some(kind), sample);
        add("rps_64", of(Sample::Rps), "requests/s", Goal::None);
        if target == "direct" {
            // No proxy stands here: the mock's own cost, and the latencies that the others add to.
            add("mock_cpu_us_per_request", of(Sample::CpuUs), "us", Goal::None);
            add("p50_us", of(Sample::P50Us), "us", Goal::None);
            add("p99_us", of(Sample::P99Us), "us", Goal::None);
            return;
        }
        add("cpu_us_per_request", of(Sample::CpuUs), "us", Goal::None);
        add("added_p50_us", self.added(target, kind, Sample::P50Us), "us", Goal::None);
        add("added_p99_us", self.added(target, kind, Sample::P99Us), "us", Goal::None);
        add("added_at_rate", of(Sample::Rate), "requests/s", Goal::None);
        if target != "nginx" {
            let nginx = self.median("nginx", Some(kind), Sample::CpuUs);
            let ratio = of(Sample::CpuUs).zip(nginx).map(|(ours, theirs)| ours / theirs);
            let goal = if target == "windlass" { Goal::AtMost(kind.cpu_goal()) } else { Goal::None };
            add("cpu_ratio_to_nginx", ratio, "x", goal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_taken_within_a_repetition() {
        let mut samples = Samples::default();
        for (direct, nginx) in [(100.0, 130.0), (900.0, 940.0), (100.0, 135.0)] {
            samples.add("direct", Some(Kind::Plain), Sample::P50Us, direct);
            samples.add("nginx", Some(Kind::Plain), Sample::P50Us, nginx);
        }
        assert_eq!(samples.added("nginx", Kind::Plain, Sample::P50Us), Some(35.0));
        assert_eq!(samples.added("nginx", Kind::Stream, Sample::P50Us), None);
    }
}

//! What the machine says of this process: memory and processor time, and what they are measured against.
//! Read once a second by one task; where `/proc` says nothing, nothing is known.

use std::fs;
use std::path::Path;
use std::time::Duration;

use policy::load::Reading;
use types::Moment;

use crate::pulse::{Beat, Pulse};

/// Ticks of processor time in a second: what Linux tells user space on every architecture.
const TICKS: f64 = 100.0;
/// The span over which rates are taken.
const SPAN: Duration = Duration::from_mins(1);

/// Resident memory in bytes.
pub(crate) fn memory() -> Option<u64> {
    let pages = fs::read_to_string("/proc/self/statm").ok()?;
    let resident: u64 = pages.split_ascii_whitespace().nth(1)?.parse().ok()?;
    // 4 KiB everywhere that we are built for; with larger pages the figure is low, never high.
    resident.checked_mul(4_096)
}

/// The bytes that this process may use: the least of its control group's limits and the machine's memory.
pub(crate) fn allowed() -> Option<u64> {
    let group = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = group.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    let own = Path::new("/sys/fs/cgroup").join(own.trim_start_matches('/'));
    let groups = own.ancestors().take_while(|path| path.starts_with("/sys/fs/cgroup"));
    let new = groups.filter_map(|path| number(&path.join("memory.max")));
    let old = number(Path::new("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
    new.chain(old).chain(machine()).min()
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn machine() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1_024)
}

/// Seconds of processor time that this process has used.
pub(crate) fn processor() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    // The name stands in parentheses and may hold spaces.
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS)
}

/// Turns counters into readings of the last minute.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    /// When, the counters then, and the processor time then; the oldest first.
    seen: std::collections::VecDeque<(Moment, Beat, f64)>,
}

impl Gauges {
    /// A reading now, beside so many calls that run, with the memory that is used of what may be.
    pub(crate) fn read(&mut self, pulse: &Pulse, running: usize, memory: (u64, u64), now: Moment) -> Reading {
        let (beat, used) = (pulse.beat(), processor().unwrap_or_default());
        while self.seen.front().is_some_and(|(at, ..)| now.since(*at) > SPAN) {
            self.seen.pop_front();
        }
        let (since, before, used_before) = *self.seen.front().unwrap_or(&(now, beat, used));
        self.seen.push_back((now, beat, used));
        let seconds = now.since(since).as_secs_f64().max(1.0);
        let ended = beat.ended.saturating_sub(before.ended);
        let failed = beat.failed.saturating_sub(before.failed);
        let taken = Duration::from_nanos(beat.nanos.saturating_sub(before.nanos));
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Reading {
            rate: float(ended) / seconds,
            latency: taken.div_f64(float(ended).max(1.0)),
            errors: float(failed) / float(ended).max(1.0),
            running: u32::try_from(running).unwrap_or(u32::MAX),
            processor: (used - used_before) / seconds / float(u64::try_from(cores).unwrap_or(1)),
            memory: float(memory.0) / float(memory.1).max(1.0),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "rates need 15 digits, not 20")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn this_machine_says_what_it_has() {
        let (used, allowed) = (memory().unwrap(), allowed().unwrap());
        assert!(used > 1 << 20 && used < allowed, "{used} of {allowed}");
        assert!(processor().unwrap() >= 0.0);
    }

    #[test]
    fn counters_become_figures_of_the_last_minute() {
        let (mut gauges, pulse) = (Gauges::default(), Pulse::default());
        gauges.read(&pulse, 0, (0, 1), at(100));
        for call in 0..10 {
            pulse.ended(Duration::from_secs(2), call < 3);
        }
        let reading = gauges.read(&pulse, 4, (3, 4), at(105));
        assert_eq!((reading.rate, reading.errors, reading.latency), (2.0, 0.3, Duration::from_secs(2)));
        assert_eq!((reading.running, reading.memory), (4, 0.75));
        let later = gauges.read(&pulse, 0, (0, 1), at(166));
        assert!(later.rate < 0.001, "what is older than a minute does not count");
    }
}

//! A bound on the lines that anybody can cause, at no cost to him: requests that are refused before anything is sent.
//! So many a second of each kind are told one by one; of the rest one line says how many there were.
//!
//! Arithmetic only: the time is an argument, and what a line says is `event`'s business.

use std::sync::atomic::{AtomicU64, Ordering};

use types::{Fault, Moment};

use super::CallEnd;
use super::event::{call_failed, refusals_left_out};
use crate::metrics::KINDS;

/// Lines of one kind in a second.
pub const REFUSALS_A_SECOND: u32 = 20;

/// What was told of refused requests, by their kind of fault. It lives as long as the process takes requests.
#[derive(Debug, Default)]
pub struct Refusals([Gate; KINDS.len()]);

impl Refusals {
    /// A request was refused before anything was sent.
    pub fn tell(&self, end: &CallEnd<'_>, fault: &Fault, now: Moment) {
        let Some(gate) = self.0.get(fault.kind as usize) else { return };
        let passed = gate.pass(now);
        if let Passed::Told { left_out } = passed {
            if left_out > 0 {
                refusals_left_out(fault.kind, left_out);
            }
            call_failed(end, fault);
        }
    }

    /// Tells what was left out in a second that is over: to be called about once a second.
    pub fn sum_up(&self, now: Moment) {
        for (kind, gate) in KINDS.iter().zip(&self.0) {
            let left_out = gate.sum_up(now);
            if left_out > 0 {
                refusals_left_out(*kind, left_out);
            }
        }
    }
}

/// Whether a line is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passed {
    /// It is, after so many that were not and of which nobody knows yet.
    Told { left_out: u32 },
    /// It is only counted.
    LeftOut,
}

/// The gate of one kind of line: the second that it counts in (upper half), and the lines since then.
#[derive(Debug, Default)]
struct Gate(AtomicU64);

impl Gate {
    /// One more line.
    fn pass(&self, now: Moment) -> Passed {
        let mut passed = Passed::LeftOut;
        self.turn(|second, lines| {
            // A thread that is late belongs to the second that is under way.
            if whole_seconds(now) > second {
                passed = Passed::Told { left_out: left_out(lines) };
                return Some((whole_seconds(now), 1));
            }
            let told = lines < REFUSALS_A_SECOND;
            passed = if told { Passed::Told { left_out: 0 } } else { Passed::LeftOut };
            Some((second, lines.saturating_add(1)))
        });
        passed
    }

    /// The lines that were left out in a second that is over; each is given once.
    fn sum_up(&self, now: Moment) -> u32 {
        let mut missed = 0;
        self.turn(|second, lines| {
            missed = if whole_seconds(now) > second { left_out(lines) } else { 0 };
            (missed > 0).then(|| (whole_seconds(now), 0))
        });
        missed
    }

    fn turn(&self, mut next: impl FnMut(u32, u32) -> Option<(u32, u32)>) {
        let word = |(second, lines): (u32, u32)| u64::from(second) << 32 | u64::from(lines);
        // The value before is nobody's business: what `next` has seen last is what counts.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
            #[expect(clippy::cast_possible_truncation, reason = "the two halves of a word")]
            let (second, lines) = ((now >> 32) as u32, now as u32);
            next(second, lines).map(word)
        });
    }
}

const fn left_out(lines: u32) -> u32 {
    lines.saturating_sub(REFUSALS_A_SECOND)
}

/// Seconds since the process began, from 1: no line belongs to second 0.
fn whole_seconds(now: Moment) -> u32 {
    u32::try_from(now.as_nanos() / 1_000_000_000 + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn so_many_a_second_and_then_how_many_more_there_were() {
        let gate = Gate::default();
        for line in 0..100 {
            let told = line < REFUSALS_A_SECOND;
            assert_eq!(gate.pass(at(500)), if told { Passed::Told { left_out: 0 } } else { Passed::LeftOut });
        }
        assert_eq!(gate.sum_up(at(999)), 0, "the second is not over");
        assert_eq!(gate.pass(at(1_000)), Passed::Told { left_out: 100 - REFUSALS_A_SECOND });
        assert_eq!(gate.pass(at(1_001)), Passed::Told { left_out: 0 }, "it is told once");
        assert_eq!(gate.pass(at(900)), Passed::Told { left_out: 0 }, "one that is late");
        assert_eq!(gate.sum_up(at(5_000)), 0, "nothing was left out");
    }

    #[test]
    fn a_flood_that_ends_is_summed_up_without_another_line() {
        let gate = Gate::default();
        for _ in 0..50 {
            gate.pass(at(0));
        }
        assert_eq!(gate.sum_up(at(1_000)), 50 - REFUSALS_A_SECOND);
        assert_eq!(gate.sum_up(at(1_000)), 0);
        assert_eq!(gate.sum_up(at(2_000)), 0);
        assert_eq!(gate.pass(at(1_500)), Passed::Told { left_out: 0 });
    }

    #[test]
    fn of_many_threads_none_is_lost_and_no_line_too_many_told() {
        let gate = Gate::default();
        let (told, left) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for step in 0..3_000_u64 {
                        if let Passed::Told { left_out } = gate.pass(at(step)) {
                            told.fetch_add(1, Ordering::Relaxed);
                            left.fetch_add(left_out, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let (told, left) = (told.into_inner(), left.into_inner() + gate.sum_up(at(9_000)));
        assert_eq!(told + left, 12_000);
        assert!(told <= 3 * REFUSALS_A_SECOND, "{told}");
    }
}

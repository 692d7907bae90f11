//! How long whole answers take: the time to their beginning, which nobody sees, and the time that each of their tokens
//! takes to write. A long answer is not a slow server, so time is compared with the answer's own length.
//!
//! The time per token is the slope of a straight line through what was seen (recursive least squares, the older the
//! less), drawn towards a simple guess as long as all answers are about as long. What an answer took beyond its tokens
//! is its beginning.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use types::Moment;

use crate::latency::{Quantiles, Window};

/// Answers that the line is a mean over.
const MEMORY: f64 = 256.0;
/// A beginning is first taken to be worth so many tokens.
const TOKENS: f64 = 50.0;
/// The guess is believed as long as the lengths vary less than this, in tokens squared.
const BELIEF: f64 = 400.0;

/// Whole answers of one deployment.
#[derive(Debug, Default)]
pub struct Answers {
    line: Mutex<Line>,
    /// Times to the beginning.
    beginnings: Window,
    /// Tokens, as milliseconds.
    lengths: Window,
}

/// Means, variances and how the two go together.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    seen: f64,
    tokens: f64,
    seconds: f64,
    spread: f64,
    together: f64,
}

impl Line {
    fn learn(&mut self, tokens: f64, seconds: f64) {
        self.seen = (self.seen + 1.0).min(MEMORY);
        let weight = 1.0 / self.seen;
        let (apart, late) = (tokens - self.tokens, seconds - self.seconds);
        self.tokens += weight * apart;
        self.seconds += weight * late;
        self.spread = (1.0 - weight) * (self.spread + weight * apart * apart);
        self.together = (1.0 - weight) * (self.together + weight * apart * late);
    }

    /// Seconds a token.
    fn slope(&self) -> f64 {
        let guess = self.seconds / (self.tokens + TOKENS);
        let fitted = (self.together + BELIEF * guess) / (self.spread + BELIEF);
        // More would mean that answers begin before they are asked for.
        fitted.clamp(0.0, self.seconds / self.tokens.max(1.0))
    }
}

impl Answers {
    /// Nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// An answer of `tokens` took so long. Gives the part of it that was its beginning.
    pub fn record(&self, now: Moment, took: Duration, tokens: u64) -> Duration {
        let count = crate::number::float(tokens);
        let writing = {
            let mut line = self.lock();
            // Against what was known before it: an answer is no measure of itself. The first is all that there is.
            let known = line.seen > 0.0;
            let before = line.slope();
            line.learn(count, took.as_secs_f64());
            count * if known { before } else { line.slope() }
        };
        let beginning = took.saturating_sub(seconds(writing));
        self.beginnings.record(now, beginning);
        self.lengths.record(now, Duration::from_millis(tokens));
        beginning
    }

    /// One that would have had at most `most` tokens was cut off after so long.
    pub fn record_at_least(&self, now: Moment, waited: Duration, most: u64) {
        let beginning = waited.saturating_sub(self.writing(now, most));
        if !beginning.is_zero() {
            self.beginnings.record_at_least(now, beginning);
        }
    }

    /// Times to the beginning, over the last minute.
    pub fn beginnings(&self, now: Moment) -> Quantiles {
        self.beginnings.quantiles(now)
    }

    /// How long it takes to write an answer as long as 95 of 100 here are not, or of `most` tokens if that is less.
    pub fn writing(&self, now: Moment, most: u64) -> Duration {
        let usual = self.lengths.quantiles(now).p95().map_or(u64::MAX, |length| whole(length.as_millis()));
        let tokens = crate::number::float(most.min(usual));
        seconds(tokens * self.lock().slope())
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        // Nothing under the lock can panic half-way.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

fn whole(millis: u128) -> u64 {
    u64::try_from(millis).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_nanos(millis * 1_000_000)
    }

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Answers of 10 to 1,000 tokens that begin after 300 ms and take 20 ms a token.
    fn busy(answers: &Answers) {
        for number in 0..500_u64 {
            let tokens = 10 + number * 7_919 % 990;
            answers.record(at(number * 50), millis(300 + 20 * tokens), tokens);
        }
    }

    #[test]
    fn a_long_answer_is_not_a_slow_one() {
        let answers = Answers::new();
        busy(&answers);
        let begun = |took, tokens| answers.record(at(26_000), millis(took), tokens).as_millis();
        for tokens in [10, 100, 900] {
            assert!((200..400).contains(&begun(300 + 20 * tokens, tokens)), "{tokens} tokens");
        }
        assert!(begun(4_300, 100) > 1_800, "two seconds too late");
        let p95 = answers.beginnings(at(30_000)).p95().unwrap();
        assert!(p95 < millis(450), "{p95:?}");
    }

    #[test]
    fn what_is_expected_follows_the_length() {
        let answers = Answers::new();
        busy(&answers);
        let writing = |most| answers.writing(at(30_000), most).as_millis();
        assert!((1_800..2_200).contains(&writing(100)), "{}", writing(100));
        // 95 of 100 have no more than 950 tokens; a bucket is an eighth wide.
        assert!((18_000..22_500).contains(&writing(u64::MAX)), "{}", writing(u64::MAX));
    }

    #[test]
    fn where_all_answers_are_alike_there_is_a_guess_and_never_less_than_nothing() {
        let answers = Answers::new();
        for number in 0..100 {
            let begun = answers.record(at(number * 10), millis(1_000), 50);
            assert!((300..=700).contains(&begun.as_millis()), "{begun:?}");
        }
        assert_eq!(answers.record(at(2_000), Duration::ZERO, 1_000_000), Duration::ZERO);
        assert_eq!(Answers::new().record(at(0), millis(70), 0), millis(70), "embeddings");
        assert_eq!(Answers::new().writing(at(0), u64::MAX), Duration::ZERO);
    }

    #[test]
    fn what_was_cut_off_counts_as_at_least_so_long() {
        let answers = Answers::new();
        busy(&answers);
        let before = answers.beginnings(at(26_000)).samples;
        answers.record_at_least(at(26_000), millis(1_000), 500);
        assert_eq!(answers.beginnings(at(27_000)).samples, before, "it may have been writing");
        for _ in 0..100 {
            answers.record_at_least(at(27_000), millis(30_000), 100);
        }
        let quantiles = answers.beginnings(at(28_000));
        assert_eq!(quantiles.samples, before + 100);
        assert!(quantiles.p95().is_none(), "too many were cut off to say");
    }
}

//! Arrivals as they were measured: Azure's traces of 2023 (conversations and code) and Mooncake's. A window of a
//! trace begins at a random place and is stretched to the rate that a scenario wants; who comes how soon after whom,
//! and with how many tokens, stays as it was.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::dice::Dice;

/// Why there is no trace.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// It cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Where it should be.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{path}:{line} is no arrival")]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
}

/// One arrival.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrival {
    /// Since the beginning.
    pub at: Duration,
    /// Tokens read.
    pub input: u32,
    /// Tokens written.
    pub output: u32,
}

/// A measured trace, by time.
#[derive(Clone, Debug)]
pub struct Trace(Vec<Arrival>);

/// The traces.
#[derive(Clone, Debug)]
pub struct Traces {
    /// Azure's conversations: 19,366 calls of an hour.
    pub conversation: Trace,
    /// Azure's code completion: 8,819 calls of an hour, in bursts.
    pub code: Trace,
    /// Mooncake's synthetic one: long contexts.
    pub mooncake: Trace,
    /// The same, with what prompts share.
    pub prompts: Vec<Prompt>,
}

/// A prompt, in blocks of 512 tokens: the same number is the same block behind the same beginning.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// Since the beginning.
    pub at: Duration,
    /// Tokens written.
    pub output: u32,
    /// Its blocks.
    pub blocks: Vec<u64>,
}

impl Traces {
    /// Those in `folder`.
    ///
    /// # Errors
    /// [`TraceError`] where one is not there, or is something else.
    pub fn load(folder: &Path) -> Result<Self, TraceError> {
        let mooncake_file = folder.join("mooncake_synthetic.jsonl");
        Ok(Self {
            conversation: Trace(read(&folder.join("azure_conv_2023.csv"), 1, azure)?),
            code: Trace(read(&folder.join("azure_code_2023.csv"), 1, azure)?),
            mooncake: Trace(read(&mooncake_file, 0, mooncake)?),
            prompts: read(&mooncake_file, 0, prompt)?,
        })
    }
}

impl Trace {
    /// About `rate` arrivals a second for `span`, from a random place of the trace.
    pub fn window(&self, rate: f64, span: Duration, dice: &mut Dice) -> Vec<Arrival> {
        let wanted = count(rate * span.as_secs_f64()).clamp(1, self.0.len().saturating_sub(1).max(1));
        let from = dice.below(self.0.len().saturating_sub(wanted).max(1));
        let Some(taken) = self.0.get(from..(from + wanted).min(self.0.len())) else { return Vec::new() };
        let (Some(first), Some(last)) = (taken.first(), taken.last()) else { return Vec::new() };
        let measured = last.at.saturating_sub(first.at).as_secs_f64().max(1e-9);
        let stretch = span.as_secs_f64() / measured;
        taken
            .iter()
            .map(|call| Arrival { at: call.at.saturating_sub(first.at).mul_f64(stretch), ..*call })
            .collect()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a scenario has some thousand calls"
)]
fn count(calls: f64) -> usize {
    calls.round().max(0.0) as usize
}

fn read<T: Timed>(path: &Path, skip: usize, parse: fn(&str) -> Option<T>) -> Result<Vec<T>, TraceError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| TraceError::Read { path: path.to_owned(), source })?;
    let mut calls = Vec::new();
    for (index, line) in text.lines().enumerate().skip(skip).filter(|(_, line)| !line.is_empty()) {
        let call = parse(line).ok_or_else(|| TraceError::Line { path: path.to_owned(), line: index + 1 })?;
        calls.push(call);
    }
    calls.sort_by_key(Timed::at);
    Ok(calls)
}

trait Timed {
    fn at(&self) -> Duration;
}

impl Timed for Arrival {
    fn at(&self) -> Duration {
        self.at
    }
}

impl Timed for Prompt {
    fn at(&self) -> Duration {
        self.at
    }
}

/// `2023-11-16 18:15:46.6805900,374,44`
fn azure(line: &str) -> Option<Arrival> {
    let mut fields = line.split(',');
    let (day, time) = fields.next()?.split_once(' ')?;
    let day: u64 = day.rsplit('-').next()?.parse().ok()?;
    let mut parts = time.split(':');
    let (hours, minutes): (u64, u64) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let seconds: f64 = parts.next()?.parse().ok()?;
    let whole = Duration::from_secs(((day * 24 + hours) * 60 + minutes) * 60);
    let at = whole + Duration::try_from_secs_f64(seconds).ok()?;
    Some(Arrival { at, input: fields.next()?.parse().ok()?, output: fields.next()?.trim().parse().ok()? })
}

/// `{"timestamp": 277, "input_length": 32140, "output_length": 92, …}`, in milliseconds.
fn mooncake(line: &str) -> Option<Arrival> {
    let number = |name: &str| -> Option<u64> {
        let (_, rest) = line.split_once(name)?;
        let rest = rest.trim_start_matches(['"', ':', ' ']);
        rest.get(..rest.find(|c: char| !c.is_ascii_digit())?)?.parse().ok()
    };
    Some(Arrival {
        at: Duration::from_millis(number("\"timestamp\"")?),
        input: u32::try_from(number("\"input_length\"")?).ok()?,
        output: u32::try_from(number("\"output_length\"")?).ok()?,
    })
}

fn prompt(line: &str) -> Option<Prompt> {
    let Arrival { at, output, .. } = mooncake(line)?;
    let (_, list) = line.split_once('[')?;
    let (list, _) = list.split_once(']')?;
    let blocks: Result<_, _> = list.split(',').map(|block| block.trim().parse()).collect();
    Some(Prompt { at, output, blocks: blocks.ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let call = azure("2023-11-16 18:15:46.5,374,44").unwrap();
        assert_eq!((call.input, call.output, call.at.subsec_millis()), (374, 44, 500));
        let call =
            mooncake(r#"{"timestamp": 277, "input_length": 32140, "output_length": 92, "hash_ids": [1]}"#);
        let want = Arrival { at: Duration::from_millis(277), input: 32_140, output: 92 };
        assert_eq!(call, Some(want));
        let line = r#"{"timestamp": 277, "input_length": 9, "output_length": 92, "hash_ids": [1, 23]}"#;
        assert_eq!(prompt(line).unwrap().blocks, [1, 23]);
        assert_eq!((azure("x"), mooncake("{}")), (None, None));
    }

    #[test]
    fn a_window_has_the_wanted_rate() {
        let trace =
            Trace((0..1000).map(|n| Arrival { at: Duration::from_secs(n), input: 1, output: 1 }).collect());
        let window = trace.window(10.0, Duration::from_secs(20), &mut Dice::new(1, 1));
        assert_eq!(window.len(), 200);
        assert_eq!(window[0].at, Duration::ZERO);
        assert!((window[199].at.as_secs_f64() - 20.0).abs() < 1e-6);
    }
}

//! The judge: what the caller saw and what the provider got, against what is owed to both.

use std::time::Duration;

use serde::Serialize;
use wall::{Fault, Visits, Way};

use super::call::Seen;
use super::case::{Case, Owed, Wrong};
use super::reading::{self, Said, Told};

/// One row of the scorecard.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Verdict {
    pub(super) fault: &'static str,
    pub(super) way: &'static str,
    /// What the caller saw, in words.
    pub(super) saw: String,
    /// The longest call.
    #[serde(rename = "took_ms", serialize_with = "millis")]
    pub(super) took: Duration,
    /// Calls made.
    pub(super) calls: usize,
    /// Requests that the provider got.
    pub(super) requests: usize,
    /// Requests that it may get.
    pub(super) allowed: usize,
    /// What is not as it should be; empty: passed.
    pub(super) complaints: Vec<String>,
}

impl Verdict {
    pub(super) fn passed(&self) -> bool {
        self.complaints.is_empty()
    }
}

/// Judges a case by all that its caller saw and all that the provider got.
pub(super) fn judge(case: &Case, answers: &[Seen], visits: &Visits) -> Verdict {
    let read: Vec<_> = answers.iter().map(|seen| call(case, seen)).collect();
    let mut saw: Vec<String> = Vec::new();
    let mut complaints = Vec::new();
    for (words, complaint) in read {
        if !saw.contains(&words) {
            saw.push(words);
        }
        complaints.extend(complaint);
    }
    let allowed = case.most * answers.len();
    if visits.count > allowed {
        complaints.push(format!("the provider was asked {} times; {allowed} would do", visits.count));
    }
    if case.fault == Fault::ThrottledOnce
        && let [first, second, ..] = visits.at.as_slice()
        && *second - *first < wall::RETRY_AFTER
    {
        let waited = (*second - *first).as_millis();
        complaints.push(format!("told to wait 1 s, it asked again after {waited} ms"));
    }
    complaints.dedup();
    Verdict {
        fault: case.fault.name(),
        way: case.way.name(),
        saw: saw.join(", "),
        took: answers.iter().map(|seen| seen.took).max().unwrap_or_default(),
        calls: answers.len(),
        requests: visits.count,
        allowed,
        complaints,
    }
}

/// What a caller saw, and what is wrong with it.
fn call(case: &Case, seen: &Seen) -> (String, Option<String>) {
    let said = match case.way {
        Way::Plain => reading::plain(seen),
        Way::Streamed => reading::stream(seen),
    };
    match said {
        Err(why) => ("neither an answer nor an error".to_owned(), Some(why)),
        Ok(said) => (words(&said), complaint(case, &said)),
    }
}

fn words(said: &Said) -> String {
    match said {
        Said::Answer { .. } => "an answer".to_owned(),
        Said::Error { told: Told::Status(status), .. } => format!("error {status}"),
        Said::Error { told: Told::Stream, text } if text.is_empty() => "an error in the stream".to_owned(),
        Said::Error { told: Told::Stream, text } => {
            format!("an error after {} tokens", text.split_whitespace().count())
        }
        Said::Left { .. } => "a stream, and left it".to_owned(),
    }
}

fn complaint(case: &Case, said: &Said) -> Option<String> {
    let right = wall::text();
    match (said, case.owed) {
        (Said::Left { .. }, Owed::Leaving) => None,
        (Said::Answer { text, .. }, _) if *text != right => {
            Some(format!("an answer that is not the provider's was presented as whole: {text:?}"))
        }
        (Said::Answer { .. }, Owed::Error(_) | Owed::Leaving) => {
            Some("an answer was presented as whole that is not".to_owned())
        }
        (Said::Answer { usage, .. }, _) => (*usage != Some((wall::PROMPT_TOKENS, wall::TOKENS))).then(|| {
            let told =
                usage.map_or_else(|| "none".to_owned(), |(prompt, answer)| format!("{prompt} + {answer}"));
            format!("the usage is {told}, not {} + {}", wall::PROMPT_TOKENS, wall::TOKENS)
        }),
        (Said::Error { text, .. }, Owed::Error(_) | Owed::Either(_)) if !right.starts_with(text.as_str()) => {
            Some(format!("the error came after something that the provider did not say: {text:?}"))
        }
        (Said::Error { told: Told::Status(status), .. }, Owed::Error(wrong) | Owed::Either(wrong)) => {
            (!wrong.fits(*status))
                .then(|| format!("the error's status is {status}, not {}", wrong.expected()))
        }
        // In a stream there is no status to be right or wrong.
        (Said::Error { told: Told::Stream, .. }, Owed::Error(_) | Owed::Either(_)) => None,
        (Said::Error { told: Told::Status(status), .. }, Owed::Leaving) if Wrong::Late.fits(*status) => None,
        (Said::Error { told: Told::Stream, .. }, Owed::Leaving) => None,
        (Said::Error { .. }, Owed::Whole | Owed::Leaving) => {
            Some("an error where nothing stood in the way of an answer".to_owned())
        }
        (Said::Left { .. }, _) => Some("the caller left too early: this is a fault of certify's".to_owned()),
    }
}

fn millis<S: serde::Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;

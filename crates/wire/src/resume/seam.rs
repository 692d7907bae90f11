//! The seam of two streams: what comes from the second is held back until it passes what the caller has already.

use types::chat::Event;
use types::ledger::Rest;
use types::{Code, Fault, Kind, Usage};

/// The model that was asked to go on answered otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diverged;

impl From<Diverged> for Fault {
    fn from(Diverged: Diverged) -> Self {
        let message = "asked to go on with an answer, the model answered otherwise";
        Self::new(Kind::InvalidResponse, Code::StreamDiverged, message)
    }
}

/// What the caller's usage is made of beside the last part's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What the first part reported, if it did: its input counts, which the caller may have been told.
    pub first: Option<Usage>,
    /// Tokens of the beginning.
    pub beginning: u64,
}

/// How far the second stream is.
#[derive(Clone, Debug)]
enum Stage {
    /// It must first say this again.
    Repeat {
        all: String,
        at: usize,
    },
    /// It may say this again: then it is left out. If it says anything else, that was the rest.
    Echo {
        all: String,
        at: usize,
        then: String,
    },
    /// The caller has this whitespace already, which the model was not given.
    Trim(String),
    Over,
}

/// Lets of a stream pass what goes on with an answer.
#[derive(Clone, Debug)]
pub struct Seam {
    how: Rest,
    stage: Stage,
    told: Told,
}

impl Seam {
    /// The model was asked anew, and the caller has `text`.
    pub fn anew(text: &str, told: Told) -> Self {
        let stage = if text.is_empty() { Stage::Over } else { Stage::Repeat { all: text.to_owned(), at: 0 } };
        Self { how: Rest::Anew, stage, told }
    }

    /// The model was given `text` without the whitespace at its end. `repeats`: it may say all of that again.
    pub fn prefilled(text: &str, repeats: bool, told: Told) -> Self {
        let head = text.trim_end();
        let white = text.get(head.len()..).unwrap_or_default().to_owned();
        let stage = if repeats {
            Stage::Echo { all: head.to_owned(), at: 0, then: white }
        } else {
            Stage::Trim(white)
        };
        Self { how: Rest::Prefill, stage, told }
    }

    /// How the rest was asked for.
    pub const fn how(&self) -> Rest {
        self.how
    }

    /// Hands on to `on` what the caller is to be sent for this event.
    ///
    /// # Errors
    /// [`Diverged`]: the answer does not begin with what the caller has. Nothing may be sent after that.
    pub fn pass(&mut self, event: Event, mut on: impl FnMut(Event)) -> Result<(), Diverged> {
        match event {
            Event::Text { choice: 0, text } => {
                let text = self.rest(text)?;
                if !text.is_empty() {
                    on(Event::Text { choice: 0, text });
                }
            }
            Event::Usage(usage) => on(Event::Usage(self.usage(usage))),
            // The head is written, the reasoning was another's, further choices nobody asked for, and sources are
            // told by places in another text.
            Event::Start { .. }
            | Event::Text { .. }
            | Event::Thinking { .. }
            | Event::ThinkingSignature { .. }
            | Event::HiddenThinking { .. }
            | Event::Citation { .. }
            | Event::Logprobs { .. } => {}
            Event::Refusal { choice: 0, .. }
            | Event::Image { choice: 0, .. }
            | Event::ToolStart { choice: 0, .. }
            | Event::ToolArguments { choice: 0, .. }
            | Event::Stop { choice: 0, .. } => {
                self.end(&mut on)?;
                on(event);
            }
            Event::Refusal { .. }
            | Event::Image { .. }
            | Event::ToolStart { .. }
            | Event::ToolArguments { .. }
            | Event::Stop { .. } => {}
            Event::Done => {
                self.end(&mut on)?;
                on(event);
            }
            Event::Failed(_) => on(event),
        }
        Ok(())
    }

    /// What of `text` is news.
    fn rest(&mut self, text: String) -> Result<String, Diverged> {
        match &mut self.stage {
            Stage::Over => Ok(text),
            Stage::Repeat { all, at } => {
                let missing = all.get(*at..).unwrap_or_default();
                if let Some(rest) = text.strip_prefix(missing) {
                    let rest = rest.to_owned();
                    self.stage = Stage::Over;
                    return Ok(rest);
                }
                if !missing.starts_with(&text) {
                    return Err(Diverged);
                }
                *at += text.len();
                Ok(String::new())
            }
            Stage::Echo { all, at, then } => {
                let missing = all.get(*at..).unwrap_or_default();
                let rest = if let Some(rest) = text.strip_prefix(missing) {
                    rest.to_owned()
                } else if missing.starts_with(&text) {
                    *at += text.len();
                    return Ok(String::new());
                } else {
                    all.get(..*at).unwrap_or_default().to_owned() + &text
                };
                self.stage = Stage::Trim(std::mem::take(then));
                self.rest(rest)
            }
            Stage::Trim(white) => {
                let common = white.chars().zip(text.chars()).take_while(|(had, comes)| had == comes);
                let common: usize = common.map(|(had, _)| had.len_utf8()).sum();
                let rest = text.get(common..).unwrap_or_default().to_owned();
                white.drain(..common);
                if white.is_empty() || !rest.is_empty() {
                    self.stage = Stage::Over;
                }
                Ok(rest)
            }
        }
    }

    /// The text has ended: all of what was to be said again must have been.
    fn end(&mut self, on: &mut impl FnMut(Event)) -> Result<(), Diverged> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Repeat { .. } => Err(Diverged),
            Stage::Echo { all, at, then } => {
                // Too little for a repetition, so it was the rest.
                self.stage = Stage::Trim(then);
                let text = self.rest(all.get(..at).unwrap_or_default().to_owned())?;
                if !text.is_empty() {
                    on(Event::Text { choice: 0, text });
                }
                self.stage = Stage::Over;
                Ok(())
            }
            Stage::Trim(_) | Stage::Over => Ok(()),
        }
    }

    /// What the answer that the caller holds used: the input as it was told first, the output of all of it.
    fn usage(&self, last: Usage) -> Usage {
        let before = if self.how == Rest::Prefill { self.told.beginning } else { 0 };
        let output = before.saturating_add(last.output);
        match self.told.first {
            Some(first) => {
                Usage { output, reasoning: last.reasoning, audio_output: last.audio_output, ..first }
            }
            None => Usage { output, ..last },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use types::chat::Stop;

    use super::*;

    fn text(text: &str) -> Event {
        Event::Text { choice: 0, text: text.to_owned() }
    }

    /// What passes of a stream with these texts and an end.
    fn passed(mut seam: Seam, texts: &[&str]) -> Result<String, Diverged> {
        let mut out = String::new();
        let stop = Event::Stop { choice: 0, stop: Stop::End };
        let events = texts.iter().map(|piece| text(piece)).chain([stop, Event::Done]);
        for event in events {
            seam.pass(event, |event| {
                if let Event::Text { text, .. } = event {
                    out.push_str(&text);
                }
            })?;
        }
        Ok(out)
    }

    fn split(text: &str, at: &[prop::sample::Index]) -> Vec<String> {
        let mut places: Vec<_> = at.iter().map(|at| at.index(text.len() + 1)).collect();
        places.retain(|at| text.is_char_boundary(*at));
        places.extend([0, text.len()]);
        places.sort_unstable();
        places.windows(2).map(|pair| text[pair[0]..pair[1]].to_owned()).collect()
    }

    #[test]
    fn whitespace_at_the_seam_is_neither_doubled_nor_lost() {
        let seam = |had| Seam::prefilled(had, false, Told::default());
        for (had, comes, news) in [
            ("one", &[" two"][..], " two"),
            ("one ", &[" two"], "two"),
            ("one ", &["two"], "two"),
            ("one\n\n", &["\n", "\n", "two"], "two"),
            ("one\n\n", &["\n", "two"], "two"),
            ("one ", &["\n two"], "\n two"),
            ("one\u{3000} ", &["\u{3000}", " two "], "two "),
            ("one ", &["", " ", " two"], " two"),
        ] {
            assert_eq!(passed(seam(had), comes).as_deref(), Ok(news), "{had:?} {comes:?}");
        }
    }

    #[test]
    fn a_repetition_is_left_out_and_what_only_looks_like_one_is_not() {
        let seam = || Seam::prefilled("to be or ", true, Told::default());
        assert_eq!(passed(seam(), &["to be or", " not"]).as_deref(), Ok("not"));
        assert_eq!(passed(seam(), &["to ", "be ", "or not"]).as_deref(), Ok("not"));
        assert_eq!(passed(seam(), &["to ", "sleep"]).as_deref(), Ok("to sleep"));
        assert_eq!(passed(seam(), &["to"]).as_deref(), Ok("to"));
        assert_eq!(passed(seam(), &[" not"]).as_deref(), Ok("not"));
    }

    #[test]
    fn what_differs_or_ends_too_early_has_diverged() {
        let seam = || Seam::anew("one two", Told::default());
        for other in [&["one too"][..], &["one", " to"], &["One"], &["one"], &[]] {
            assert_eq!(passed(seam(), other), Err(Diverged), "{other:?}");
        }
        let call = Event::ToolStart { choice: 0, index: 0, id: "c".into(), name: "f".into() };
        assert_eq!(seam().pass(call, |_| {}), Err(Diverged));
    }

    #[test]
    fn another_models_reasoning_does_not_pass_and_its_usage_is_made_the_answers() {
        let first = Usage { cache_read: 3, ..Usage::plain(10, 1) };
        let told = Told { first: Some(first), beginning: 5 };
        let mut out = Vec::new();
        let mut seam = Seam::prefilled("a", false, told);
        let start = Event::Start { id: "2".into(), model: "m".into(), usage: None };
        let thought = Event::Thinking { choice: 0, text: "hm".into() };
        for event in [start, thought, text("b"), Event::Usage(Usage::plain(15, 7))] {
            seam.pass(event, |event| out.push(event)).unwrap();
        }
        assert_eq!(out, [text("b"), Event::Usage(Usage { output: 12, ..first })]);
        let mut seam = Seam::anew("", Told { first: None, beginning: 5 });
        seam.pass(Event::Usage(Usage::plain(15, 7)), |event| out.push(event)).unwrap();
        assert_eq!(out.last(), Some(&Event::Usage(Usage::plain(15, 7))));
    }

    proptest! {
        #[test]
        fn what_was_sent_and_what_passes_are_the_answer(
            answer in "[a-c é🦀\n]{0,40}",
            at: prop::sample::Index,
            cuts: Vec<prop::sample::Index>,
        ) {
            let at = at.index(answer.len() + 1);
            prop_assume!(answer.is_char_boundary(at));
            let (had, _) = answer.split_at(at);
            let again = split(&answer, &cuts);
            let again: Vec<_> = again.iter().map(String::as_str).collect();
            let anew = passed(Seam::anew(had, Told::default()), &again);
            prop_assert_eq!(anew.map(|news| had.to_owned() + &news), Ok(answer.clone()));

            let head = had.trim_end();
            let rest = split(&answer[head.len()..], &cuts);
            let rest: Vec<_> = rest.iter().map(String::as_str).collect();
            let prefilled = passed(Seam::prefilled(had, false, Told::default()), &rest);
            prop_assert_eq!(prefilled.map(|news| had.to_owned() + &news), Ok(answer.clone()));

            let echoed = passed(Seam::prefilled(had, true, Told::default()), &again);
            prop_assert_eq!(echoed.map(|news| had.to_owned() + &news), Ok(answer.clone()));
        }
    }
}

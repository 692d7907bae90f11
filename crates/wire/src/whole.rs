//! The borrowed look at a whole answer that is forwarded as it is: what it used, and whether it is an answer.
//!
//! One pass checks the syntax of all of it; only the figures are read.

use serde::Deserialize;
use types::{Code, Dialect, Fault, Kind, Usage};

use crate::scan::{Broken, Members};
use crate::{anthropic, bedrock, gemini, openai, rejection, responses};

/// What a whole answer says it used, without decoding the rest: for answers that are forwarded as they are.
///
/// Fails with `BadAnswer` if the answer is not a JSON object or lacks that which makes it an answer of its dialect,
/// or with the error that it reports.
pub fn answer_usage(dialect: Dialect, body: &[u8]) -> Result<Option<Usage>, Fault> {
    Ok(match dialect {
        Dialect::AnthropicMessages => {
            look::<anthropic::usage::Figures>(dialect, body)?.map(anthropic::usage::Figures::to_usage)
        }
        Dialect::OpenaiResponses => {
            look::<responses::usage::Figures>(dialect, body)?.map(|figures| figures.to_usage())
        }
        Dialect::BedrockConverse => {
            look::<bedrock::usage::Figures<'_>>(dialect, body)?.map(|figures| figures.to_usage())
        }
        Dialect::GeminiContent => {
            look::<gemini::usage::Figures>(dialect, body)?.map(|figures| figures.to_usage())
        }
        Dialect::OpenaiChat | Dialect::OpenaiEmbeddings => {
            look::<openai::usage::Figures>(dialect, body)?.map(|figures| figures.to_usage())
        }
    })
}

/// The usage in it, if it has any.
fn look<'a, F: Deserialize<'a>>(dialect: Dialect, body: &'a [u8]) -> Result<Option<F>, Fault> {
    let text = std::str::from_utf8(body).map_err(|error| unreadable(body, error.valid_up_to()))?;
    let mut members = Members::of(text).map_err(|Broken| unreadable(body, 0))?;
    let mut seen = Seen { usage: None, told: false, error: None, whole: false };
    match seen.all(dialect, &mut members) {
        Err(Broken) => Err(unreadable(body, members.at())),
        Ok(()) => seen.verdict(dialect),
    }
}

struct Seen<'a, F> {
    usage: Option<F>,
    /// `usage` was there, though it may have been `null`.
    told: bool,
    error: Option<&'a str>,
    /// What makes it an answer stands in it.
    whole: bool,
}

impl<'a, F: Deserialize<'a>> Seen<'a, F> {
    fn all(&mut self, dialect: Dialect, members: &mut Members<'a>) -> Result<(), Broken> {
        while let Some(key) = members.key()? {
            // Two readers that disagree on which of two counts is how limits are slipped past.
            let twice = match &*key.name {
                "usage" | "usageMetadata" => {
                    self.usage = members.read()?;
                    std::mem::replace(&mut self.told, true)
                }
                "error" => self.error.replace(members.value()?.0).is_some(),
                name => {
                    let (value, _) = members.value()?;
                    self.whole |= value.starts_with(['{', '[']) && carries(dialect).contains(&name);
                    false
                }
            };
            if twice {
                return Err(Broken);
            }
        }
        Ok(())
    }

    fn verdict(self, dialect: Dialect) -> Result<Option<F>, Fault> {
        match self.error {
            Some(error) if error != "null" => Err(rejection::in_stream(error)),
            _ if !self.whole => {
                let message = format!("the provider's answer has no `{}`", carries(dialect)[0]);
                Err(Fault::new(Kind::InvalidResponse, Code::BadAnswer, message))
            }
            _ => Ok(self.usage),
        }
    }
}

/// Where the answers of a dialect have what was asked for; one of the names stands in each.
const fn carries(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::OpenaiChat => &["choices"],
        Dialect::OpenaiEmbeddings => &["data"],
        Dialect::OpenaiResponses | Dialect::BedrockConverse => &["output"],
        Dialect::AnthropicMessages => &["content"],
        Dialect::GeminiContent => &["candidates", "promptFeedback"],
    }
}

/// Says where, not what.
fn unreadable(body: &[u8], at: usize) -> Fault {
    let line = 1 + memchr::memchr_iter(b'\n', body.get(..at).unwrap_or_default()).count();
    let message = format!("the provider's answer cannot be read (line {line})");
    Fault::new(Kind::InvalidResponse, Code::BadAnswer, message)
}

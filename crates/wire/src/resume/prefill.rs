//! A request with the beginning of its answer in it, for a server that writes on from there.
//!
//! The body is the one that the server would have been sent anyway, so nothing is decoded: a turn is put behind the
//! last one, and the limit of tokens is lowered by what has been written.

use std::ops::Range;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use types::Dialect;
use types::quirks::Prefill;

use crate::codec::Writing;
use crate::object::look;

/// The shortest beginning that is sent to a server that may repeat it or begin afresh: of less than that nobody could
/// say whether it was repeated or is how the answer goes on.
const SHOWN: usize = 32;

/// A request that holds the beginning of its answer.
#[derive(Clone, Debug)]
pub struct Prefilled {
    /// The body.
    pub body: Bytes,
    /// Whether the server may say the beginning again.
    pub repeats: bool,
}

/// What stands in a body, as far as it matters.
#[derive(Default)]
struct Found {
    /// Where the last turn ends.
    turns_end: Option<usize>,
    /// The end of the last member.
    end: usize,
    edits: Vec<(Range<usize>, String)>,
    /// Something in the request does not go with a beginning.
    unfit: bool,
}

/// The request `body`, which is written as `writing` says, with `text` as the beginning of its answer; `written` is how
/// many tokens that is. `None`: the server does not take it, or this request does not go with it.
pub fn prefilled(body: &[u8], writing: &Writing<'_>, text: &str, written: u64) -> Option<Prefilled> {
    let way = match writing.dialect {
        Dialect::AnthropicMessages => Prefill::Trailing,
        Dialect::BedrockConverse if writing.model.contains("anthropic.") => Prefill::Trailing,
        Dialect::OpenaiChat => writing.quirks.prefill,
        _ => Prefill::No,
    };
    // Some say it again, and an older one may begin afresh.
    let repeats = writing.dialect == Dialect::OpenaiChat;
    // A beginning that ends in whitespace is refused by some, and makes all of them write worse.
    let head = text.trim_end();
    if way == Prefill::No || head.is_empty() || repeats && head.len() < SHOWN {
        return None;
    }
    let body = std::str::from_utf8(body).ok()?;
    let mut found = Found::default();
    look(body, |member| {
        found.member(&member.key, member.value, member.value_at(), written);
        Ok(())
    })
    .ok()?;
    let Found { turns_end, end, mut edits, unfit } = found;
    let turns_end = turns_end.filter(|_| !unfit)?;
    let said = Value::from(head);
    let turn = match (writing.dialect, way) {
        (Dialect::BedrockConverse, _) => format!(r#"{{"role":"assistant","content":[{{"text":{said}}}]}}"#),
        (_, Prefill::Marked(mark)) => format!(r#"{{"role":"assistant","content":{said},"{mark}":true}}"#),
        _ => format!(r#"{{"role":"assistant","content":{said}}}"#),
    };
    if way == Prefill::Continued {
        let said = r#","add_generation_prompt":false,"continue_final_message":true"#;
        edits.push((end..end, said.to_owned()));
    }
    edits.push((turns_end..turns_end, format!(",{turn}")));
    Some(Prefilled { body: edited(body, edits), repeats })
}

impl Found {
    fn member(&mut self, key: &str, value: &str, at: Range<usize>, written: u64) {
        self.end = at.end;
        if value == "null" {
            return;
        }
        let says = |word: &str| value.contains(word);
        match key {
            "messages" => self.turns_end = turns_end(value).map(|end| at.start + end),
            "max_tokens" | "max_completion_tokens" => {
                if let Ok(most) = value.parse::<u64>() {
                    self.edits.push((at, most.saturating_sub(written).max(1).to_string()));
                }
            }
            "inferenceConfig" => self.edits.extend(lowered(value, written).map(|config| (at, config))),
            // Thinking comes before the text, and the text has begun.
            "thinking" => self.unfit |= !says(r#""disabled""#),
            "additionalModelRequestFields" => self.unfit |= says(r#""thinking""#),
            "reasoning_effort" | "reasoning" => self.unfit |= !says(r#""none""#) && !says("false"),
            // A grammar begins afresh, in the middle of what it is to describe.
            "response_format" => self.unfit |= !says(r#""text""#),
            "output_config" => self.unfit |= says(r#""format""#),
            "output_format" | "guided_json" | "guided_regex" | "guided_choice" | "guided_grammar"
            | "structured_outputs" | "grammar" | "json_schema" => self.unfit = true,
            // A call that is forced does not begin with text.
            "tool_choice" => self.unfit |= !says(r#""auto""#) && !says(r#""none""#),
            "toolConfig" => self.unfit |= says(r#""toolChoice""#) && !says(r#""auto""#),
            "continue_final_message" | "add_generation_prompt" | "echo" => self.unfit = true,
            _ => {}
        }
    }
}

/// Where the last of these turns ends, if it is not the model's own.
fn turns_end(turns: &str) -> Option<usize> {
    #[derive(Deserialize)]
    struct Turn<'a> {
        #[serde(borrow)]
        role: std::borrow::Cow<'a, str>,
    }
    let all: Vec<&RawValue> = serde_json::from_str(turns).ok()?;
    let last = all.last()?.get();
    let turn: Turn<'_> = serde_json::from_str(last).ok()?;
    let start = last.as_ptr().addr().checked_sub(turns.as_ptr().addr())?;
    (turn.role != "assistant").then_some(start + last.len())
}

/// Bedrock's settings with a lower limit of tokens, if they have one.
fn lowered(config: &str, written: u64) -> Option<String> {
    let mut config: Value = serde_json::from_str(config).ok()?;
    let most = config.get("maxTokens")?.as_u64()?;
    config["maxTokens"] = most.saturating_sub(written).max(1).into();
    Some(config.to_string())
}

fn edited(body: &str, mut edits: Vec<(Range<usize>, String)>) -> Bytes {
    edits.sort_by_key(|(span, _)| span.start);
    let added: usize = edits.iter().map(|(_, text)| text.len()).sum();
    let mut out = String::with_capacity(body.len() + added);
    let mut from = 0;
    for (span, text) in &edits {
        out.push_str(body.get(from..span.start).unwrap_or_default());
        out.push_str(text);
        from = span.end;
    }
    out.push_str(body.get(from..).unwrap_or_default());
    Bytes::from(out)
}

/// Whether a caller's request is for one answer in text: of several, or of sound, none can be gone on with.
pub fn is_single(body: &[u8]) -> bool {
    let Ok(body) = std::str::from_utf8(body) else { return false };
    let mut single = true;
    let looked = look(body, |member| {
        single &= match &*member.key {
            "n" => matches!(member.value, "1" | "null"),
            "modalities" => !member.value.contains("audio"),
            _ => true,
        };
        Ok(())
    });
    single && looked.is_ok()
}

#[cfg(test)]
mod tests {
    use types::Quirks;

    use super::*;
    use crate::Unsupported;

    fn made(
        dialect: Dialect,
        prefill: Prefill,
        model: &str,
        body: &str,
        text: &str,
    ) -> Option<(Value, bool)> {
        let quirks = Quirks { prefill, ..Quirks::OPENAI };
        let writing = Writing { dialect, model, unsupported: Unsupported::Refuse, quirks: &quirks };
        let Prefilled { body, repeats } = prefilled(body.as_bytes(), &writing, text, 4)?;
        Some((serde_json::from_slice(&body).unwrap(), repeats))
    }

    #[test]
    fn the_beginning_is_the_last_turn_and_the_limit_is_lowered() {
        let body = r#"{"max_tokens":10, "messages":[ {"role":"user","content":"hi"} ] ,"odd":1.0e400}"#;
        let quirks = Quirks::OPENAI;
        let writing = Writing {
            dialect: Dialect::AnthropicMessages,
            model: "m",
            unsupported: Unsupported::Refuse,
            quirks: &quirks,
        };
        let made = prefilled(body.as_bytes(), &writing, "One \"two\" \n", 4).unwrap();
        assert_eq!(
            made.body,
            r#"{"max_tokens":6, "messages":[ {"role":"user","content":"hi"},{"role":"assistant","content":"One \"two\""} ] ,"odd":1.0e400}"#
        );
        assert!(!made.repeats);
    }

    #[test]
    fn each_kind_of_server_is_told_in_its_way() {
        let chat = r#"{"messages":[{"role":"user","content":"hi"}],"max_completion_tokens":3}"#;
        let long = "a beginning that is long enough to be recognised";
        let chatted = |prefill| made(Dialect::OpenaiChat, prefill, "m", chat, long);
        let (body, repeats) = chatted(Prefill::Marked("prefix")).unwrap();
        assert_eq!((&body["messages"][1]["prefix"], repeats), (&Value::Bool(true), true));
        assert_eq!(body["max_completion_tokens"], 1);
        let (body, repeats) = chatted(Prefill::Continued).unwrap();
        assert_eq!((&body["continue_final_message"], repeats), (&Value::Bool(true), true));
        assert!(chatted(Prefill::No).is_none());
        assert!(made(Dialect::OpenaiChat, Prefill::Marked("prefix"), "m", chat, "short").is_none());

        let converse = r#"{"messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"maxTokens":9,"temperature":0.5}}"#;
        let bedrock = |model| made(Dialect::BedrockConverse, Prefill::No, model, converse, "One");
        let (body, _) = bedrock("eu.anthropic.claude-3-haiku").unwrap();
        assert_eq!(body["messages"][1]["content"][0]["text"], "One");
        assert_eq!(body["inferenceConfig"]["maxTokens"], 5);
        assert!(bedrock("amazon.nova-lite-v1:0").is_none());
    }

    #[test]
    fn requests_that_do_not_go_with_a_beginning_are_left_alone() {
        let asked = r#"{"role":"user","content":"hi"}"#;
        for (turns, more) in [
            ("", ""),
            (r#"{"role":"user","content":"hi"},{"role":"assistant","content":"I"}"#, ""),
            (asked, r#","thinking":{"type":"enabled","budget_tokens":1024}"#),
            (asked, r#","thinking":{"type":"adaptive"}"#),
            (asked, r#","output_config":{"format":{"type":"json_schema"}}"#),
            (asked, r#","response_format":{"type":"json_schema"}"#),
            (asked, r#","tool_choice":{"type":"any"}"#),
            (asked, r#","reasoning_effort":"high""#),
        ] {
            let body = format!(r#"{{"messages":[{turns}]{more}}}"#);
            assert!(made(Dialect::AnthropicMessages, Prefill::No, "m", &body, "One").is_none(), "{body}");
        }
        let fine = format!(
            r#"{{"messages":[{asked}],"thinking":{{"type":"disabled"}},"tool_choice":{{"type":"auto"}}}}"#
        );
        assert!(made(Dialect::AnthropicMessages, Prefill::No, "m", &fine, "One").is_some());
        assert!(made(Dialect::AnthropicMessages, Prefill::No, "m", &fine, " \n").is_none());
    }

    #[test]
    fn several_answers_or_sound_are_not_single() {
        assert!(is_single(br#"{"n":1,"modalities":["text"]}"#) && is_single(b"{}"));
        assert!(!is_single(br#"{"n":2}"#) && !is_single(br#"{"modalities":["text","audio"]}"#));
    }
}

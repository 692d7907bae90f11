//! What tells how a prompt begins: calls that begin alike are worth sending to the same deployment, because it keeps
//! what it has read.
//!
//! Taken from what the look at the request has noted; nothing is parsed again and nothing is allocated. Which
//! deployment that means is not decided here.

use std::ops::Range;

use memchr::memmem::{find, rfind};

use crate::peek::Peek;

/// Bytes of instructions, and of the conversation's opening, that count: about a thousand tokens each, which is the
/// least that vendors keep.
const WINDOW: usize = 4 << 10;
/// Prompts of fewer bytes are too short to be kept anywhere.
const LEAST: usize = WINDOW;

/// Where the prompt stands, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prompt {
    /// `system`, `instructions`.
    pub(crate) instructions: Range<usize>,
    /// `messages`, `input`.
    pub(crate) turns: Range<usize>,
    /// `prompt_cache_key`.
    pub(crate) key: Range<usize>,
}

impl Peek<'_> {
    /// A digest of how the prompt in `body` begins, the body that this is a look at: of its instructions, and of its
    /// conversation up to the first answer in it, so that it stays the same from turn to turn. Of each the first
    /// 4 KiB count; and the caller's own `prompt_cache_key`, if there is one. The same in every process.
    ///
    /// `None`: too short to be kept, and the caller says nothing.
    pub fn prefix(&self, body: &[u8]) -> Option<u64> {
        let Prompt { instructions, turns, key } = &self.spans.prompt;
        if instructions.len() + turns.len() < LEAST && key.is_empty() {
            return None;
        }
        let part = |at: &Range<usize>| body.get(at.clone()).unwrap_or_default();
        let mut digest = Digest::default();
        digest.add(part(key));
        digest.add(first(part(instructions)));
        digest.add(opening(first(part(turns))));
        Some(digest.end())
    }
}

fn first(bytes: &[u8]) -> &[u8] {
    bytes.get(..WINDOW).unwrap_or(bytes)
}

/// The turns up to the first answer among them.
fn opening(turns: &[u8]) -> &[u8] {
    let said = match find(turns, br#""assistant""#) {
        Some(at) => turns.get(..at).unwrap_or(turns),
        None if turns.len() < WINDOW => turns,
        None => return turns,
    };
    // Up to the end of the turn before it: whatever stands between is another thing in the next request.
    rfind(said, b"}").and_then(|end| said.get(..end)).unwrap_or(said)
}

/// Four multiplications side by side, eight bytes each.
struct Digest {
    lanes: [u64; 4],
    length: u64,
}

const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

impl Default for Digest {
    fn default() -> Self {
        Self { lanes: [1, 2, 3, 4], length: 0 }
    }
}

impl Digest {
    fn add(&mut self, bytes: &[u8]) {
        self.length = mixed(self.length, bytes.len() as u64);
        let mut blocks = bytes.chunks_exact(32);
        for block in blocks.by_ref() {
            for (lane, word) in self.lanes.iter_mut().zip(block.chunks_exact(8)) {
                *lane = mixed(*lane, number(word));
            }
        }
        for (lane, word) in self.lanes.iter_mut().zip(blocks.remainder().chunks(8)) {
            *lane = mixed(*lane, number(word));
        }
    }

    fn end(self) -> u64 {
        self.lanes.into_iter().fold(self.length, |sum, lane| mixed(sum, lane ^ (lane >> 32)))
    }
}

fn mixed(lane: u64, word: u64) -> u64 {
    (lane.rotate_left(29) ^ word).wrapping_mul(FACTOR)
}

fn number(word: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    for (byte, from) in bytes.iter_mut().zip(word) {
        *byte = *from;
    }
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;
    use types::Dialect;

    use crate::peek;

    fn prefix(dialect: Dialect, body: &str) -> Option<u64> {
        peek(dialect, body.as_bytes()).unwrap().prefix(body.as_bytes())
    }

    fn chat(system: &str, turns: &[&str]) -> String {
        let roles = ["user", "assistant"];
        let said =
            |(at, text): (usize, &&str)| format!(r#",{{"role":"{}","content":"{text}"}}"#, roles[at % 2]);
        let turns: String = turns.iter().enumerate().map(said).collect();
        format!(r#"{{"model":"m","messages":[{{"role":"system","content":"{system}"}}{turns}]}}"#)
    }

    #[test]
    fn a_conversation_keeps_its_prefix_and_another_has_another() {
        let openai = |system: &str, turns: &[&str]| prefix(Dialect::OpenaiChat, &chat(system, turns));
        let (long, question) = ("be nice ".repeat(600), "what } is \\\"assistant\\\" {?");
        for system in [long.as_str(), "be brief"] {
            let answer = "well ".repeat(1_000);
            let second = openai(system, &[question, &answer, "and then?"]);
            assert_eq!(second, openai(system, &[question, &answer, "and then?", "this", "more"]));
            assert!(second.is_some());
            if system == long {
                assert_eq!(second, openai(system, &[question]), "the first turn, too");
            } else {
                assert_ne!(second, openai(system, &["another question", &answer, "and then?"]));
                assert_eq!(openai(system, &[question]), None, "too short to be kept");
            }
        }
        assert_ne!(openai(&long, &["a"]), openai(&format!("be very {long}"), &["a"]));
    }

    #[test]
    fn instructions_and_the_callers_key_count_in_every_dialect() {
        let long = "x".repeat(5_000);
        let claude = |system: &str, first: &str| {
            let body = format!(
                r#"{{"model":"m","max_tokens":9,"system":"{system}","messages":[{{"role":"user","content":"{first}"}}]}}"#
            );
            prefix(Dialect::AnthropicMessages, &body)
        };
        assert!(claude(&long, "a").is_some_and(|key| Some(key) == claude(&long, "a")));
        assert_ne!(claude(&long, "a"), claude(&long, "b"));
        assert_ne!(claude(&long, "a"), claude(&format!("y{long}"), "a"));
        let responses = |more: &str, input: &str| {
            prefix(Dialect::OpenaiResponses, &format!(r#"{{"model":"m","input":"{input}"{more}}}"#))
        };
        assert_eq!(responses("", "hi"), None);
        assert!(responses("", &long).is_some());
        assert_ne!(responses("", &long), responses(r#","instructions":"be nice""#, &long));
        let keyed = responses(r#","prompt_cache_key":"k""#, "hi");
        assert!(keyed.is_some() && keyed != responses(r#","prompt_cache_key":"l""#, "hi"));
        assert_eq!(prefix(Dialect::OpenaiEmbeddings, &format!(r#"{{"model":"m","input":"{long}"}}"#)), None);
    }

    proptest! {
        /// Every byte of the window counts, and lengths do.
        #[test]
        fn digests_differ(text in "[a-c]{0,80}", at in any::<prop::sample::Index>()) {
            let digest = |parts: [&str; 2]| {
                let mut digest = super::Digest::default();
                for part in parts {
                    digest.add(part.as_bytes());
                }
                digest.end()
            };
            let mut changed = text.clone().into_bytes();
            if !changed.is_empty() {
                let at = at.index(changed.len());
                changed[at] ^= 1;
            }
            let changed = String::from_utf8(changed).unwrap();
            let longer = format!("{text}a");
            let (head, tail) = text.split_at(text.len() / 2);
            let mut different: Vec<[&str; 2]> = vec![[&text, ""], ["", &longer], [&longer, ""]];
            if !text.is_empty() {
                different.push([&changed, ""]);
                different.push([head, tail]);
            }
            let digests: HashSet<u64> = different.iter().map(|parts| digest(*parts)).collect();
            prop_assert_eq!(digests.len(), different.iter().collect::<HashSet<_>>().len());
        }
    }
}

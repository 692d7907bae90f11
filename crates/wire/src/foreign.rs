//! Reasoning in a request that is forwarded as it is, but was signed by somebody else.
//!
//! An earlier turn of the conversation was answered in another dialect, and the caller sends its reasoning back with
//! the mark that it went out with ([`crate::signature`]). The provider would refuse it, so it goes; so does a turn of
//! which nothing is left. What the provider signed itself stays byte for byte.

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;
use types::Dialect;

use crate::Rope;
use crate::object::members;
use crate::piece::Str;
use crate::signature::{MARK, NOBODY, may_stay, own};

/// What becomes of a value.
enum Fate {
    Stays,
    Becomes(String),
    Goes,
}

/// The body without the reasoning that no provider of `dialect` has signed; `None`: it holds none, and stays as it
/// is. Costs one search through the bytes where there is none.
pub fn own_signatures(dialect: Dialect, body: &Rope) -> Option<Rope> {
    // Bodies in pieces are cut between fields: a mark lies in one of them.
    body.pieces().find(|piece| memmem::find(piece, MARK.as_bytes()).is_some())?;
    let text = std::str::from_utf8(body.joined()).ok()?;
    let fate = match dialect {
        Dialect::AnthropicMessages => within(text, "messages", |turns| items(turns, anthropic_turn)),
        Dialect::OpenaiChat => within(text, "messages", |turns| items(turns, chat_turn)),
        Dialect::OpenaiResponses => within(text, "input", |turns| items(turns, responses_item)),
        Dialect::OpenaiEmbeddings | Dialect::GeminiContent | Dialect::BedrockConverse => Fate::Stays,
    };
    match fate {
        Fate::Becomes(body) => Some(Rope::from(body)),
        Fate::Stays | Fate::Goes => None,
    }
}

fn anthropic_turn(turn: &str) -> Fate {
    within(turn, "content", |content| {
        items(content, |block| match proof(Dialect::AnthropicMessages, block) {
            Fate::Stays => within(block, "citations", |list| match items(list, citation) {
                Fate::Goes => Fate::Becomes("[]".to_owned()),
                fate => fate,
            }),
            fate => fate,
        })
    })
}

/// A citation of another provider's, whose index Anthropic would refuse.
fn citation(citation: &str) -> Fate {
    #[derive(Deserialize)]
    struct Citation<'a> {
        #[serde(borrow)]
        encrypted_index: Option<Str<'a>>,
    }
    match serde_json::from_str(citation) {
        Ok(Citation { encrypted_index: Some(index) }) if index.0 == NOBODY => Fate::Goes,
        _ => Fate::Stays,
    }
}

fn chat_turn(turn: &str) -> Fate {
    within(turn, "reasoning_details", |details| {
        match items(details, |detail| proof(Dialect::OpenaiChat, detail)) {
            // The turn says more than that.
            Fate::Goes => Fate::Becomes("[]".to_owned()),
            fate => fate,
        }
    })
}

fn responses_item(item: &str) -> Fate {
    proof(Dialect::OpenaiResponses, item)
}

/// What becomes of reasoning, or of anything that is not reasoning: that stays.
fn proof(dialect: Dialect, value: &str) -> Fate {
    #[derive(Deserialize)]
    struct Reasoning<'a> {
        #[serde(rename = "type", borrow)]
        kind: Str<'a>,
        #[serde(borrow)]
        signature: Option<Str<'a>>,
        #[serde(borrow)]
        data: Option<Str<'a>>,
        #[serde(borrow)]
        encrypted_content: Option<Str<'a>>,
    }
    let Ok(found) = serde_json::from_str::<Reasoning<'_>>(value) else { return Fate::Stays };
    let (name, signature) = match &*found.kind.0 {
        "thinking" | "reasoning.text" => ("signature", found.signature),
        "redacted_thinking" | "reasoning.encrypted" => ("data", found.data),
        "reasoning" => ("encrypted_content", found.encrypted_content),
        _ => return Fate::Stays,
    };
    let Some(signature) = signature else { return Fate::Stays };
    match own(dialect, &signature.0) {
        Some(raw) => within(value, name, |_| Fate::Becomes(serde_json::Value::from(raw).to_string())),
        None if may_stay(dialect, &signature.0) => Fate::Stays,
        None => Fate::Goes,
    }
}

/// An array by the fates of its items. It goes if all of them do.
fn items(array: &str, fate: impl Fn(&str) -> Fate) -> Fate {
    let Ok(found) = serde_json::from_str::<Vec<&RawValue>>(array) else { return Fate::Stays };
    let (mut left, mut changed) = (Vec::with_capacity(found.len()), false);
    for item in found {
        match fate_of(item.get(), &fate) {
            Fate::Stays => left.push(item.get().to_owned()),
            Fate::Becomes(item) => {
                changed = true;
                left.push(item);
            }
            Fate::Goes => changed = true,
        }
    }
    match (changed, left.is_empty()) {
        (false, _) => Fate::Stays,
        (true, true) => Fate::Goes,
        (true, false) => Fate::Becomes(format!("[{}]", left.join(","))),
    }
}

/// An object by the fate of one of its members: it goes with it.
fn within(object: &str, name: &str, fate: impl Fn(&str) -> Fate) -> Fate {
    let (mut left, mut changed, mut gone) = (Vec::new(), false, false);
    let read = members(object, |member| {
        let here = if member.key == name { fate_of(member.value.get(), &fate) } else { Fate::Stays };
        match here {
            Fate::Stays => left.push(object.get(member.at).unwrap_or_default().to_owned()),
            Fate::Becomes(value) => {
                changed = true;
                left.push(format!("\"{name}\":{value}"));
            }
            Fate::Goes => gone = true,
        }
        Ok(())
    });
    match (read.is_ok(), gone, changed) {
        (true, true, _) => Fate::Goes,
        (true, false, true) => Fate::Becomes(format!("{{{}}}", left.join(","))),
        _ => Fate::Stays,
    }
}

/// Only what holds a mark is looked into.
fn fate_of(value: &str, fate: &impl Fn(&str) -> Fate) -> Fate {
    if value.contains(MARK) { fate(value) } else { Fate::Stays }
}

//! One line of the list: `model TAB provider TAB mode TAB context TAB output TAB prices TAB abilities TAB
//! end`.
//!
//! An empty provider is the part of the model's name before its first slash. Prices are a letter of
//! [`RATES`] and decimal dollars per million tokens, one after the other: `i0.15o0.6r0.075`. Abilities are
//! letters of [`ABILITIES`]. What is not published is empty.

use serde::Serialize;
use types::Price;
use types::price::{Rate, Tier};

/// Letters of prices and the columns of the published table that they stand for.
pub(super) const RATES: [(u8, &str); 14] = [
    (b'i', "input"),
    (b'o', "output"),
    (b'r', "cache_read"),
    (b'w', "cache_write"),
    (b'h', "cache_write_1h"),
    (b't', "reasoning_output"),
    (b'a', "audio_input"),
    (b'b', "audio_output"),
    (b'c', "batch_input"),
    (b'd', "batch_output"),
    (b'I', "input_above_200k"),
    (b'O', "output_above_200k"),
    (b'J', "input_above_272k"),
    (b'P', "output_above_272k"),
];

/// Letters of abilities and their columns.
pub(super) const ABILITIES: [(u8, &str); 9] = [
    (b't', "tools"),
    (b'p', "parallel_tools"),
    (b'v', "vision"),
    (b'a', "audio_in"),
    (b'd', "pdf_in"),
    (b'j', "json_schema"),
    (b'r', "reasoning"),
    (b'c', "prompt_cache"),
    (b'f', "assistant_prefill"),
];

/// What is known about a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The list's name for who offers it: `openai`, `bedrock`.
    pub provider: String,
    /// The list's name for it.
    pub model: String,
    /// What it does.
    pub mode: Mode,
    /// Tokens that its context holds.
    pub context_tokens: Option<u64>,
    /// Tokens that it writes at most.
    pub max_output_tokens: Option<u64>,
    /// What it costs; `None`: not published.
    pub price: Option<Price>,
    /// What it can do, as far as published.
    pub capabilities: Capabilities,
    /// The day after which it may be gone: `2027-01-14`.
    pub deprecation: Option<String>,
}

/// What a model does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Chat.
    Chat,
    /// OpenAI's Responses API only.
    Responses,
    /// Embeddings.
    Embedding,
    /// Plain text completion.
    Completion,
}

/// What a model can do. `false`: no, or not published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Capabilities {
    /// Calls tools.
    pub tools: bool,
    /// Calls several tools at once.
    pub parallel_tools: bool,
    /// Reads images.
    pub vision: bool,
    /// Reads audio.
    pub audio_in: bool,
    /// Reads PDF files.
    pub pdf_in: bool,
    /// Answers in a given JSON Schema.
    pub json_schema: bool,
    /// Thinks before it answers.
    pub reasoning: bool,
    /// Caches prompts.
    pub prompt_cache: bool,
    /// Continues an answer that the caller began.
    pub assistant_prefill: bool,
}

/// The model of a line.
pub(super) fn model(line: &str) -> &str {
    line.split('\t').next().unwrap_or_default()
}

/// The provider of a line.
pub(super) fn provider(line: &str) -> &str {
    let mut fields = line.split('\t');
    let model = fields.next().unwrap_or_default();
    match fields.next() {
        Some(provider) if !provider.is_empty() => provider,
        _ => model.split('/').next().unwrap_or_default(),
    }
}

impl Mode {
    const ALL: [(u8, Self, &'static str); 4] = [
        (b'c', Self::Chat, "chat"),
        (b'r', Self::Responses, "responses"),
        (b'e', Self::Embedding, "embedding"),
        (b't', Self::Completion, "completion"),
    ];

    /// The word in the published table.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, mode, _)| *mode == self).map_or("", |(_, _, word)| word)
    }

    pub(super) fn letter(word: &str) -> Option<u8> {
        Self::ALL.iter().find(|(_, _, name)| *name == word).map(|(letter, _, _)| *letter)
    }

    fn read(text: &str) -> Self {
        let known = Self::ALL.iter().find(|(letter, _, _)| text.as_bytes() == [*letter]);
        known.map_or(Self::Chat, |(_, mode, _)| *mode)
    }
}

impl Entry {
    /// Decodes a line that [`pack`](super::pack::pack) wrote.
    pub(super) fn read(line: &str) -> Self {
        let mut fields = line.split('\t').skip(2);
        let mut field = || fields.next().unwrap_or_default();
        let mode = Mode::read(field());
        Self {
            provider: provider(line).to_owned(),
            model: model(line).to_owned(),
            mode,
            context_tokens: field().parse().ok(),
            max_output_tokens: field().parse().ok(),
            price: price(field(), mode),
            capabilities: capabilities(field()),
            deprecation: Some(field()).filter(|day| !day.is_empty()).map(str::to_owned),
        }
    }
}

/// `None` without both of the basic rates: half a price would be a wrong cost. An embedding writes nothing,
/// so it needs no rate for that.
fn price(text: &str, mode: Mode) -> Option<Price> {
    let mut rates: [Option<Rate>; RATES.len()] = [None; RATES.len()];
    let mut rest = text;
    while let Some(letter) = rest.bytes().next() {
        let end = rest[1..].find(|c: char| c.is_ascii_alphabetic()).map_or(rest.len(), |at| at + 1);
        if let Some(at) = RATES.iter().position(|(known, _)| *known == letter) {
            rates[at] = Some(rest[1..end].parse().ok()?);
        }
        rest = &rest[end..];
    }
    let [input, output, cache_read, cache_write, cache_write_1h, reasoning, rest @ ..] = rates;
    let [audio_input, audio_output, batch_input, batch_output, tiers @ ..] = rest;
    let output = output.or((mode == Mode::Embedding).then_some(Rate::FREE));
    let tier = |above, input: Option<Rate>, output: Option<Rate>| {
        (input.is_some() || output.is_some()).then_some(Tier { above, input, output })
    };
    let tiers = [tier(200_000, tiers[0], tiers[1]), tier(272_000, tiers[2], tiers[3])];
    Some(Price {
        input: input?,
        output: output?,
        cache_read,
        cache_write,
        cache_write_1h,
        reasoning,
        audio_input,
        audio_output,
        batch_input,
        batch_output,
        tiers: tiers.into_iter().flatten().collect(),
    })
}

fn capabilities(text: &str) -> Capabilities {
    let has = |column: &str| {
        let letter = ABILITIES.iter().find(|(_, name)| *name == column).map(|(letter, _)| *letter);
        letter.is_some_and(|letter| text.as_bytes().contains(&letter))
    };
    Capabilities {
        tools: has("tools"),
        parallel_tools: has("parallel_tools"),
        vision: has("vision"),
        audio_in: has("audio_in"),
        pdf_in: has("pdf_in"),
        json_schema: has("json_schema"),
        reasoning: has("reasoning"),
        prompt_cache: has("prompt_cache"),
        assistant_prefill: has("assistant_prefill"),
    }
}

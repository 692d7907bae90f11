//! Made-up embeddings: each word adds a direction of its own, so texts that share words are close.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use types::Usage;

use super::answer::Rendered;
use super::dice::{Dice, hash};
use super::{render, text};

const DIMENSIONS: usize = 64;
/// More than any real model has.
const MOST: usize = 8192;

#[derive(Deserialize)]
struct Request {
    input: Input,
    #[serde(default)]
    dimensions: Option<usize>,
    #[serde(default)]
    encoding_format: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    Text(String),
    Texts(Vec<String>),
    Tokens(Vec<u32>),
    ManyTokens(Vec<Vec<u32>>),
}

#[derive(Serialize)]
struct Answer<'a> {
    object: &'static str,
    data: Vec<Entry>,
    model: &'a str,
    system_fingerprint: &'static str,
    usage: Value,
}

#[derive(Serialize)]
struct Entry {
    object: &'static str,
    index: usize,
    embedding: Vector,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector {
    Floats(Vec<f32>),
    Base64(String),
}

/// Answers an embeddings request, or says what is wrong with it.
pub(super) fn embeddings(model: &str, seed: u64, body: &[u8]) -> Result<Rendered, String> {
    let request: Request = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let dimensions = request.dimensions.unwrap_or(DIMENSIONS);
    if !(1..=MOST).contains(&dimensions) {
        return Err(format!("dimensions must be 1 to {MOST}"));
    }
    let (texts, input) = request.input.texts();
    let base64 = request.encoding_format.as_deref() == Some("base64");
    let seed = hash(model.as_bytes(), seed);
    let data = texts.iter().enumerate().map(|(index, text)| {
        let floats = vector(text, dimensions, seed);
        let embedding = if base64 {
            let bytes: Vec<u8> = floats.iter().flat_map(|value| value.to_le_bytes()).collect();
            Vector::Base64(STANDARD.encode(bytes))
        } else {
            Vector::Floats(floats)
        };
        Entry { object: "embedding", index, embedding }
    });
    let answer = Answer {
        object: "list",
        data: data.collect(),
        model,
        system_fingerprint: "simulated",
        usage: serde_json::json!({"prompt_tokens": input, "total_tokens": input}),
    };
    let mut out = Vec::with_capacity(1024);
    render::put(&mut out, &answer);
    Ok(Rendered::Whole { bytes: out.into(), length: 1, usage: Usage::plain(input, 0) })
}

impl Input {
    /// The texts, and how many tokens they are together.
    fn texts(self) -> (Vec<String>, u64) {
        let words = |tokens: &[u32]| tokens.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
        match self {
            Self::Tokens(tokens) => (vec![words(&tokens)], tokens.len() as u64),
            Self::ManyTokens(many) => {
                let count = many.iter().map(|tokens| tokens.len() as u64).sum();
                (many.iter().map(|tokens| words(tokens)).collect(), count)
            }
            Self::Text(text) => Self::counted(vec![text]),
            Self::Texts(texts) => Self::counted(texts),
        }
    }

    fn counted(texts: Vec<String>) -> (Vec<String>, u64) {
        let count = texts.iter().map(|text| text::estimate(text.len())).sum();
        (texts, count)
    }
}

/// A vector of length 1.
#[expect(clippy::cast_possible_truncation, reason = "embeddings are single floats")]
fn vector(text: &str, dimensions: usize, seed: u64) -> Vec<f32> {
    let mut sum = vec![0.0_f64; dimensions];
    // A word that every text has: no text is without a direction.
    for word in std::iter::once("").chain(text.split_whitespace()) {
        let mut dice = Dice::new(seed, hash(word.to_lowercase().as_bytes(), 0));
        let weight = if word.is_empty() { 0.1 } else { 1.0 };
        for value in &mut sum {
            *value += weight * (2.0 * dice.unit() - 1.0);
        }
    }
    let norm = sum.iter().map(|value| value * value).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    sum.iter().map(|value| (value / norm) as f32).collect()
}

//! Embeddings, for the providers that Windlass plays itself. Between real ones their bytes are forwarded.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use types::Fault;

use crate::codec::text_of;
use crate::fields::{Fields, TextOr, bad, text_or_items, wrong};
use crate::tape::{Json, Tape};

/// A request for embeddings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddingsRequest {
    /// The model as the caller named it.
    pub model: String,
    /// What is to be embedded, in order.
    pub inputs: Vec<EmbeddingInput>,
    /// How long the vectors are to be.
    pub dimensions: Option<u64>,
    /// Whether the vectors are to come as base64 of little-endian floats.
    pub base64: bool,
}

/// One thing to embed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmbeddingInput {
    /// A text.
    Text(String),
    /// The same in tokens.
    Tokens(Vec<u32>),
}

/// Reads a request for embeddings.
pub fn decode_embeddings(body: &[u8]) -> Result<EmbeddingsRequest, Fault> {
    let tape = Tape::of(text_of(body)?)?;
    let mut fields = Fields::of(tape.root())?;
    let model = fields.required("model", Fields::text)?;
    let input = fields.take("input").ok_or_else(|| bad("input", "`input` is missing"))?;
    let inputs = match text_or_items(input)? {
        TextOr::Text(text) => vec![EmbeddingInput::Text(text)],
        TextOr::Items(items) if items.iter().all(|item| is_number(*item)) && !items.is_empty() => {
            vec![tokens(input)?]
        }
        TextOr::Items(items) => items
            .into_iter()
            .map(|item| match text_or_items(item)? {
                TextOr::Text(text) => Ok(EmbeddingInput::Text(text)),
                TextOr::Items(_) => tokens(item),
            })
            .collect::<Result<_, Fault>>()?,
    };
    let format = fields.text("encoding_format")?;
    let base64 = match format.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => return Err(bad("encoding_format", "`encoding_format` must be float or base64")),
    };
    Ok(EmbeddingsRequest { model, inputs, dimensions: fields.count("dimensions")?, base64 })
}

fn is_number(item: Json<'_>) -> bool {
    item.get().starts_with(|first: char| first.is_ascii_digit())
}

fn tokens(item: Json<'_>) -> Result<EmbeddingInput, Fault> {
    let tokens = serde_json::from_str(item.get());
    tokens.map(EmbeddingInput::Tokens).map_err(|_| wrong(item, "must be an array of tokens"))
}

/// Writes the vectors, in the order of the inputs.
pub fn encode_embeddings(model: &str, vectors: &[Vec<f32>], input_tokens: u64, base64: bool) -> Bytes {
    let vector_json = |vector: &Vec<f32>| -> Value {
        if base64 {
            let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
            STANDARD.encode(bytes).into()
        } else {
            json!(vector)
        }
    };
    let data: Vec<_> = vectors
        .iter()
        .enumerate()
        .map(|(index, vector)| json!({ "object": "embedding", "index": index, "embedding": vector_json(vector) }))
        .collect();
    let usage = json!({ "prompt_tokens": input_tokens, "total_tokens": input_tokens });
    let body = json!({ "object": "list", "data": data, "model": model, "usage": usage });
    Bytes::from(body.to_string())
}

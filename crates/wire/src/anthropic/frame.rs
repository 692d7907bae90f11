//! The fields of the events of a Messages stream that are read. Others may be there and are passed over.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::usage::Figures;
use crate::piece::Str;

/// One event of any type. `T` is how texts are held.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(crate) struct Frame<'a, T> {
    #[serde(rename = "type", borrow)]
    pub(crate) kind: Option<Str<'a>>,
    pub(crate) index: Option<u32>,
    #[serde(borrow)]
    pub(crate) message: Option<Opening<'a>>,
    #[serde(borrow)]
    pub(crate) content_block: Option<Block<'a, T>>,
    #[serde(borrow)]
    pub(crate) delta: Option<Delta<'a, T>>,
    pub(crate) usage: Option<Figures>,
    #[serde(borrow)]
    pub(crate) error: Option<&'a RawValue>,
}

/// The message of `message_start`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Opening<'a> {
    #[serde(borrow)]
    pub(crate) id: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) model: Option<Str<'a>>,
    pub(crate) usage: Option<Figures>,
}

/// The block of `content_block_start`.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(crate) struct Block<'a, T> {
    #[serde(rename = "type", borrow)]
    pub(crate) kind: Option<Str<'a>>,
    pub(crate) text: Option<T>,
    pub(crate) thinking: Option<T>,
    #[serde(borrow)]
    pub(crate) signature: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) data: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) id: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) name: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) input: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) citations: Option<&'a RawValue>,
}

/// The delta of `content_block_delta` or `message_delta`.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(crate) struct Delta<'a, T> {
    #[serde(rename = "type", borrow)]
    pub(crate) kind: Option<Str<'a>>,
    pub(crate) text: Option<T>,
    pub(crate) thinking: Option<T>,
    pub(crate) partial_json: Option<T>,
    #[serde(borrow)]
    pub(crate) signature: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) citation: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) stop_reason: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) stop_sequence: Option<Str<'a>>,
}

//! Vendors' dialects to and from our vocabulary; SSE framing. Pure.
//!
//! Two ways lead through here. A call whose dialect is the same on both sides keeps its bytes: [`peek`] looks
//! at the request, [`splice`] changes what must be changed, [`Watch`] watches the answer go by. A call that
//! crosses dialects is decoded into [`types::chat`] and encoded again. Every reader is total: any bytes give
//! an answer or a [`types::Fault`], never a panic.

mod anthropic;
mod bedrock;
mod cited;
mod codec;
mod coding;
mod decoder;
mod error;
mod eventstream;
mod fields;
mod foreign;
mod gemini;
mod history;
pub mod http1;
mod object;
mod omission;
mod openai;
mod parameters;
mod parts;
mod peek;
mod piece;
mod prefix;
mod rate_limits;
mod rejection;
mod responses;
mod resume;
mod retry_after;
mod rope;
mod said;
mod scan;
mod shorten;
mod signature;
mod splice;
mod sse;
mod tape;
mod text;
mod watch;
mod whole;

pub use codec::{
    AnswerMeta, StreamEncoder, Writing, Written, adapt_request, decode_answer, decode_request, encode_answer,
    encode_request,
};
pub use coding::{Broken, Coding, Decoder, encode};
pub use decoder::StreamDecoder;
pub use error::{encode_error, error_event, status_of};
pub use eventstream::{Frame, FrameKind, Frames};
pub use foreign::own_signatures;
pub use history::{input_items, output_items, with_history};
pub use omission::Unsupported;
pub use openai::embeddings::{EmbeddingInput, EmbeddingsRequest, decode_embeddings, encode_embeddings};
pub use parameters::{
    Bounds, Edit, Said, fit as fit_parameters, set_parameters, text_length, unset_parameters,
};
pub use peek::{Peek, Spans, peek};
pub use rate_limits::{Left, RateLimits, rate_limits};
pub use rejection::decode_error;
pub use resume::{Diverged, Prefilled, Seam, Shadow, Told, Trail, is_single, prefilled};
pub use rope::Rope;
pub use shorten::shorten;
pub use splice::{Rewrite, splice};
pub use sse::{Scanner, SseEvent};
pub use watch::{Seen, Sift, Watch};
pub use whole::answer_usage;

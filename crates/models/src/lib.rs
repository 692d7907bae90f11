//! Models in the process: tokenizers.
//!
//! Counting takes CPU time in proportion to the text, and the first count with a vocabulary loads that: keep
//! it off the workers that answer calls. [`tokens::rough`] is what the call path itself may use.

pub mod family;
pub mod tokens;

pub use family::Family;
pub use tokens::{Count, count, count_chat, rough};

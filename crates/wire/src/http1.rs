//! HTTP/1.1 as a client reads it: an answer's head, and where its body ends. Pure: bytes in, pieces out.
//!
//! A head is read by `httparse`; what it means for the body, and for the connection after it, is RFC 9112 §6.3
//! and §9.3. Nothing is copied but the head: pieces of the body share the buffer that they were read into.
//! Leaves alone: sockets, and who waits how long.

mod body;
mod head;

pub use body::{Framing, Piece};
pub use head::{Answer, MAX_HEAD, read_head};

/// What came is not HTTP/1.1, or is more of it than is taken. Says what, never which bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotHttp(pub(crate) &'static str);

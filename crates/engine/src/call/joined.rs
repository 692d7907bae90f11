//! Pieces of bytes that leave together. One piece is passed on as it is; several become one copy, so that
//! events which are there at once cost one write.

use bytes::{Bytes, BytesMut};

/// Bytes that wait to be passed on.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    first: Bytes,
    /// Holds all of it, the first piece included, once there are two.
    all: BytesMut,
}

impl Joined {
    pub(crate) fn push(&mut self, piece: Bytes) {
        if self.is_empty() {
            self.first = piece;
            return;
        }
        if self.all.is_empty() {
            self.all.reserve(self.first.len() + piece.len());
            self.all.extend_from_slice(&self.first);
            self.first = Bytes::new();
        }
        self.all.extend_from_slice(&piece);
    }

    pub(crate) fn len(&self) -> usize {
        self.first.len() + self.all.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of it, leaving nothing.
    pub(crate) fn take(&mut self) -> Bytes {
        if self.all.is_empty() { std::mem::take(&mut self.first) } else { self.all.split().freeze() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_piece_is_not_copied_and_several_keep_their_order() {
        let mut joined = Joined::default();
        let piece = Bytes::from_static(b"one");
        joined.push(piece.clone());
        assert_eq!(joined.take().as_ptr(), piece.as_ptr());
        for text in ["one ", "two ", "", "three"] {
            joined.push(Bytes::from_static(text.as_bytes()));
        }
        assert_eq!((joined.len(), joined.take()), (13, Bytes::from_static(b"one two three")));
        assert!(joined.is_empty());
    }
}

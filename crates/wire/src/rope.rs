//! A body in pieces: what a large request becomes when a few of its bytes are changed. The pieces share the
//! caller's memory, so that twenty megabytes with another model's name in them are not twenty megabytes more.

use std::ops::Deref;
use std::sync::OnceLock;

use bytes::Bytes;

/// A body, in one piece or several. Cloning it copies no bytes.
///
/// It can be looked at as one slice. With several pieces the first such look joins them, which is the copy
/// that pieces are there to avoid: who sends a body takes its [`Rope::pieces`].
#[derive(Clone, Debug, Default)]
pub struct Rope {
    first: Bytes,
    rest: Vec<Bytes>,
    joined: OnceLock<Bytes>,
}

impl Rope {
    /// A body of these pieces, in this order.
    pub fn of(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        let mut pieces = pieces.into_iter().filter(|piece| !piece.is_empty());
        Self { first: pieces.next().unwrap_or_default(), rest: pieces.collect(), joined: OnceLock::new() }
    }

    /// Bytes of all pieces.
    pub fn size(&self) -> usize {
        self.first.len() + self.rest.iter().map(Bytes::len).sum::<usize>()
    }

    /// The pieces, in order.
    pub fn pieces(&self) -> impl Iterator<Item = &Bytes> + Clone {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// The pieces, in order: the first, which is all of it for most bodies, and the others.
    pub fn into_pieces(self) -> (Bytes, Vec<Bytes>) {
        (self.first, self.rest)
    }

    /// All of it in one piece; several are copied.
    pub fn joined(&self) -> &Bytes {
        if self.rest.is_empty() {
            return &self.first;
        }
        self.joined.get_or_init(|| {
            let mut all = Vec::with_capacity(self.size());
            self.pieces().for_each(|piece| all.extend_from_slice(piece));
            all.into()
        })
    }
}

impl<B: Into<Bytes>> From<B> for Rope {
    fn from(bytes: B) -> Self {
        Self { first: bytes.into(), rest: Vec::new(), joined: OnceLock::new() }
    }
}

impl Deref for Rope {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.joined()
    }
}

impl<T: AsRef<[u8]>> PartialEq<T> for Rope {
    fn eq(&self, other: &T) -> bool {
        let mut left = other.as_ref();
        let fits = |piece: &Bytes| match left.strip_prefix(&piece[..]) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        };
        self.pieces().all(fits) && left.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_one_body_and_one_piece_is_not_copied() {
        let whole = Bytes::from_static(b"one");
        let rope = Rope::from(whole.clone());
        assert_eq!((rope.as_ptr(), rope.size()), (whole.as_ptr(), 3));
        let rope =
            Rope::of(["", "one ", "two ", "", "three"].map(|text| Bytes::from_static(text.as_bytes())));
        assert_eq!((rope.pieces().count(), rope.size()), (3, 13));
        assert_eq!(rope, "one two three");
        assert!(rope != "one two" && rope != "one two three four" && rope != "one twO three");
        assert_eq!(&rope[..], b"one two three");
        assert_eq!(Rope::default(), "");
    }
}

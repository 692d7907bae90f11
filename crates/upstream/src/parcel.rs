//! The body of a request on its way out: as pieces to be written, and for HTTP/2 as frames. There a large one
//! leaves in slices: the connection copies what it writes, and so copies a little at a time.

use std::convert::Infallible;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use wire::Rope;

/// The most that is handed over at once.
const SLICE: usize = 256 << 10;

/// What is left to send.
#[derive(Debug, Default)]
pub(crate) struct Parcel {
    now: Bytes,
    rest: std::vec::IntoIter<Bytes>,
    left: u64,
}

impl From<Rope> for Parcel {
    fn from(body: Rope) -> Self {
        let left = body.size() as u64;
        let (now, rest) = body.into_pieces();
        Self { now, rest: rest.into_iter(), left }
    }
}

/// For connections that write it themselves.
impl Buf for Parcel {
    fn remaining(&self) -> usize {
        usize::try_from(self.left).unwrap_or(usize::MAX)
    }

    fn chunk(&self) -> &[u8] {
        self.pieces().next().unwrap_or_default()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let filled = slices.iter_mut().zip(self.pieces());
        filled.map(|(slice, piece)| *slice = IoSlice::new(piece)).count()
    }

    fn advance(&mut self, count: usize) {
        let mut count = count.min(self.remaining());
        self.left -= count as u64;
        while count > 0 {
            let here = count.min(self.now.len());
            self.now.advance(here);
            count -= here;
            if self.now.is_empty() {
                self.now = self.rest.next().unwrap_or_default();
            }
        }
    }
}

impl Parcel {
    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let all = std::iter::once(&self.now).chain(self.rest.as_slice());
        all.map(|piece| &**piece).filter(|piece| !piece.is_empty())
    }
}

impl Body for Parcel {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if this.now.is_empty() {
            match this.rest.next() {
                Some(next) => this.now = next,
                None => return Poll::Ready(None),
            }
        }
        let piece =
            if this.now.len() > SLICE { this.now.split_to(SLICE) } else { std::mem::take(&mut this.now) };
        this.left -= piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[test]
    fn what_is_left_is_there_to_be_written_however_little_is_taken() {
        let pieces = || {
            [
                Bytes::from_static(b"head "),
                Bytes::new(),
                Bytes::from_static(b"body"),
                Bytes::from_static(b"!"),
            ]
        };
        for step in 1..12 {
            let mut parcel = Parcel::from(Rope::of(pieces()));
            let mut got = Vec::new();
            while parcel.has_remaining() {
                let mut slices = [IoSlice::new(&[]); 2];
                let count = parcel.chunks_vectored(&mut slices);
                let mut there: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
                assert!(there.starts_with(parcel.chunk()) && !there.is_empty());
                there.truncate(step);
                parcel.advance(there.len());
                got.extend(there);
            }
            assert_eq!(got, b"head body!");
        }
    }

    #[tokio::test]
    async fn a_large_body_leaves_in_slices_and_whole() {
        let large = Bytes::from(vec![7; 2 * SLICE + 5]);
        for (body, frames) in [
            (Rope::default(), 0),
            (Rope::from("{}"), 1),
            (Rope::of([Bytes::from_static(b"head "), large.clone(), Bytes::from_static(b" tail")]), 5),
        ] {
            let all = body.joined().clone();
            let mut parcel = Parcel::from(body);
            assert_eq!(parcel.size_hint().exact(), Some(all.len() as u64));
            let (mut got, mut count) = (Vec::new(), 0);
            while let Some(frame) = parcel.frame().await {
                got.extend_from_slice(&frame.unwrap().into_data().unwrap());
                count += 1;
            }
            assert!(parcel.is_end_stream());
            assert_eq!((got, count), (all.to_vec(), frames));
        }
    }
}

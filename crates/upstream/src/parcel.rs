//! The body of a request on its way out. A large one leaves in slices: where a connection has to copy what it
//! writes, it then copies a little at a time.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
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

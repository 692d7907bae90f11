//! Where a body ends, and its pieces as they come: by its length, in chunks (RFC 9112 §7.1), or by the
//! connection's end.

use bytes::{Buf as _, Bytes, BytesMut};

use super::NotHttp;

/// Most bytes of chunk extensions and trailers that one body may have: they are read and mean nothing to us.
const MAX_ASIDE: u32 = 16 << 10;

/// What of a body is still to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked(Chunks),
    /// Whatever comes before the connection ends.
    UntilClose,
}

/// What a buffer holds of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Its next bytes; never none.
    Data(Bytes),
    /// Nothing yet: more must be read.
    More,
    /// Its end. What else the buffer holds is not of this body.
    End,
}

/// Where in a chunked body the reader stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunks {
    place: Place,
    /// Bytes of extensions and trailers so far.
    aside: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In a size; `digits` of it so far.
    Size { size: u64, digits: bool },
    /// Between a size and its line's end.
    Extension { size: u64 },
    /// Behind the carriage return that ends a size's line.
    SizeEnd { size: u64 },
    /// In a chunk's bytes, of which so many are left.
    Data { left: u64 },
    /// Behind a chunk's bytes.
    DataEnd,
    /// Behind the carriage return after a chunk's bytes.
    DataEndLine,
    /// In the trailers; whether the line has anything in it.
    Trailer { text: bool },
    /// Behind the carriage return of a trailer's line.
    TrailerEnd { text: bool },
    /// Behind all.
    End,
}

impl Framing {
    /// A body in chunks, at its beginning.
    pub const fn chunked() -> Self {
        Self::Chunked(Chunks { place: Place::Size { size: 0, digits: false }, aside: 0 })
    }

    /// Takes the body's next piece out of `buffer`.
    ///
    /// # Errors
    /// [`NotHttp`]; nothing more can be read from the connection then.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Piece, NotHttp> {
        match self {
            Self::Length(0) => Ok(Piece::End),
            Self::Length(left) => Ok(taken(left, buffer)),
            Self::Chunked(chunks) => chunks.next(buffer),
            Self::UntilClose if buffer.is_empty() => Ok(Piece::More),
            Self::UntilClose => Ok(Piece::Data(buffer.split().freeze())),
        }
    }

    /// Whether the body is whole if the connection ends here.
    pub const fn may_end_here(&self) -> bool {
        matches!(self, Self::UntilClose)
    }
}

/// The most that is there of what is left.
fn taken(left: &mut u64, buffer: &mut BytesMut) -> Piece {
    if buffer.is_empty() {
        return Piece::More;
    }
    let size = usize::try_from(*left).map_or(buffer.len(), |left| left.min(buffer.len()));
    *left -= size as u64;
    Piece::Data(buffer.split_to(size).freeze())
}

impl Chunks {
    fn next(&mut self, buffer: &mut BytesMut) -> Result<Piece, NotHttp> {
        loop {
            if let Place::Data { left } = &mut self.place {
                let piece = taken(left, buffer);
                if *left == 0 {
                    self.place = Place::DataEnd;
                }
                return Ok(piece);
            }
            if self.place == Place::End {
                return Ok(Piece::End);
            }
            let Some(&byte) = buffer.first() else { return Ok(Piece::More) };
            self.place = self.after(byte)?;
            buffer.advance(1);
        }
    }

    /// The place behind a byte that is none of a chunk's own.
    fn after(&mut self, byte: u8) -> Result<Place, NotHttp> {
        Ok(match (self.place, byte) {
            (Place::Size { size, .. }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                let size = size.checked_mul(16).ok_or(NotHttp("a chunk is too large"))?;
                Place::Size { size: size | u64::from(digit), digits: true }
            }
            (Place::Size { size, digits: true } | Place::Extension { size }, b'\r') => {
                Place::SizeEnd { size }
            }
            (Place::Size { size, digits: true }, b';' | b' ' | b'\t') => {
                self.aside(Place::Extension { size })?
            }
            // A line's end that is not one of HTTP's is how two readers come to see two different bodies.
            (Place::Extension { size }, byte) if byte != b'\n' => self.aside(Place::Extension { size })?,
            (Place::SizeEnd { size: 0 }, b'\n') => Place::Trailer { text: false },
            (Place::SizeEnd { size }, b'\n') => Place::Data { left: size },
            (Place::DataEnd, b'\r') => Place::DataEndLine,
            (Place::DataEndLine, b'\n') => Place::Size { size: 0, digits: false },
            (Place::Trailer { text }, b'\r') => Place::TrailerEnd { text },
            (Place::Trailer { .. }, byte) if byte != b'\n' => self.aside(Place::Trailer { text: true })?,
            (Place::TrailerEnd { text: true }, b'\n') => Place::Trailer { text: false },
            (Place::TrailerEnd { text: false }, b'\n') => Place::End,
            _ => return Err(NotHttp("its chunks are broken")),
        })
    }

    fn aside(&mut self, place: Place) -> Result<Place, NotHttp> {
        self.aside += 1;
        if self.aside > MAX_ASIDE { Err(NotHttp("its chunks have too much beside them")) } else { Ok(place) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All of a body that comes in pieces, and what is left behind its end.
    fn read(mut framing: Framing, pieces: &[&[u8]]) -> Result<(Vec<u8>, bool, Vec<u8>), NotHttp> {
        let (mut buffer, mut body) = (BytesMut::new(), Vec::new());
        let mut pieces = pieces.iter();
        loop {
            match framing.next(&mut buffer)? {
                Piece::Data(data) => body.extend_from_slice(&data),
                Piece::More => match pieces.next() {
                    Some(piece) => buffer.extend_from_slice(piece),
                    None => return Ok((body, framing.may_end_here(), Vec::new())),
                },
                Piece::End => {
                    pieces.for_each(|piece| buffer.extend_from_slice(piece));
                    return Ok((body, true, buffer.to_vec()));
                }
            }
        }
    }

    fn chunked(parts: &[Vec<u8>], extension: &str, trailers: &str) -> Vec<u8> {
        let mut all = Vec::new();
        for part in parts.iter().filter(|part| !part.is_empty()) {
            all.extend_from_slice(format!("{:X}{extension}\r\n", part.len()).as_bytes());
            all.extend_from_slice(part);
            all.extend_from_slice(b"\r\n");
        }
        all.extend_from_slice(format!("0{extension}\r\n{trailers}\r\nNEXT").as_bytes());
        all
    }

    proptest! {
        #[test]
        fn any_split_of_chunks_gives_the_same_body(
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..6),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
            extension in prop_oneof![Just(""), Just(";a=b"), Just(" ; name=\"x\"")],
            trailers in prop_oneof![Just(""), Just("etag: 5\r\nx: y\r\n")],
        ) {
            let bytes = chunked(&parts, extension, trailers);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            let expected = (parts.concat(), true, b"NEXT".to_vec());
            prop_assert_eq!(read(Framing::chunked(), &pieces), Ok(expected));
        }

        #[test]
        fn a_body_that_is_cut_is_not_whole(cut in 0_usize..40) {
            let bytes = chunked(&[b"hello".to_vec(), b"world".to_vec()], "", "a: b\r\n");
            let end = bytes.len() - 4;
            let (_, whole, _) = read(Framing::chunked(), &[&bytes[..cut.min(end - 1)]]).unwrap();
            prop_assert!(!whole);
        }

        #[test]
        fn any_bytes_are_a_body_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(Framing::chunked(), &[&bytes]);
        }
    }

    #[test]
    fn a_length_and_the_connections_end_are_ends() {
        let bytes: &[&[u8]] = &[b"hel", b"lo", b"NEXT"];
        assert_eq!(read(Framing::Length(5), bytes), Ok((b"hello".to_vec(), true, b"NEXT".to_vec())));
        assert_eq!(read(Framing::Length(50), bytes), Ok((b"helloNEXT".to_vec(), false, Vec::new())));
        assert_eq!(read(Framing::UntilClose, bytes), Ok((b"helloNEXT".to_vec(), true, Vec::new())));
    }

    #[test]
    fn chunks_that_could_be_read_in_two_ways_are_refused() {
        let aside = format!("1;{}\r\n", "x".repeat(20 << 10));
        for bytes in
            ["5\nhello", "5\r\nhelloX", "\r\n", ";x\r\n", "g\r\n", "5 \n", "0\r\nx\ny: z\r\n\r\n", &aside]
        {
            assert!(read(Framing::chunked(), &[bytes.as_bytes()]).is_err(), "{bytes:.20}");
        }
        let large = "1".repeat(17);
        assert!(read(Framing::chunked(), &[large.as_bytes()]).is_err());
    }
}

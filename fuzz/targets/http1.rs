//! HTTP/1.1 as a client reads it: any split of an answer gives the same head and the same body, what a whole
//! chunked body is read as is what was put into chunks, and what is broken is an error and never a panic.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use windlass_fuzz::pieces;
use wire::http1::{Piece, read_head};

/// Whether the body is known to be whole, and its bytes.
type Body = (bool, Vec<u8>);

fuzz_target!(|input: (u8, bool, &[u8])| {
    let (seed, sealed, bytes) = input;
    if sealed {
        let stream = seal(bytes);
        let (whole, body) = read(&pieces(&stream, seed)).unwrap().unwrap();
        assert!(whole);
        assert_eq!(body, bytes, "as it was put into chunks");
        return;
    }
    let whole = read(&[bytes]);
    let cut = read(&pieces(bytes, seed));
    // What is broken may be found out sooner in one than in the other; what is read is the same.
    if let (Ok(whole), Ok(cut)) = (&whole, &cut) {
        assert_eq!(whole, cut, "cut into pieces");
    }
    assert_eq!(whole.is_ok(), cut.is_ok());
});

/// The bytes as the chunks of an answer; each chunk is as long as its first byte says.
fn seal(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    while let [length, ..] = bytes {
        let (chunk, rest) = bytes.split_at(bytes.len().min(usize::from(*length) + 1));
        bytes = rest;
        out.extend(format!("{:x};a=b\r\n", chunk.len()).bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\nx: y\r\n\r\n");
    out
}

fn read(pieces: &[&[u8]]) -> Result<Option<Body>, ()> {
    let (mut buffer, mut pieces, mut body) = (BytesMut::new(), pieces.iter(), Vec::new());
    let mut framing = loop {
        match read_head(&mut buffer).map_err(drop)? {
            Some(answer) => break answer.framing,
            None => match pieces.next() {
                Some(piece) => buffer.extend_from_slice(piece),
                None => return Ok(None),
            },
        }
    };
    loop {
        match framing.next(&mut buffer).map_err(drop)? {
            Piece::Data(data) => body.extend_from_slice(&data),
            Piece::End => return Ok(Some((true, body))),
            Piece::More => match pieces.next() {
                Some(piece) => buffer.extend_from_slice(piece),
                None => return Ok(Some((framing.may_end_here(), body))),
            },
        }
    }
}

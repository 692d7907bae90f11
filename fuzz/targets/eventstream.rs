//! AWS event streams: any split of the bytes gives the same frames and the same events, nothing is waited for
//! beyond the bound, and what is broken is an error and never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use types::Dialect;
use types::chat::Event;
use windlass_fuzz::pieces;
use wire::{FrameKind, Frames, StreamDecoder};

/// Small, so that the fuzzer finds it.
const LIMIT: usize = 4_096;

fuzz_target!(|input: (u8, bool, &[u8])| {
    let (seed, sealed, bytes) = input;
    // Nobody guesses a checksum: half of the inputs get theirs right.
    let stream = if sealed { seal(bytes) } else { bytes.to_vec() };
    let pieces = pieces(&stream, seed);

    let whole = frames(&[&stream]);
    assert_eq!(whole, frames(&pieces), "cut into pieces");

    // Compared as text: a float that is not a number does not equal itself.
    let decoded = decode(&[&stream]);
    assert_eq!(format!("{decoded:?}"), format!("{:?}", decode(&pieces)), "decoded in pieces");
});

/// Frames around the pieces of `bytes` that its own lengths tell: of all, then of the headers.
fn seal(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let [length, headers, rest @ ..] = bytes {
        let (frame, more) = rest.split_at(rest.len().min(usize::from(*length)));
        bytes = more;
        let total = u32::try_from(frame.len() + 16).unwrap();
        let start = out.len();
        out.extend(total.to_be_bytes());
        out.extend(u32::from(*headers).to_be_bytes());
        out.extend(crc32fast::hash(&out[start..]).to_be_bytes());
        out.extend_from_slice(frame);
        out.extend(crc32fast::hash(&out[start..]).to_be_bytes());
    }
    out
}

type Seen = (FrameKind, String, Vec<u8>);

/// The frames, and whether all was well.
fn frames(pieces: &[&[u8]]) -> (Vec<Seen>, bool, bool) {
    let mut reader = Frames::with_limit(LIMIT);
    let mut seen = Vec::new();
    for piece in pieces {
        let pushed = reader.push(piece, |frame| {
            assert!(frame.payload.len() < LIMIT);
            seen.push((frame.kind, frame.name.to_owned(), frame.payload.to_vec()));
            Ok(())
        });
        if pushed.is_err() {
            return (seen, false, false);
        }
    }
    (seen, true, reader.is_mid_frame())
}

/// The events, and whether the stream was whole.
fn decode(pieces: &[&[u8]]) -> (Vec<Event>, bool) {
    let mut decoder = StreamDecoder::new(Dialect::BedrockConverse);
    let mut events = Vec::new();
    for piece in pieces {
        if decoder.push(piece, &mut events).is_err() {
            return (events, false);
        }
    }
    let whole = decoder.finish(&mut events).is_ok();
    (events, whole)
}

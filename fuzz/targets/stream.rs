//! A provider's stream: whatever it says and however it is cut, all readers come to the same end, and what is
//! forwarded does not depend on the cuts.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use types::Dialect;
use types::chat::Event;
use windlass_fuzz::pieces;
use wire::{Seen, Sift, StreamDecoder, Watch};

fuzz_target!(|input: (bool, u8, &[u8])| {
    let (anthropic, seed, stream) = input;
    let dialect = if anthropic { Dialect::AnthropicMessages } else { Dialect::OpenaiChat };
    let pieces = pieces(stream, seed);

    let (events, decoded) = decode(dialect, &[stream]);
    // Compared as text: a float that is not a number does not equal itself.
    assert_eq!(format!("{events:?} {decoded}"), text_of(decode(dialect, &pieces)), "decoded in pieces");

    let (seen, watched) = watch(dialect, &[stream]);
    assert_eq!((seen.clone(), watched), watch(dialect, &pieces), "watched in pieces");
    assert_eq!(decoded, watched, "the watcher and the decoder disagree");

    let (forwarded, sifted) = sift(dialect, &[stream]);
    assert_eq!(sifted, watched, "the sieve and the watcher disagree");
    if sifted {
        assert_eq!((forwarded.clone(), sifted), sift(dialect, &pieces), "sifted in pieces");
    }
    // The provider's own error is not forwarded, nor what comes after it.
    let failed = seen.is_some_and(|seen| seen.failed.is_some());
    if anthropic && sifted && !failed {
        assert_eq!(forwarded, stream, "Anthropic's streams are forwarded as they are");
    }
});

fn text_of((events, whole): (Vec<Event>, bool)) -> String {
    format!("{events:?} {whole}")
}

/// The events, and whether the stream was whole.
fn decode(dialect: Dialect, pieces: &[&[u8]]) -> (Vec<Event>, bool) {
    let mut decoder = StreamDecoder::new(dialect);
    let mut events = Vec::new();
    for piece in pieces {
        if decoder.push(piece, &mut events).is_err() {
            return (events, false);
        }
    }
    let whole = decoder.finish(&mut events).is_ok();
    (events, whole)
}

fn watch(dialect: Dialect, pieces: &[&[u8]]) -> (Option<Seen>, bool) {
    let mut watch = Watch::new(dialect);
    for piece in pieces {
        if watch.push(piece).is_err() {
            return (None, false);
        }
    }
    let end = watch.finish();
    (end.as_ref().ok().cloned(), end.is_ok())
}

fn sift(dialect: Dialect, pieces: &[&[u8]]) -> (Vec<u8>, bool) {
    let mut sift = Sift::new(dialect, true);
    let mut out = Vec::new();
    let mut whole = true;
    for piece in pieces {
        whole &= whole && sift.push(&Bytes::copy_from_slice(piece), &mut out).is_ok();
    }
    whole = whole && sift.finish(&mut out).is_ok();
    (out.concat(), whole)
}

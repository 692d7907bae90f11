//! A provider's refusal: any status, headers and body give a fault that can be told to a caller.

#![no_main]

use libfuzzer_sys::fuzz_target;
use types::{Dialect, Timestamp};
use wire::{decode_error, encode_error, error_event};

const DIALECTS: [Dialect; 3] = [Dialect::OpenaiChat, Dialect::OpenaiEmbeddings, Dialect::AnthropicMessages];

fuzz_target!(|input: (u8, u16, &str)| {
    // The first line is what every header says.
    let (dialect, status, text) = input;
    let (header, body) = text.split_once('\n').unwrap_or(("", text));
    let dialect = DIALECTS[usize::from(dialect) % DIALECTS.len()];
    let now = Timestamp::from_micros(1_700_000_000_000_000);
    let fault = decode_error(dialect, status, &|_| Some(header), body.as_bytes(), now);
    for dialect in DIALECTS {
        let (status, body) = encode_error(dialect, &fault, None);
        assert!((400..600).contains(&status), "an error with status {status}");
        serde_json::from_slice::<serde_json::Value>(&body).expect("the error is JSON");
        let event = error_event(dialect, &fault, None);
        assert!(event.ends_with(b"\n\n"), "the event has no end");
    }
});

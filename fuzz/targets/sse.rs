//! Server-sent events: any split of the bytes gives the same events, and they are those of a simple reading
//! of the standard.

#![no_main]

use libfuzzer_sys::fuzz_target;
use windlass_fuzz::pieces;
use wire::{Scanner, SseEvent};

type Event = (Option<String>, Vec<u8>);

fuzz_target!(|input: (u8, &[u8])| {
    let (seed, stream) = input;
    let whole = scan(&[stream]);
    assert_eq!(whole, scan(&pieces(stream, seed)), "cut into pieces");
    assert_eq!(whole, reference(stream), "by the standard");
});

fn scan(pieces: &[&[u8]]) -> Vec<Event> {
    let mut scanner = Scanner::new();
    let mut events = Vec::new();
    let mut keep = |event: SseEvent<'_>| events.push((event.event.map(str::to_owned), event.data.to_vec()));
    for piece in pieces {
        scanner.push(piece, &mut keep).unwrap();
    }
    events
}

/// Line by line, with everything in memory. An event without its blank line is not complete.
fn reference(stream: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    let (mut name, mut data): (Option<Vec<u8>>, Option<Vec<u8>>) = (None, None);
    for line in lines(stream.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(stream)) {
        if line.is_empty() {
            if let Some(data) = data.take() {
                events.push((name.take().and_then(|name| String::from_utf8(name).ok()), data));
            }
            name = None;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = colon.map_or((&line[..], &b""[..]), |at| (&line[..at], &line[at + 1..]));
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => name = Some(value.to_vec()),
            b"data" => match &mut data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => data = Some(value.to_vec()),
            },
            _ => {}
        }
    }
    events
}

/// Complete lines, ended by CR, LF or CRLF.
fn lines(stream: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = vec![Vec::new()];
    let mut bytes = stream.iter().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\r' | b'\n' => {
                if *byte == b'\r' {
                    bytes.next_if(|next| **next == b'\n');
                }
                lines.push(Vec::new());
            }
            other => lines.last_mut().unwrap().push(*other),
        }
    }
    lines.pop();
    lines
}

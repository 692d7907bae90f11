//! The look at a request that is forwarded untouched, and the few changes that may be made to it: what is
//! read is what a full JSON reader reads, and a change leaves every other byte alone.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use types::Dialect;
use wire::{Rewrite, peek, splice};

const DIALECTS: [Dialect; 3] = [Dialect::OpenaiChat, Dialect::OpenaiEmbeddings, Dialect::AnthropicMessages];

fuzz_target!(|input: (u8, bool, bool, &[u8])| {
    let (dialect, add_stream_usage, drop_windlass_metadata, body) = input;
    let dialect = DIALECTS[usize::from(dialect) % DIALECTS.len()];
    let Ok(seen) = peek(dialect, body) else { return };
    let bytes = Bytes::copy_from_slice(body);
    assert_eq!(splice(&bytes, &seen, &Rewrite::default()), bytes, "nothing to change, something changed");

    let rewrite =
        Rewrite { model: Some("other \"model\""), add_stream_usage, drop_windlass_metadata, more: &[] };
    let changed = splice(&bytes, &seen, &rewrite);
    let again = peek(dialect, &changed).expect("what was spliced can be read");
    assert_eq!(again.model, "other \"model\"");
    assert_eq!((again.stream, again.max_tokens), (seen.stream, seen.max_tokens));
    assert_eq!(again.user, seen.user);
    if drop_windlass_metadata {
        assert!(again.windlass.is_none(), "metadata.windlass is still there");
    }
    if add_stream_usage && seen.stream && dialect == Dialect::OpenaiChat {
        assert!(again.include_usage, "usage was not asked for");
    }
});

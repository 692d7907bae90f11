//! The header `traceparent`.

use proptest::prelude::*;
use telemetry::trace::{Context, SpanId};
use types::{CallId, RunId, TraceId};

use crate::sample;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

#[test]
fn valid_headers() {
    for (flags, sampled) in [("00", false), ("01", true), ("02", false), ("03", true), ("ff", true)] {
        let context = Context::parse(format!("00-{TRACE}-{SPAN}-{flags}").as_bytes()).unwrap();
        assert_eq!(context.trace.to_string(), TRACE);
        assert_eq!(context.parent_span.unwrap().to_string(), SPAN);
        assert_eq!(context.sampled, Some(sampled), "{flags}");
    }
    // A version that does not exist yet may have more behind a hyphen.
    for end in ["", "-", "-what-ever"] {
        let context = Context::parse(format!("cc-{TRACE}-{SPAN}-01{end}").as_bytes()).unwrap();
        assert_eq!(context.trace.to_string(), TRACE, "{end}");
    }
}

#[test]
fn invalid_headers() {
    let zeros = "0".repeat(32);
    for header in [
        String::new(),
        TRACE.to_owned(),
        format!("00-{TRACE}-{SPAN}"),
        format!("00-{TRACE}-{SPAN}-"),
        format!("00-{TRACE}-{SPAN}-1"),
        format!("00-{TRACE}-{SPAN}-0g"),
        format!("00-{TRACE}-{SPAN}-01-"),
        format!("00-{TRACE}-{SPAN}-01-more"),
        format!("00-{TRACE}-{SPAN}-01 "),
        format!(" 00-{TRACE}-{SPAN}-01"),
        format!("cc-{TRACE}-{SPAN}-01more"),
        format!("ff-{TRACE}-{SPAN}-01"),
        format!("0-{TRACE}-{SPAN}-01"),
        format!("0x-{TRACE}-{SPAN}-01"),
        format!("00_{TRACE}_{SPAN}_01"),
        format!("00-{zeros}-{SPAN}-01"),
        format!("00-{TRACE}-0000000000000000-01"),
        format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
        format!("00-{TRACE}-{}-01", SPAN.to_uppercase()),
        format!("00-{}-{SPAN}-01", TRACE.replace('0', "+")),
        format!("00-{}ä-{SPAN}-01", &TRACE[2..]),
    ] {
        assert_eq!(Context::parse(header.as_bytes()), None, "{header:?}");
    }
}

#[test]
fn ids_of_spans_come_from_ids_of_calls() {
    let call = SpanId::from(sample::call());
    assert_eq!(call, SpanId::from(sample::call()));
    assert_ne!(call, SpanId::from(sample::run()));
    let children: std::collections::BTreeSet<_> =
        (0..10_000).map(|index| call.child(index).to_bytes()).collect();
    assert_eq!(children.len(), 10_000);
    assert!(!children.contains(&call.to_bytes()));
    assert_eq!(SpanId::from_bytes([0; 8]), None);
}

proptest! {
    #[test]
    fn written_and_read_is_the_same(trace in any::<[u8; 16]>(), span in any::<[u8; 8]>(), sampled: bool) {
        prop_assume!(trace != [0; 16] && span != [0; 8]);
        let (trace, span) = (TraceId::from_bytes(trace).unwrap(), SpanId::from_bytes(span).unwrap());
        let header = Context::root(trace).traceparent(span, sampled);
        prop_assert_eq!(header.as_str(), format!("00-{trace}-{span}-0{}", u8::from(sampled)));
        let read = Context::parse(header.as_bytes()).unwrap();
        prop_assert_eq!(read, Context { trace, parent_span: Some(span), sampled: Some(sampled) });
    }

    #[test]
    fn any_bytes_are_read_or_refused(header in proptest::collection::vec(any::<u8>(), 0..80)) {
        if let Some(context) = Context::parse(&header) {
            let again = context.traceparent(context.parent_span.unwrap(), context.sampled.unwrap());
            prop_assert_eq!(&again.as_bytes()[2..53], &header[2..53]);
        }
    }

    #[test]
    fn a_changed_byte_is_read_or_refused(at in 0..55_usize, byte: u8) {
        let mut header = format!("00-{TRACE}-{SPAN}-01").into_bytes();
        header[at] = byte;
        let hyphen = [2, 35, 52].contains(&at);
        let digit = matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let read = Context::parse(&header);
        let fits = if hyphen { read.is_some() == (byte == b'-') } else { digit || read.is_none() };
        prop_assert!(fits);
    }

    #[test]
    fn a_call_and_its_run_never_have_the_zero_id(random: [u8; 10], millis in 0..4_000_000_000_000_i64) {
        let now = types::Timestamp::from_micros(millis * 1_000);
        prop_assert_ne!(SpanId::from(CallId::new(now, random)).to_bytes(), [0; 8]);
        prop_assert_ne!(SpanId::from(RunId::new(now, random)).child(3).to_bytes(), [0; 8]);
    }
}

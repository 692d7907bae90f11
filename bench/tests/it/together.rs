//! Load and mock, as they are meant to be used.

use crate::program::{Mock, load};

#[test]
fn a_closed_loop_sends_exactly_what_was_asked_for() {
    let mock = Mock::start(&[]);
    for kind in [&[][..], &["--stream"]] {
        let (output, outcome) =
            load(&mock.chat(), &[&["--connections", "8", "--requests", "400", "--key", "k"], kind].concat());
        assert!(output.status.success(), "{output:?}");
        assert_eq!((outcome["done"].as_u64(), outcome["errors"].as_u64()), (Some(400), Some(0)));
        assert!(outcome["latency"]["p50_us"].as_f64() > Some(1.0));
    }
}

#[test]
fn an_open_loop_keeps_its_rate() {
    let mock = Mock::start(&[]);
    let (output, outcome) = load(&mock.chat(), &["--rate", "200", "--seconds", "1"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(outcome["done"], 200);
    assert!(outcome["seconds"].as_f64() > Some(0.9), "{outcome}");
}

#[test]
fn waiting_for_a_connection_counts_as_latency() {
    // Every stream takes 24 x 10 ms and there is one connection for 10 streams, so the last waits for nine.
    let mock = Mock::start(&["--event-gap", "10"]);
    let (output, outcome) =
        load(&mock.chat(), &["--rate", "10", "--seconds", "1", "--connections", "1", "--stream"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(outcome["done"], 10);
    assert!(outcome["latency"]["max_us"].as_f64() > Some(1_000_000.0), "{outcome}");
}

//! Decimals of dollars, and names of calls: what is read is written back the same.

#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use types::price::Rate;
use types::{CallId, Money, RunId, TraceId};

fn round_trip<T: FromStr<Err: Debug> + Display + PartialEq + Debug>(text: &str) {
    if let Ok(read) = text.parse::<T>() {
        let written = read.to_string();
        assert_eq!(written.parse::<T>().unwrap(), read, "{text:?} was written as {written:?}");
    }
}

fuzz_target!(|text: &str| {
    round_trip::<Money>(text);
    round_trip::<Rate>(text);
    round_trip::<CallId>(text);
    round_trip::<RunId>(text);
    round_trip::<TraceId>(text);
});

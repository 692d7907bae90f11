//! YAML: any text gives a tree or a report, and reading the tree never fails otherwise.

#![no_main]

use document::{Problems, Reader, Source, interpolate, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let source = Source { name: "fuzz.yaml", text };
    let mut root = match parse(&source, "WL6001") {
        Ok(root) => root,
        Err(report) => {
            assert!(report.first().is_some(), "a report says at least one thing");
            drop(report.to_string());
            return;
        }
    };
    drop(root.to_json());
    let problems = Problems::new(source, "WL6001");
    interpolate(&mut root, &|name| (name != "UNSET").then(|| format!("<{name}>")), &problems);
    if let Some(mut map) = Reader::new(&problems, &root).map() {
        map.optional("a", Reader::text);
        map.optional("b", |r| r.integer(0..=9_u8));
        map.optional("c", |r| r.float(0.0..=1.0));
        map.optional("d", Reader::duration);
        map.optional("e", Reader::size);
        map.optional("f", Reader::decimal);
        map.optional("g", Reader::json);
        map.optional("h", |r| r.list_of(Reader::bool));
        map.optional("i", |r| r.map_of(Reader::seconds));
        map.finish();
    }
    if let Err(report) = problems.into_result(()) {
        drop(report.to_string());
    }
});

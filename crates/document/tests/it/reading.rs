//! Readers: everything wrong is told at once, nothing secret is.

use document::{Node, Problems, Reader, Source, interpolate};

use crate::given::tree;

/// Reads `text` with `read` and shows the report, or "fine".
fn report(text: &str, read: impl FnOnce(Reader<'_>)) -> String {
    let root = tree(text);
    let problems = Problems::new(Source { name: "test.yaml", text }, "WL0000");
    read(Reader::new(&problems, &root));
    let report = problems.into_report();
    if report.problems.is_empty() { "fine".to_owned() } else { report.to_string() }
}

#[test]
fn all_problems_are_told_at_once() {
    let text = "\
modle: gpt
name: 5
limits:
  time: 30
  size: lots
  cost: a few
  ratio: 2
  count: 1.5
  on: yes
  level: hihg
stop: [ok, 3]
empty: ''
old: x
new: y
";
    let shown = report(text, |reader| {
        let mut map = reader.map().unwrap();
        map.required("model", Reader::text);
        map.required("name", Reader::text);
        map.required("limits", |reader| {
            let mut limits = reader.map()?;
            limits.optional("time", Reader::duration);
            limits.optional("size", Reader::size);
            limits.optional("cost", Reader::decimal);
            limits.optional("ratio", |r| r.float(0.0..=1.0));
            limits.optional("count", |r| r.integer(1..=9_u8));
            limits.optional("on", Reader::bool);
            limits.optional("level", |r| r.one_of(&[("high", 1), ("low", 0)]));
            limits.finish();
            Some(())
        });
        map.optional("stop", |r| r.one_or_many(Reader::text));
        map.optional("empty", Reader::nonempty_text);
        map.optional_any(&["new", "old"], Reader::text);
        map.take("steps").map(Reader::map);
        map.finish();
    });
    insta::assert_snapshot!(shown);
}

#[test]
fn good_values_are_read() {
    let text = "{d: 1m30s, s: 64KiB, z: 5, f: 1e3, m: 7.5e-07, o: low, l: one, n: null, t: '5', b: false, x: {k: 1}}";
    let shown = report(text, |reader| {
        let mut map = reader.map().unwrap();
        assert_eq!(map.optional("d", Reader::duration).unwrap().as_secs(), 90);
        assert_eq!(map.optional("s", Reader::size), Some(65_536));
        assert_eq!(map.optional("z", Reader::size), Some(5));
        assert_eq!(map.optional("f", |r| r.float(0.0..=1e4)), Some(1000.0));
        assert_eq!(map.optional("m", Reader::decimal).as_deref(), Some("7.5e-07"));
        assert_eq!(map.optional("o", |r| r.one_of(&[("low", 'l')])), Some('l'));
        assert_eq!(map.optional("l", |r| r.one_or_many(Reader::text)), Some(vec!["one".to_owned()]));
        assert_eq!(map.optional("n", Reader::text), None);
        assert_eq!(map.required("t", Reader::text).as_deref(), Some("5"));
        assert_eq!(map.required("b", Reader::bool), Some(false));
        assert_eq!(map.required("x", |r| r.map_of(|r| r.integer(0..=1_u8))), Some(vec![("k".to_owned(), 1)]));
        map.finish();
    });
    assert_eq!(shown, "fine");
}

fn filled(text: &str) -> (Node, String) {
    let mut root = tree(text);
    let problems = Problems::new(Source { name: "test.yaml", text }, "WL0000");
    let lookup = |name: &str| match name {
        "PORT" => Some("8080".to_owned()),
        "SECRET" => Some("hunter2hunter2".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    };
    interpolate(&mut root, &lookup, &problems);
    if let Some(mut map) = Reader::new(&problems, &root).map() {
        map.optional("port", |r| r.integer(1..=65_535_u16));
        map.optional("flag", Reader::bool);
        map.optional("time", Reader::duration);
        map.optional("size", Reader::size);
        map.optional("word", |r| r.one_of(&[("hunter", ())]));
        map.optional("cost", Reader::decimal);
        map.optional("text", Reader::text);
        map.optional("none", Reader::map);
        map.optional("list", |r| r.list_of(Reader::text));
        map.finish();
    }
    (root, problems.into_report().to_string())
}

#[test]
fn the_environment_fills_values_in() {
    for (text, value) in [
        ("port: ${PORT}", "8080"),
        ("port: ${NOPE:-81}", "81"),
        ("port: \"${PORT}\"", "8080"),
        ("size: ${EMPTY:-5MB}", "5MB"),
        ("text: a-${PORT}-${PORT}", "a-8080-8080"),
        ("text: '$${PORT} $5 ${EMPTY}.'", "${PORT} $5 ."),
        ("text: \"${PORT}\"", "8080"),
        ("none: ${EMPTY}", ""),
    ] {
        let (root, report) = filled(text);
        assert_eq!(report, "", "{text}");
        let document::Value::Map(entries) = &root.value else { panic!("a map") };
        assert_eq!(entries[0].value.raw(), value, "{text}");
    }
}

#[test]
fn what_the_environment_lacks_is_named_and_what_it_has_is_never_shown() {
    let text = "\
port: ${SECRET}
flag: ${SECRET}
time: ${SECRET}
size: ${SECRET}
word: ${SECRET}
cost: ${SECRET}
text: ${NOPE}
list: [\"${PORT}\", \"${1X}\", \"${PORT\"]
";
    let (_, report) = filled(text);
    assert!(!report.contains("hunter2"), "{report}");
    insta::assert_snapshot!(report);
}

#[test]
fn a_report_is_json_too() {
    let root = tree("a: 1\n");
    let problems = Problems::new(Source { name: "t.yaml", text: "a: 1\n" }, "WL6001");
    Reader::new(&problems, &root).map().unwrap().finish();
    let json = serde_json::to_value(problems.into_report()).unwrap();
    assert_eq!(json["file"], "t.yaml");
    assert_eq!(json["problems"][0]["path"], "a");
    assert_eq!(json["problems"][0]["line"], 1);
    assert_eq!(json["problems"][0]["code"], "WL6001");
}

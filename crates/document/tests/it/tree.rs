//! Texts to trees.

use document::Value;
use serde_json::json;

use crate::given::{refused, tree};

#[test]
fn values_become_what_they_say() {
    for (text, value) in [
        ("a: 1\nb: [x, 2.5, true, null, \"3\"]\n", json!({"a": 1, "b": ["x", 2.5, true, null, "3"]})),
        ("", json!(null)),
        ("# only a comment\n", json!(null)),
        ("a: |\n  one\n  two\nb: >\n  one\n  two\n", json!({"a": "one\ntwo\n", "b": "one two\n"})),
        (
            "base: &b {x: 1, y: 2}\nmore:\n  <<: *b\n  y: 3\n",
            json!({"base": {"x":1,"y":2}, "more": {"x":1,"y":3}}),
        ),
        ("- &a [1]\n- *a\n", json!([[1], [1]])),
        ("1: one\ntrue: yes\n", json!({"1": "one", "true": "yes"})),
        ("a: !!str 5\n", json!({"a": "5"})),
        ("a: 18446744073709551615\n", json!({"a": 18_446_744_073_709_551_615_u64})),
    ] {
        assert_eq!(tree(text).to_json(), value, "{text}");
    }
}

#[test]
fn every_node_has_its_place_and_its_digits() {
    let root = tree("é: 1\nmoney:\n  limit: 0.10\n");
    let limit = root.get("money").and_then(|m| m.get("limit")).unwrap();
    assert_eq!((limit.span.line, limit.span.column, limit.span.len), (3, 10, 4));
    assert_eq!(limit.raw(), "0.10");
    assert_eq!(limit.value, Value::Float(0.1));
    let Value::Map(entries) = &root.value else { panic!("a map") };
    assert_eq!((entries[1].key_span.line, entries[1].key_span.column, entries[1].key_span.offset), (2, 1, 6));
}

#[test]
fn what_is_not_yaml_is_shown() {
    let texts = [
        "a: 1\nb: [1, 2\nc: 3\n",
        "a:\n\tb: 1\n",
        "a: 1\nb: 2\na: 3\n",
        "prompt: {{ topic }}\n",
        "prompt: Summarize: everything\n",
        "prompt: {{ topic }} in short\n",
        "a: *nobody\n",
        "a: !mine 5\n",
        "a: 1\n---\nb: 2\n",
        "a: &a [*a]\n",
        "x: {<<: 5}\n",
        "api_key: sk-1234567890abcdef: oops\n",
    ];
    let reports: Vec<String> = texts.iter().map(|text| format!("--- {text:?}\n{}", refused(text))).collect();
    insta::assert_snapshot!(reports.join("\n"));
}

//! Hostile texts are refused quickly and never bring the process down.

use document::{MAX_BYTES, MAX_DEPTH, Source, parse};
use proptest::prelude::*;

use crate::given::{refused, tree};

#[test]
fn bombs_are_refused() {
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let inside = vec![format!("*a{}", level - 1); 10].join(", ");
        laughs += "a";
        laughs += &[
            level.to_string(),
            ": &a".to_owned(),
            level.to_string(),
            " [".to_owned(),
            inside,
            "]\n".to_owned(),
        ]
        .concat();
    }
    assert!(refused(&laughs).contains("aliases spelled out"));

    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1_000_000), vec!["*a"; 100].join(", "));
    assert!(refused(&long).contains("aliases spelled out"));

    let deep = format!("{}{}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1));
    assert!(refused(&deep).contains("deep"));
    let depth = format!("{}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
    tree(&depth);
    assert!(refused(&"[".repeat(200_000)).contains("error"));

    assert!(refused(&" ".repeat(MAX_BYTES + 1)).contains("MiB"));
}

#[test]
fn ten_thousand_duplicates_are_counted_not_listed() {
    let report = parse(&Source { name: "t", text: &"a: 1\n".repeat(10_000) }, "WL0000").unwrap_err();
    assert_eq!((report.problems.len(), report.errors, report.not_shown), (100, 9_999, 9_899));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_brings_it_down(text in "[-a:{}\\[\\],&*!|>'\"%@`#?~<$ \t\né\u{0}\u{feff}01.\\\\]{0,60}") {
        if let Err(report) = parse(&Source { name: "t", text: &text }, "WL0000") {
            prop_assert!(!report.to_string().is_empty());
            prop_assert!(report.errors > 0);
        }
    }

    #[test]
    fn json_reads_as_itself(ints in prop::collection::vec(any::<i64>(), 0..5), words in prop::collection::vec("\\PC{0,12}", 0..5)) {
        let value = serde_json::json!({ "ints": ints, "words": words });
        prop_assert_eq!(tree(&value.to_string()).to_json(), value);
    }
}

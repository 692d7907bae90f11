//! Chains and templates that would take all of the machine's time or memory.

use std::fmt::Write;
use std::time::Instant;

use serde_json::json;

use crate::given::{Run, chain, filled, refused};

#[test]
fn templates_that_do_too_much_are_stopped() {
    let big = "x".repeat(1 << 20);
    let many: Vec<&str> = vec!["x"; 20_000];
    let vars = json!({ "x": big, "many": many });
    for (template, names, says) in [
        (
            "{% for i in range(1000) %}{% for j in range(1000) %}{% endfor %}{% endfor %}",
            [].as_slice(),
            "does too much",
        ),
        ("{% for i in range(1000000000) %}x{% endfor %}", &[], "would be too large"),
        ("{% for i in range(1000) %}{{ x }}{% endfor %}", &["x"], "writes more than"),
        ("{{ x | replace('x', x) }}", &["x"], "would be too large"),
        ("{{ x | replace('', x) | length }}", &["x"], "would be too large"),
        ("{{ many | join(x) | length }}", &["x", "many"], "would be too large"),
        ("{{ 'x' | indent(1000000000) }}{{ (many ~ '') | length }}", &["many"], ""),
    ] {
        let given = names.iter().map(|name| ((*name).to_owned(), vars[*name].clone()));
        match filled(template, given.collect::<serde_json::Map<_, _>>().into()) {
            Err(error) => assert!(!says.is_empty() && error.contains(says), "{template}: {error}"),
            Ok(_) => assert!(says.is_empty(), "{template} went through"),
        }
    }
}

#[test]
fn templates_that_would_grow_without_bound_are_refused_unread() {
    let mut doubling = "{% set a0 = x ~ x %}".to_owned();
    let mut nested = "{% set a0 = [x, x] %}".to_owned();
    for i in 1..40 {
        write!(doubling, "{{% set a{i} = a{} ~ a{0} %}}", i - 1).unwrap();
        write!(nested, "{{% set a{i} = [a{}, a{0}] %}}", i - 1).unwrap();
    }
    doubling.push_str("{{ a39 }}");
    nested.push_str("{{ a39 ~ '' }}");
    let loops = "{% for a in [x ~ x] %}".to_owned()
        + &(1..40).fold(String::new(), |text, _| text + "{% for a in [a ~ a] %}")
        + &"{% endfor %}".repeat(40);
    for template in [
        doubling,
        nested,
        loops,
        "{% set a = x %}{% for i in range(40) %}{% set a = a ~ a %}{% endfor %}{{ a }}".to_owned(),
        "{% set a = x %}{% for i in range(900) %}{% set a = a ~ x %}{% endfor %}{{ a }}".to_owned(),
        "{% set a = x %}{% for i in range(40) %}{% set a = a | replace('x', a) %}{% endfor %}".to_owned(),
        format!("{{{{ {} }}}}", vec!["x"; 100].join(" ~ ")),
    ] {
        let error = filled(&template, json!({ "x": "x" })).unwrap_err();
        assert!(error.contains("times as large as the inputs"), "{template}: {error}");
    }
    let counter = "{% set n = 0 %}{% for i in range(5) %}{% set n = n + 1 %}{{ n }}{% endfor %}";
    assert_eq!(filled(counter, json!({})).as_deref(), Ok("11111"), "as in Jinja, each turn sets its own");
    assert!(refused(&json!({ "steps": { "a": "x".repeat(300_000) } }).to_string()).contains("KiB"));
}

#[test]
fn ten_thousand_steps_are_refused_and_a_thousand_are_not() {
    let of = |count: usize| {
        (0..count).fold("steps:\n".to_owned(), |mut text, i| {
            let before = i.saturating_sub(1);
            let needs = if i > 0 { format!("{{{{ steps.s{before} }}}}") } else { String::new() };
            writeln!(text, "  s{i}: {{ prompt: \"go {needs}\" }}").unwrap();
            text
        })
    };
    let began = Instant::now();
    let report = refused(&of(10_000));
    assert!(
        report.contains("test.yaml:1:1: error: 10000 steps, but a chain may have 1000 (WL5001)"),
        "{report}"
    );
    assert!(report.lines().count() < 10, "{report}");
    let chain = chain(&of(1_000));
    let mut run = Run::start(&chain, json!({}));
    for step in 0..1_000 {
        run.answer(&format!("s{step}"), "ok");
    }
    assert_eq!(run.outputs().as_object().map(serde_json::Map::len), Some(1_000));
    // A bound for a machine that is busy with other things; the point is that nothing is quadratic in bulk.
    assert!(began.elapsed().as_secs() < 20);
}

#[test]
fn a_circle_of_a_thousand_steps_is_shown_in_short() {
    let mut text = "steps:\n".to_owned();
    for i in 0..1_000 {
        writeln!(text, "  s{i}: \"{{{{ steps.s{} }}}}\"", (i + 1) % 1_000).unwrap();
    }
    let report = refused(&text);
    assert!(report.contains("s0 → s1 → s2 → s3 → s4 → s5 → … → s996 → s997 → s998 → s999 → s0"), "{report}");
}

#[test]
fn schemas_that_refer_to_themselves_end() {
    for schema in [
        json!({ "$ref": "#" }),
        json!({ "allOf": [{ "$ref": "#" }] }),
        json!({ "anyOf": [{ "$ref": "#" }, { "$ref": "#" }] }),
        json!({ "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "$ref": "#/$defs/a" } }, "$ref": "#/$defs/a" }),
    ] {
        let text = json!({ "steps": { "a": { "prompt": "x", "output": { "schema": schema } } } }).to_string();
        // Whether it is refused or accepts everything is the validator's; that it comes back is ours.
        if let Ok(chain) = chain::parse(&chain::Source { name: "t", text: &text }) {
            let _ = chain.read_answer(0, "{}");
        }
    }
}

#[test]
fn deep_templates_are_refused_or_read_but_never_overflow_the_stack() {
    for template in [
        format!("{{{{ 1{} }}}}", " + 1".repeat(60_000)),
        format!("{{{{ x{} }}}}", " ~ 1".repeat(60_000)),
        format!("{{{{ {}1{} }}}}", "(".repeat(60_000), ")".repeat(60_000)),
        format!("{{{{ {}1 }}}}", "not ".repeat(60_000)),
        format!("{{{{ {}1 }}}}", "-".repeat(60_000)),
        format!("{{{{ x{} }}}}", ".a".repeat(60_000)),
        format!("{{{{ x{} }}}}", "[0]".repeat(60_000)),
        format!("{{{{ x{} }}}}", "|trim".repeat(40_000)),
        format!("{{{{ x{} }}}}", " if x".repeat(40_000)),
        format!("{{{{ x{} }}}}", " or x".repeat(40_000)),
        format!("{{{{ x{} }}}}", " is defined".repeat(20_000)),
        format!("{}{}", "{% if x %}".repeat(12_000), "{% endif %}".repeat(12_000)),
        format!("{}{}", "{% if x %}{% elif x %}".repeat(6_000), "{% endif %}".repeat(6_000)),
        format!("{{% if x %}}{}{{% endif %}}", "{% elif x %}".repeat(15_000)),
        format!("{{{{ {}{} }}}}", "[".repeat(60_000), "]".repeat(60_000)),
    ] {
        let _ = filled(&template, json!({ "x": "x" }));
    }
}

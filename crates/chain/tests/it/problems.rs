//! What is wrong with a chain file, told at once, with places.

use chain::{Chain, Step};
use serde_json::json;

use crate::given::refused;

#[test]
fn everything_wrong_is_told_at_once() {
    let text = "\
name: my chain
inputs: { topic: { type: strin }, steps: string, count: { type: integer, default: many } }
defaults: { modle: x, temperature: 7, timeout: 30 }
limits: { cost: -1, time: 0s, concurrency: 0 }
steps:
  summary:
    promt: \"Summarize {{ topic }}\"
  applications:
    prompt: \"Uses of {{ steps.sumary }} for {{ topci }}\"
    after: [sumary, applications]
    retries: { attempts: 0, backof: fixed }
  bad name: x
  broken:
    prompt: |
      First line is fine: {{ topic }}
      Second is not: {{ topic | uper }}
      Third: {{ topic
  schema:
    prompt: \"{{ output[7] }} {{ steps }} {{ steps.broken.x }}\"
    output: { schema: { type: 7 } }
  later:
    for_each: \"{{ steps.applications }}\"
    prompt: \"{{ item }}\"
  fan: { parallel: { models: [a, b] }, prompt: x }
outputs: { report: \"{{ steps.nothing }}\", list: [1] }
verison: 2
";
    insta::assert_snapshot!(refused(text));
}

#[test]
fn shapes_of_chains_that_are_none() {
    let texts = [
        "",
        "just text",
        "name: x",
        "steps: []",
        "steps: {}",
        "steps: [{ name: a, prompt: x }]",
        "prompts: []",
        "{ steps: { a: x }, prompts: [x] }",
        "prompts: [5]",
        "prompts: ['{{ output[-1] }}']",
        "{ inputs: [topic, 2x, topic two], steps: { a: '{{ topc }}' } }",
        "{ inputs: {}, steps: { summary: x, b: '{{ summary }}' } }",
        "{ defaults: { system: '{{ steps.a }}' }, steps: { a: x } }",
        "{ steps: { a-b: x, c: '{{ steps.a-b }}' } }",
        "{ steps: { a: x }, config: { retry_backoff_factor: 3 } }",
        "{ inputs: { x: { required: false } }, steps: { a: '{% if x %}{{ x }}{% endif %} {{ x }}' } }",
        "{ steps: { a: { prompt: x, output: { schema: { $ref: 'http://127.0.0.1:1/x.json' } } } } }",
    ];
    let reports: Vec<String> = texts.iter().map(|text| format!("--- {text}\n{}", refused(text))).collect();
    insta::assert_snapshot!(reports.join("\n"));
}

#[test]
fn templates_that_leave_the_language_are_refused() {
    let templates = [
        "{% include 'secret' %}",
        "{% macro m() %}{% endmacro %}",
        "{% set x %}a{% endset %}",
        "{% for i in x recursive %}{{ loop(i) }}{% endfor %}",
        "{{ namespace(x=1) }}",
        "{{ x.upper() }}",
        "{{ x | shout }}",
        "{{ x is oddd }}",
        "{{ x * 3 }}",
        "{{ x | map('replace', 'a', 'b') }}",
        "{% if x %}",
        "{{ 'unclosed }}",
        "{{ }}",
    ];
    let reports: Vec<String> = templates
        .iter()
        .map(|template| {
            let text = json!({ "steps": { "a": template } }).to_string();
            format!("--- {template}\n{}", refused(&text))
        })
        .collect();
    insta::assert_snapshot!(reports.join("\n"));
}

#[test]
fn circles_are_shown_with_their_path() {
    let text = "\
steps:
  a: \"{{ steps.c }}\"
  b: \"{{ steps.a }}\"
  c: { prompt: x, after: b }
  d: \"{{ steps.e }}\"
  e: \"{{ steps.d }}\"
  f: \"{{ steps.a }}\"
";
    let report = refused(text);
    assert!(
        report
            .contains("test.yaml:2:3: error: steps wait for each other in a circle: a → c → b → a (WL5002)")
    );
    assert!(
        report.contains("test.yaml:5:3: error: steps wait for each other in a circle: d → e → d (WL5002)")
    );
    assert_eq!(report.matches("circle").count(), 2, "{report}");
}

#[test]
fn a_builder_is_checked_like_a_file() {
    let report = Chain::builder("x y")
        .input("in put")
        .step(Step::prompt("a", "{{ topc }}").temperature(9.0))
        .step(Step::prompt("a", " ").after(["b"]).schema(json!(5)))
        .concurrency(0)
        .build()
        .unwrap_err();
    insta::assert_snapshot!(report.to_string());
    assert!(Chain::builder("x").build().is_err());
}

#[test]
fn what_has_no_effect_yet_is_a_warning() {
    let of = |caching: bool| {
        let text = format!("config: {{ enable_caching: {caching}, log_level: WARNING }}\nprompts: [x]\n");
        chain::parse_with_warnings(&chain::Source { name: "test.yaml", text: &text }).unwrap()
    };
    let (chain, warnings) = of(true);
    assert_eq!((chain.spec().switches.caching, warnings.errors), (Some(true), 0));
    let told = warnings.to_string();
    assert!(told.contains("test.yaml:1:11: warning: ") && told.contains("has no effect yet"), "{told}");
    let (_, none) = of(false);
    assert!(none.problems.is_empty(), "{none}");
}

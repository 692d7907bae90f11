//! The published schema and the parser agree about shapes.

use chain::{Source, json_schema};
use document::parse as tree;

const GOOD: &[&str] = &[
    include_str!("chains/everything.yaml"),
    include_str!("chains/short.yaml"),
    "steps: { a: x }",
    "{ name: a.b-c_1, version: 1, steps: { a: { prompt: x, after: [] } } }",
    "{ inputs: [a, b], steps: { a: '{{ a }} {{ b }}' } }",
    "{ inputs: { a: , b: string, c: { type: array, default: [] } }, prompts: ['{{ a }}{{ b }}{{ c }}'] }",
    "{ temperature: 1, model: m, stop: [a], cost_limit_usd: '0.5', prompts: [x] }",
    "{ defaults: { retries: 3, timeout: 1m 30s }, steps: { a: { prompt: x, retries: { backoff: constant } } } }",
    "{ limits: { cost: 1e-3 }, steps: { a: { prompt: x, priority: critical, output: { schema: true } } } }",
    "{ steps: { a: { prompt: x, model: null, parameters: { max_tokens: 5 } } }, outputs: { o: '{{ steps.a }}' } }",
    "{ defaults: { task: none, profile: balanced }, steps: { a: { prompt: x, task: code, profile: null } } }",
    "{ config: { log_level: WARNING, enable_caching: false, retry_backoff_factor: 1 }, prompts: [x] }",
];

const BAD: &[&str] = &[
    "[]",
    "name: x",
    "steps: {}",
    "prompts: []",
    "prompts: ['']",
    "{ steps: { a: x }, prompts: [x] }",
    "{ steps: { a b: x } }",
    "{ steps: { a: { model: m } } }",
    "{ steps: { a: { prompt: 5 } } }",
    "{ steps: { a: { prompt: x, temprature: 1 } } }",
    "{ steps: { a: { prompt: x, temperature: 3 } } }",
    "{ steps: { a: { prompt: x, max_tokens: 0 } } }",
    "{ steps: { a: { prompt: x, max_tokens: 1.5 } } }",
    "{ steps: { a: { prompt: x, timeout: 30 } } }",
    "{ steps: { a: { prompt: x, timeout: soon } } }",
    "{ steps: { a: { prompt: x, retries: { attempts: 99 } } } }",
    "{ steps: { a: { prompt: x, retries: { backoff: random } } } }",
    "{ steps: { a: { prompt: x, priority: urgent } } }",
    "{ steps: { a: { prompt: x, after: 5 } } }",
    "{ steps: { a: { prompt: x, task: '' } } }",
    "{ steps: { a: { prompt: x, profile: [x] } } }",
    "{ steps: { a: { prompt: x, output: { shema: {} } } } }",
    "{ steps: { a: { prompt: x, for_each: y } } }",
    "{ inputs: { a: text }, steps: { a: x } }",
    "{ inputs: { a: { type: text } }, steps: { a: x } }",
    "{ inputs: { 1a: string }, steps: { a: x } }",
    "{ inputs: 5, steps: { a: x } }",
    "{ limits: { cost: -1 }, steps: { a: x } }",
    "{ limits: { cost: lots }, steps: { a: x } }",
    "{ limits: { concurrency: 0 }, steps: { a: x } }",
    "{ limits: { tiem: 5s }, steps: { a: x } }",
    "{ defaults: { model: '' }, steps: { a: x } }",
    "{ config: { retry_backoff_factor: 3 }, steps: { a: x } }",
    "{ config: { log_level: LOUD }, steps: { a: x } }",
    "{ outputs: { a: [x] }, steps: { a: x } }",
    "{ unknown: 1, steps: { a: x } }",
    "{ name: 'a b', steps: { a: x } }",
];

fn fits(validator: &jsonschema::Validator, text: &str) -> Result<(), String> {
    let json = tree(&Source { name: "t", text }, "WL0000").unwrap().to_json();
    validator.validate(&json).map_err(|error| error.to_string())
}

#[test]
fn the_schema_is_one() {
    assert!(jsonschema::meta::is_valid(&json_schema()));
}

#[test]
fn both_accept_good_files() {
    let schema = jsonschema::validator_for(&json_schema()).unwrap();
    for text in GOOD {
        chain::parse(&Source { name: "t", text }).unwrap_or_else(|report| panic!("{text}\n{report}"));
        fits(&schema, text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    }
}

#[test]
fn both_refuse_bad_files() {
    let schema = jsonschema::validator_for(&json_schema()).unwrap();
    for text in BAD {
        assert!(chain::parse(&Source { name: "t", text }).is_err(), "parsed: {text}");
        assert!(fits(&schema, text).is_err(), "fits the schema: {text}");
    }
}

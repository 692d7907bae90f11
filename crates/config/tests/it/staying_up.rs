//! What a configuration says about failing, slow and overloaded models.

use std::time::Duration;

use config::route::{Breaker, Strategy};
use policy::attempt::{Cause, Causes, Filtered};
use policy::retry::{Backoff, Share};
use types::Kind;

use crate::given::{load, refused};

const PROVIDERS: &str =
    "providers: { a: { kind: local, models: [x, y] }, b: { kind: local, models: [z] } }\n";

fn loaded(more: &str) -> config::Config {
    load(&format!("{PROVIDERS}{more}")).unwrap_or_else(|report| panic!("{report}"))
}

#[test]
fn without_a_word_breakers_and_the_retry_budget_are_on_and_nothing_else_is() {
    let config = loaded("routes: { r: { models: [a/x, b/z] } }");
    let breaker = config.defaults.breaker;
    assert!(breaker.enabled && breaker.forecast && breaker.slow.is_none());
    let route = config.route("r").unwrap();
    assert_eq!(route.strategy, Strategy::Fallback);
    assert_eq!(route.retry_budget, Share { per_thousand: 100, floor: 1 });
    assert_eq!((route.hedge.on, route.adaptive_timeouts, route.filtered), (false, false, Filtered::Return));
    assert!(route.terms.iter().all(|terms| terms.weight == 1 && terms.when.is_empty()));
}

#[test]
fn the_floor_of_the_retry_budget_is_one_a_second_unless_said_otherwise() {
    let budget = |defaults: &str, route: &str| {
        let config = loaded(&format!(
            "defaults: {{ retry: {{ {defaults} }} }}\nroutes: {{ r: {{ models: [a/x], retry: {{ {route} }} }} }}"
        ));
        let Share { per_thousand, floor } = config.route("r").unwrap().retry_budget;
        (per_thousand, floor)
    };
    assert_eq!(budget("", "budget: 20%"), (200, 1));
    assert_eq!(budget("budget: 0%", ""), (0, 0), "none at all");
    assert_eq!(budget("", "budget: 0%"), (0, 0));
    assert_eq!(budget("budget: 0%", "budget: 5%"), (50, 1));
    assert_eq!(budget("budget_floor: 10", "budget: 5%"), (50, 10));
    assert_eq!(budget("budget_floor: 10", "budget_floor: 0"), (100, 0));
    assert_eq!(budget("", "budget: 0%, budget_floor: 3"), (0, 3));
}

#[test]
fn a_route_says_how_it_chooses_repeats_and_falls_back() {
    let config = loaded(
        "
defaults:
  adaptive_timeouts: true
  retry: { attempts: 4, budget: 20%, classes: { rate_limit: { attempts: 7 } } }
  breaker: { threshold: 25%, slow: 20s, slow_threshold: 0.4, probes: 1, open: 2s, forecast: false }
aliases: { quick: b/z }
routes:
  r:
    strategy: weighted
    filtered: route_around
    adaptive_timeouts: false
    hedge: { enabled: true, calls: 2%, money: 0.03, samples: 50 }
    models:
      - { model: a/x, weight: 9 }
      - a/y
      - { model: quick, weight: 0, when: [rate_limited, breaker_open] }
    retry:
      backoff: fibonacci
      budget: 5%
      classes: { network_timeout: { attempts: 1, backoff: linear } }
  outer: { models: [{ model: inner, when: silent }, a/x] }
  inner: { models: [{ model: a/y, when: failed }, b/z] }
",
    );
    let route = config.route("r").unwrap();
    assert_eq!((route.strategy, route.filtered), (Strategy::Weighted, Filtered::RouteAround));
    assert!(!route.adaptive_timeouts && config.route("outer").unwrap().adaptive_timeouts);
    let weights: Vec<_> = route.terms.iter().map(|terms| terms.weight).collect();
    assert_eq!(weights, [9, 1, 0]);
    let when = Causes::NONE.with(Cause::RateLimited).with(Cause::BreakerOpen);
    assert_eq!(route.terms[2].when, when);
    assert_eq!((route.hedge.on, route.hedge.per_thousand, route.hedge.money_per_thousand), (true, 20, 30));
    assert_eq!((route.hedge.samples, route.retry_budget.per_thousand), (50, 50));
    let usual = route.retry.usual();
    assert_eq!((usual.attempts, usual.backoff), (4, Backoff::Fibonacci));
    let limited = route.retry.of(Kind::RateLimit);
    assert_eq!((limited.attempts, limited.backoff), (7, Backoff::Exponential), "as in the defaults");
    let broken = route.retry.of(Kind::NetworkTimeout);
    assert_eq!((broken.attempts, broken.backoff, broken.base), (1, Backoff::Linear, usual.base));
    let outer = &config.route("outer").unwrap().terms;
    let silent = Causes::NONE.with(Cause::Silent);
    assert_eq!((outer[0].when, outer[1].when, outer[2].when), (silent, silent, Causes::NONE));
    let breaker = config.defaults.breaker;
    assert_eq!((breaker.settings.probes, breaker.settings.base), (1, Duration::from_secs(2)));
    assert_eq!((breaker.slow, breaker.forecast), (Some(Duration::from_secs(20)), false));
    assert!((breaker.settings.threshold - 0.25).abs() < 1e-9);
    assert_eq!(route.breaker, breaker, "a route that says nothing has the defaults");
}

#[test]
fn a_routes_breaker_replaces_the_defaults_field_by_field() {
    let config = loaded(
        "
defaults: { breaker: { threshold: 25%, open: 2s, slow: 20s, forecast: false } }
routes:
  own: { models: [a/x], breaker: { threshold: 5%, slow: 1s, enabled: true } }
  off: { models: [a/x], breaker: { enabled: false, forecast: true } }
",
    );
    let base = config.defaults.breaker;
    let own = config.route("own").unwrap().breaker;
    let settings = policy::breaker::Settings { threshold: 0.05, ..base.settings };
    assert_eq!(own, Breaker { settings, slow: Some(Duration::from_secs(1)), ..base });
    assert_eq!(config.route("off").unwrap().breaker, Breaker { enabled: false, forecast: true, ..base });
}

#[test]
fn what_does_not_go_together_is_told() {
    for (text, said) in [
        ("routes: { r: { models: [{ model: a/x, weight: 2 }] } }", "a weight says nothing"),
        ("routes: { r: { models: [{ model: a/x, weight: 0 }], strategy: weighted } }", "have the weight 0"),
        ("routes: { r: { models: [{ model: a/x, when: silent }] } }", "for a call's beginning"),
        ("routes: { r: { models: [{ model: a/x, when: bored }, a/y] } }", "expected one of unreachable"),
        ("routes: { r: { models: [a/x], strategy: learned } }", "later version"),
        ("defaults: { retry: { budget: 110% } }", "between 0% and 100%"),
        ("defaults: { retry: { classes: { parsing: {} } } }", "unknown field `parsing`"),
        ("defaults: { retry: { classes: { throttling: { base: 9s, max: 1s } } } }", "longer than `max`"),
        ("defaults: { breaker: { threshold: 0 } }", "below 0.1%"),
        ("routes: { r: { models: [a/x], hedge: { samples: 1 } } }", "10"),
    ] {
        let report = refused(&format!("{PROVIDERS}{text}"));
        assert!(report.contains(said), "{text}: {report}");
    }
}

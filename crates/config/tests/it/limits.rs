//! The `limits` section: the reference configuration of seed 003 is read as it stands, and what is wrong is told.

use std::time::Duration;

use policy::limit::{Action, Adaptive, Algorithm, Excess, Rule, Rules, Shares, Tier, Unit};

use crate::given::{load, refused};

/// Seed 003 §3, lines 1122–1178, below another name of the section.
pub(crate) const REFERENCE: &str = r#"
limits:
    enabled: true
    global:
      requests_per_second: 100
      requests_per_minute: 5000
      requests_per_hour: 200000
      tokens_per_minute: 1000000
    per_user:
      requests_per_second: 10
      requests_per_minute: 500
      tokens_per_minute: 100000
      burst_size: 20  # Allow bursts up to 20
    per_tenant:
      requests_per_second: 50
      requests_per_minute: 2500
      tokens_per_minute: 500000
    algorithm: "token_bucket"  # token_bucket, sliding_window, or adaptive
    token_bucket:
      refill_rate: 10.0         # Tokens per second
      bucket_capacity: 100      # Maximum tokens
      cost_per_request: 1       # Tokens consumed per request
    adaptive:
      enabled: true
      target_error_rate: 0.01   # 1% error rate threshold
      adjustment_period_seconds: 60
      min_rate: 10              # Minimum requests/second
      max_rate: 1000            # Maximum requests/second
    priorities:
      critical: 1.0             # Weight multiplier
      high: 0.75
      medium: 0.5
      low: 0.25
    on_limit_exceeded:
      action: "queue"           # deny, queue, or degraded
      queue_timeout_ms: 5000    # Max wait in queue
      retry_after_seconds: 60   # Retry-After header value
"#;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn limits(text: &str) -> config::Limits {
    load(text).unwrap_or_else(|report| panic!("{report}")).limits
}

fn of(rules: Option<&Rules>) -> Vec<(Unit, u64, Duration, u64)> {
    let all = rules.map(Rules::all).unwrap_or_default();
    all.iter().map(|rule| (rule.unit, rule.limit, rule.per, rule.burst)).collect()
}

#[test]
fn the_reference_configuration_is_read() {
    let limits = limits(REFERENCE);
    assert!(!limits.is_empty());
    assert_eq!(limits.tiers().collect::<Vec<_>>(), [Tier::Global, Tier::Tenant, Tier::User]);
    assert_eq!(limits.shares, Shares::REFERENCE);
    assert_eq!(limits.excess, Excess { action: Action::Queue, queue_timeout: Duration::from_secs(5) });
    assert_eq!(limits.retry_after, Some(MINUTE));
    assert_eq!(limits.replicas, 1);
    assert_eq!(
        of(limits.rules(Tier::Global, "")),
        [
            (Unit::Requests, 100, SECOND, 100),
            (Unit::Requests, 5_000, MINUTE, 5_000),
            (Unit::Requests, 200_000, 60 * MINUTE, 200_000),
            (Unit::Tokens, 1_000_000, MINUTE, 1_000_000),
        ]
    );
    let user = limits.rules(Tier::User, "acme/ann");
    assert_eq!(of(user)[0], (Unit::Requests, 10, SECOND, 20), "`burst_size` is of the shortest span");
    assert_eq!(of(user)[1], (Unit::Requests, 500, MINUTE, 500));
    assert_eq!(
        of(limits.rules(Tier::Tenant, "acme"))[0],
        (Unit::Requests, 50, SECOND, 100),
        "bucket_capacity"
    );
    assert_eq!(limits.rules(Tier::Key, "team"), None);
}

#[test]
fn nothing_is_limited_unless_it_is_written() {
    for text in [
        "",
        "limits:",
        "limits: {}",
        "limits: { global: }",
        "limits: { replicas: 3, algorithm: adaptive }",
        "limits: { tenants: { acme: {} } }",
        "limits: { enabled: false, global: { requests_per_second: 1 } }",
    ] {
        let limits = limits(text);
        assert!(limits.is_empty(), "{text}");
        assert_eq!(limits.rules(Tier::Global, ""), None, "{text}");
    }
    // Zero is a limit: nothing passes.
    let closed = limits("limits: { per_tenant: { requests_per_second: 0 } }");
    assert_eq!(closed.rules(Tier::Tenant, "acme").unwrap().all()[0].limit, 0);
}

#[test]
fn a_name_has_its_own_rules_in_place_of_its_tiers() {
    let limits = limits(
        "
providers: { demo: { kind: simulated, models: { fast: {}, slow: {} } } }
keys: { team: { key: wl_0123456789abcdef } }
limits:
  per_tenant: { requests_per_minute: 10, tokens_per_minute: 100 }
  tenants: { acme: { requests_per_minute: 20 }, free: {} }
  users: { acme/ann: { requests_per_day: 5 } }
  keys: { team: { tokens_per_day: 6 } }
  endpoints: { /v1/embeddings: { tokens_per_hour: 7 } }
  models: { demo/fast: { requests_per_second: 8 }, slow: { requests_per_second: 9 } }
  on_exceeded: deny
  replicas: 4
",
    );
    let limit = |tier, name| of(limits.rules(tier, name)).iter().map(|rule| rule.1).collect::<Vec<_>>();
    assert_eq!(limit(Tier::Tenant, "acme"), [20]);
    assert_eq!(limit(Tier::Tenant, "other"), [10, 100]);
    assert_eq!(limits.rules(Tier::Tenant, "free"), None, "an empty map frees");
    assert_eq!(limit(Tier::User, "acme/ann"), [5]);
    assert_eq!(limits.rules(Tier::User, "acme/bob"), None);
    assert_eq!(limit(Tier::Key, "team"), [6]);
    assert_eq!(limit(Tier::Endpoint, "/v1/embeddings"), [7]);
    assert_eq!(limit(Tier::Model, "demo/fast"), [8]);
    assert_eq!(limit(Tier::Model, "demo/slow"), [9], "a bare name is found");
    assert_eq!((limits.excess.action, limits.replicas), (Action::Deny, 4));
}

#[test]
fn adaptive_moves_calls_by_the_second_and_minute() {
    let all =
        "requests_per_second: 100, requests_per_minute: 600, requests_per_hour: 9, tokens_per_minute: 5";
    let algorithms = |head: &str| -> Vec<Algorithm> {
        let limits = limits(&format!("limits: {{ {head}, global: {{ {all} }} }}"));
        let rules = limits.rules(Tier::Global, "").unwrap().all();
        rules.iter().map(|rule: &Rule| rule.algorithm).collect()
    };
    let bucket = Algorithm::TokenBucket;
    let around = |limit| Algorithm::Adaptive(Adaptive::around(limit));
    assert_eq!(algorithms("algorithm: adaptive"), [around(100), around(600), bucket, bucket]);
    assert_eq!(algorithms("algorithm: adaptive, adaptive: { enabled: false }"), [bucket; 4]);
    assert_eq!(algorithms("algorithm: sliding_window"), [Algorithm::SlidingWindow; 4]);
    let set = algorithms(
        "algorithm: adaptive, adaptive: { target_error_rate: 5%, adjustment_period: 10s, min_rate: 20, max_rate: 200, \
         target_latency: 2s }",
    );
    let adaptive = |least, most| Adaptive {
        target_bad: 500,
        target_latency: Some(Duration::from_secs(2)),
        period: Duration::from_secs(10),
        least,
        most,
    };
    assert_eq!(set[0], Algorithm::Adaptive(adaptive(20, 200)));
    assert_eq!(set[1], Algorithm::Adaptive(adaptive(1_200, 12_000)));
    let one = limits("limits: { per_key: { requests_per_day: 9, algorithm: sliding_window } }");
    assert_eq!(one.rules(Tier::Key, "k").unwrap().all()[0].algorithm, Algorithm::SlidingWindow);
}

#[test]
fn what_is_wrong_is_told() {
    for (text, told) in [
        ("{ globl: { requests_per_second: 5 } }", "did you mean `global`?"),
        ("{ global: { request_per_second: 5 } }", "did you mean `requests_per_second`?"),
        ("{ algorithm: sliding }", "expected one of token_bucket, sliding_window, adaptive"),
        ("{ on_exceeded: quue }", "did you mean `queue`?"),
        ("{ on_exceeded: { action: drop } }", "expected one of deny, queue, degraded"),
        ("{ on_exceeded: deny, on_limit_exceeded: deny }", "are the same setting"),
        ("{ on_exceeded: { queue_timeout: 5s, queue_timeout_ms: 5 } }", "are the same setting"),
        ("{ priorities: { normal: 1, medium: 1 } }", "are the same setting"),
        ("{ priorities: { low: 50%, normal: 0.25 } }", "a lower priority may not use more"),
        ("{ per_key: { burst: 5, tokens_per_minute: 1 } }", "there is none"),
        ("{ per_key: { requests_per_second: -1 } }", "must be from 0 to"),
        ("{ per_key: { requests_per_second: 1.5 } }", "expected a whole number"),
        ("{ adaptive: { min_rate: 5, max_rate: 4 } }", "`min_rate` is more than `max_rate`"),
        ("{ token_bucket: { refill_rate: 0.5 } }", "a whole number of calls a second"),
        ("{ token_bucket: { cost_per_request: 2 } }", "must be from 1 to 1"),
        ("{ keys: { taem: {} } }", "did you mean `team`?"),
        ("{ users: { ann: {} } }", "write tenant/ann"),
        ("{ endpoints: { v1/chat: {} } }", "not a path"),
        ("{ models: { nothing: {} } }", "no provider offers a model `nothing`"),
        ("{ replicas: 0 }", "must be from 1 to"),
    ] {
        let report = refused(&format!("keys: {{ team: {{ key: wl_0123456789abcdef }} }}\nlimits: {text}"));
        assert!(report.contains(told), "{text}: {report}");
        assert_eq!(report.matches("error:").count(), 1, "{text}: {report}");
    }
}

#[test]
fn redis_has_an_address_and_a_patience() {
    let storage = load("").unwrap().storage;
    assert_eq!((storage.redis, storage.redis_timeout), (None, Duration::from_millis(50)));
    let text = "storage: { redis: 'redis://u:hidden@127.0.0.1:6379/1', redis_timeout: 20ms }";
    let storage = load(text).unwrap().storage;
    assert!(!format!("{storage:?}").contains("hidden"));
    assert_eq!(storage.redis.unwrap().expose(), "redis://u:hidden@127.0.0.1:6379/1");
    assert_eq!(storage.redis_timeout, Duration::from_millis(20));
    assert!(load("storage: { redis: unix:///run/redis.sock }").is_ok());
    assert!(load("storage: { redis: 'redis+cluster://:hidden@a:7000,b:7001' }").is_ok());
    let storage = load("storage: { redis: 'rediss://h', redis_ca: ca.pem }").unwrap().storage;
    assert_eq!(storage.redis_ca, Some("ca.pem".into()));
    for wrong in ["localhost:6379", "redis://", "http://x", "''"] {
        assert!(load(&format!("storage: {{ redis: {wrong} }}")).is_err(), "{wrong}");
    }
}

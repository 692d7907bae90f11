//! Configurations that are wrong: what a person is told.

use proptest::prelude::*;

use crate::given::{load, refused};
use crate::good::EXAMPLE;

#[test]
fn all_problems_are_told_at_once() {
    insta::assert_snapshot!(refused(
        "
version: 2
server: { listen: nowhere, max_body: big, drian: 5s }
storage: { database: postgres://db, redis: redis://x }
providers:
  openai: { kind: opanai }
  azure: { kind: azure }
  claude: { kind: anthropic, api_key: ${MISSING}, base_url: api.anthropic.com }
  sim: { kind: simulated, models: { a: { faults: [{ kind: status, factor: 2 }, { kind: cut, every: 1, first: 2 }] } } }
  'a/b': { kind: local }
routes:
  one: { models: [], strategy: learned }
  two: { modles: [sim/a], retry: { attempts: 0, backoff: fibonnaci }, stream_failure: retry }
limits: { global: { rps: 5 } }
budgets: []
telemetry: { sample: 2, otlp: ftp://x, log_level: loud }
prices: { x: { input: 1 }, y: { input: -1, output: 1e-30 } }
keys: { a: {}, b: { key: short }, c: { hash: 'blake3:zz' } }
"
    ));
}

#[test]
fn names_that_lead_nowhere_are_told() {
    insta::assert_snapshot!(refused(
        "
providers:
  sim: { kind: simulated, models: { fast: {}, slow: {} } }
  local: { kind: local }
routes:
  one: { models: [sim/fats, smi/fast, fsat] }
  circle: { models: [round, sim/fast] }
  self: { models: [self] }
  local: { models: [sim/fast] }
  sim/new: { models: [sim/fast] }
  auto-select: { models: [sim/fast] }
aliases: { round: circle, a: b, b: a, one: sim/fast, lost: nowhere }
"
    ));
}

#[test]
fn sections_around_a_broken_one_are_read() {
    let around = |broken: &str| {
        format!(
            "server: {{ listen: nowhere }}\n{broken}providers:\n  sim: {{ kind: simulatd }}\n  sim: {{ kind: simulated }}\n\
             telemetry: {{ sampel: 2 }}\n"
        )
    };
    for broken in [
        "routes:\n  a: { models: [sim/fast }\n",
        "routes:\n  é: { models: [sim/fast\n",
        "routes:\n  a: { models: \"sim/fast }\n",
        "routes: a: b\n",
        "routes:\n\ta: { models: [sim/fast] }\n",
        "routes\n",
        "routes: { a: *nobody }\n",
    ] {
        let text = around(broken);
        let report = load(&text).unwrap_err();
        let told: Vec<_> = report.problems.iter().filter_map(|problem| Some(problem.span?.line)).collect();
        let lines = u32::try_from(text.lines().count()).unwrap();
        let shown = report.to_string();
        assert_eq!(shown.matches("not valid YAML").count(), 1, "{broken}{shown}");
        for part in
            ["not an address", "did you mean `simulated`", "`sim` is there twice", "did you mean `sample`"]
        {
            assert_eq!(shown.matches(part).count(), 1, "{broken}{part}: {shown}");
        }
        assert_eq!((report.errors, told.last()), (5, Some(&lines)), "{broken}{shown}");
    }
    // What is broken twice is told up to there, and what others name is missed by nobody.
    for broken in ["routes: [}\naliases: [}\n", "keys: [}\nlimits: { keys: { a: {} } }\nroutes: {}\n"] {
        let shown = refused(&around(broken));
        assert!(shown.contains("not an address") && !shown.contains("simulatd"), "{shown}");
        assert!(!shown.contains("there is no key"), "{shown}");
    }
}

#[test]
fn an_open_door_is_told() {
    let report = refused("server: { listen: '0.0.0.0:8080' }");
    assert!(report.contains("anybody who reaches this address could call"), "{report}");
    assert!(load("server: { listen: '0.0.0.0:8080', allow_open: true }").is_ok());
    assert!(load("server: { listen: '0.0.0.0:80' }\nkeys: { a: { key: wl_0123456789abcdef } }").is_ok());
    let report = refused("keys: { a: { key: wl_0123456789abcdef }, b: { key: wl_0123456789abcdef } }");
    assert!(report.contains("keys `a` and `b` are the same"), "{report}");
}

#[test]
fn what_comes_later_is_called_so() {
    for text in
        ["cache: {}", "decision_engine: { x: 1 }", "analyzer: {}", "storage: { redis: 'redis+sentinel://h' }"]
    {
        let report = refused(text);
        assert!(report.contains("comes in a later version of Windlass"), "{report}");
        assert!(!report.contains("did you mean"), "{report}");
    }
}

#[test]
fn no_secret_is_ever_shown() {
    let text = "
providers:
  openai: { kind: openai, api_key: '${OPENAI_API_KEY}', headers: { x-extra: '${OPENAI_API_KEY}' } }
keys: { a: { key: '${GROQ_API_KEY}${ANTHROPIC_API_KEY}' } }
";
    let config = load(text).unwrap();
    let shown = format!("{config:?}");
    assert!(!shown.contains("0123456789"), "{shown}");
    for wrong in [
        "storage: { redis: 'rediss://u:hidden-0123456789@h', spol: x }",
        "storage: { redis: redis://u:hidden-0123456789@h, [ }",
        "storage: { redis: '${OPENAI_API_KEY}' }",
        "providers: { openai: { kind: openai, api_key: hidden-0123456789, modles: [] } }",
        "providers: { openai: { kind: openai, api_key: 0123456789 } }",
        "providers: { openai: { kind: openai, headers: { x-a: hidden-0123456789, host: x } } }",
        "keys: { a: { key: hidden-0123456789, modles: x } }",
        "keys: { a: { key: hidden-0123456789, [ } }",
        "keys:\n  a: { key: 'hidden 0123456789, 8', hash: x }\n",
    ] {
        let report = refused(wrong);
        assert!(!report.contains("0123456789"), "{report}");
    }
    let wrong = "
providers:
  openai: { kind: '${OPENAI_API_KEY}' }
  other: { kind: openai, base_url: '${OPENAI_API_KEY}', timeouts: { idle: '${OPENAI_API_KEY}' } }
server: { listen: '${OPENAI_API_KEY}', max_body: '${OPENAI_API_KEY}', workers: '${OPENAI_API_KEY}' }
routes: { a: { models: ['${OPENAI_API_KEY}'], strategy: '${OPENAI_API_KEY}' } }
prices: { m: { input: '${OPENAI_API_KEY}', output: 1 } }
keys: { a: { hash: '${OPENAI_API_KEY}' } }
storage: { database: '${OPENAI_API_KEY}' }
";
    let report = refused(wrong);
    assert!(!report.contains("0123456789"), "{report}");
    assert!(report.matches("error:").count() >= 8, "{report}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever is done to a good file, reading it ends in a configuration or a report.
    #[test]
    fn nothing_makes_it_panic(edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, ".{0,6}"), 1..6)) {
        let mut text: Vec<char> = EXAMPLE.chars().collect();
        for (at, gone, new) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + gone).min(text.len());
            text.splice(at..end, new.chars());
        }
        if let Err(report) = load(&text.into_iter().collect::<String>()) {
            prop_assert!(report.errors > 0);
            prop_assert!(!report.to_string().contains("sk-openai"));
        }
    }
}

//! What the environment and flags set above the file.

use config::Overrides;
use config::provider::Kind;
use config::telemetry::LogLevel;
use policy::retry::Backoff;

use crate::given::load_with;

#[test]
fn the_environment_stands_above_the_file_and_flags_above_both() {
    let variables = [
        ("PATH", "/bin"),
        ("WINDLASS__SERVER__LISTEN", "127.0.0.1:1"),
        ("WINDLASS__SERVER__WORKERS", "3"),
        ("WINDLASS__SERVER__ALLOW_OPEN", "true"),
        ("WINDLASS__PROVIDERS__MY_CLOUD__API_KEY", "12345678"),
        ("WINDLASS__ROUTES__FAST__MODELS", "[my-cloud/a, my-cloud/b]"),
        ("WINDLASS__STORAGE__SPOOL", ""),
        ("DECISION_LOG_LEVEL", "debug"),
        ("LLM_RETRY_STRATEGY", "fixed"),
        ("LLM_RETRY_MAX_ATTEMPTS", "5"),
        ("WINDLASS__DEFAULTS__RETRY__ATTEMPTS", "4"),
    ];
    let overrides = Overrides::environment(variables).flag("--workers", "server.workers", "7");
    let text = "server: { listen: 127.0.0.1:2 }\nproviders: { my-cloud: { kind: openai } }";
    let config = load_with(text, &overrides).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(config.server.listen.port(), 1);
    assert_eq!(config.server.workers, Some(7));
    assert!(config.server.allow_open);
    let Kind::Openai(openai) = &config.providers[0].kind else { panic!("not openai") };
    assert_eq!(openai.remote.api_key.as_ref().unwrap().expose(), "12345678");
    assert_eq!(config.route("fast").unwrap().targets.len(), 2);
    assert_eq!(config.telemetry.log_level, LogLevel::Debug);
    let retry = config.defaults.retry.usual();
    assert_eq!((retry.backoff, retry.attempts), (Backoff::Fixed, 4));
    assert!(!format!("{overrides:?}").contains("12345678"));
}

#[test]
fn problems_name_the_variable() {
    let overrides = Overrides::environment([
        ("WINDLASS__SERVER__LISTEN", "here-is-a-secret"),
        ("WINDLASS__SERVRE__LISTEN", "x"),
        ("WINDLASS__SERVER", "here-is-a-secret"),
        ("WINDLASS__ROUTES__A__MODELS", "[here-is-a-secret, {]"),
        ("WINDLASS__", "x"),
    ])
    .flag("--drain", "server.drain", "soon");
    let report = load_with("server: { listen: 127.0.0.1:2 }", &overrides).expect_err("wrong").to_string();
    insta::assert_snapshot!(report);
    assert!(!report.contains("secret"), "{report}");
}

#[test]
fn a_file_is_not_needed_to_set_something() {
    let overrides = Overrides::default().flag("--listen", "server.listen", "[::1]:0");
    assert_eq!(load_with("", &overrides).unwrap().server.listen.to_string(), "[::1]:0");
}

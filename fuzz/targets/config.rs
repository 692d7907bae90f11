//! Configurations: any text, with any environment on top, gives a configuration or a report; what is accepted
//! can be asked for any model.

#![no_main]

use config::Overrides;
use document::Source;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    // The first line is the environment: `SERVER__LISTEN=127.0.0.1:0`.
    let (variable, text) = input.split_once('\n').unwrap_or(("", input));
    let (key, value) = variable.split_once('=').unwrap_or((variable, ""));
    let environment = |name: &str| (name != "UNSET").then(|| value.to_owned());
    let overrides = Overrides::environment((!key.is_empty()).then(|| (format!("WINDLASS__{key}"), value)));
    let (config, report) = config::examine(Source { name: "fuzz.yaml", text }, &environment, &overrides);
    drop(report.to_string());
    let Some(config) = config else {
        assert!(report.first().is_some(), "refused without a reason");
        return;
    };
    assert!(!config.providers.is_empty(), "no provider");
    for name in config.model_names().iter().map(String::as_str).chain([key, value]) {
        if let Some(config::Resolved::Model(target)) = config.resolve(name) {
            assert!(config.known(&target).is_some(), "{target} is resolved and not known");
        }
    }
});

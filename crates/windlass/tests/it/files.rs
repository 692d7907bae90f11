//! The command line without a server: files that are wrong, in every way at once and in one way too far;
//! and the commands that only look.

use serde_json::{Value, json};

use crate::house::{House, said};

const SIMULATED: &str = "
version: 1
providers:
  demo:
    kind: simulated
    models:
      talker: { price: { input: 1, output: 2 } }
      other: {}
      broken: { faults: [{ kind: status, status: 400, every: 1 }] }
routes: { assistant: { models: [demo/talker, demo/other] } }
aliases: { gpt-4: assistant }
";

#[tokio::test]
async fn check_tells_all_problems_at_once() {
    let house = House::new(SIMULATED);
    house.write("good.yaml", "name: good\nprompts: ['Say {{ word }}']\n");
    let good = house.run(&["check", "windlass.yaml", "good.yaml"]).await.well();
    assert_eq!(good.out.lines().count(), 2, "{good:?}");
    house.write(
        "bad.yaml",
        "version: 1\nserver: { listn: 127.0.0.1:0, max_body: many }\nroutes: { r: { models: [demo/nothing] } }\nroute: {}\n",
    );
    house.write(
        "bad-chain.yaml",
        "name: bad\nsteps:\n  a: { prompt: 'x {{ steps.c }}' }\n  b: { promt: 'y' }\n  c: { prompt: 'z {{ 1 + }}' }\n",
    );
    let bad = house.run(&["check", "bad.yaml", "good.yaml", "bad-chain.yaml"]).await;
    assert_eq!(bad.code, 3, "{bad:?}");
    for part in [
        "bad.yaml:2",
        "`listn`",
        "did you mean `listen`",
        "max_body",
        "demo/nothing",
        "did you mean `routes`",
        "bad-chain.yaml:4",
        "did you mean `prompt`",
        "bad-chain.yaml:5",
        "2 of 3 files are not valid",
    ] {
        assert!(bad.err.contains(part), "{part:?} is not in:\n{}", bad.err);
    }
    assert!(bad.out.contains("good.yaml: a valid chain"), "{bad:?}");
    let told = house.run(&["check", "bad.yaml", "--json"]).await;
    assert_eq!((told.code, &told.json()[0]["valid"]), (3, &json!(false)), "{told:?}");
    // Nothing of it is served either.
    let served = house.run(&["serve", "--config", "bad.yaml"]).await;
    assert_eq!(served.code, 3, "{served:?}");
    assert!(
        served.err.contains("did you mean `listen`") && served.err.contains("demo/nothing"),
        "{served:?}"
    );
    // A file that cannot be read is told among the others.
    std::fs::write(house.path("bytes.yaml"), b"version: 1\nkeys: \xff\n").unwrap();
    let told = house.run(&["check", "nowhere.yaml", "bytes.yaml", "bad.yaml", "good.yaml"]).await;
    assert_eq!(told.code, 3, "{told:?}");
    for part in [
        "nowhere.yaml: error: cannot be read",
        "bytes.yaml: error: not UTF-8: line 2",
        "`listn`",
        "3 of 4 files",
    ] {
        assert!(told.err.contains(part), "{part:?} is not in:\n{}", told.err);
    }
}

#[tokio::test]
async fn one_problem_hides_no_other() {
    let house = House::new(SIMULATED);
    // What follows from a broken line is not told; what stands before it, and elsewhere, is.
    let wrong = SIMULATED.replace("demo/other]", "demo/othr]");
    house
        .write("syntax.yaml", &format!("{wrong}routes: {{ more: {{ models: [demo/other] }} }}\nkeys: [}}\n"));
    house.write(
        "provider.yaml",
        "version: 1\nproviders:\n  demo: { kind: simulated, models: { one: {} } }\n  bad: { kind: simulatd }\n\
         routes: { r: { models: [demo/two, bad/x, nope/y] } }\nchains: { gone: gone.yaml, bad: bad-chain.yaml }\n\
         keys: { k: { key: wl_0123456789abcdef, models: [r, demo/*, demo/nothere] } }\n\
         limits: { endpoints: { /v9/x: { requests_per_minute: 1 } } }\n",
    );
    house.write(
        "bad-chain.yaml",
        "name: bad\nsteps:\n  a: { prompt: 'x {{ steps.b }}' }\n  b: { prompt: 'y {{ steps.a }}' }\n  c: { promt: z }\n  c: { prompt: w }\n",
    );
    let told = house.run(&["check", "syntax.yaml", "provider.yaml"]).await;
    assert_eq!(told.code, 3, "{told:?}");
    for part in [
        "`routes` is there twice",
        "not valid YAML",
        "did you mean `demo/other`",
        "simulatd",
        "no model `two`",
        "no provider `nope`",
        "gone.yaml: error: cannot be read",
        "`promt`",
        "in a circle: a → b → a",
        "`c` is there twice",
        "nothing is called `demo/nothere`",
        "not a path at which calls come in",
    ] {
        assert!(told.err.contains(part), "{part:?} is not in:\n{}", told.err);
    }
    assert!(!told.err.contains("provider `bad`"), "its provider could not be read:\n{}", told.err);
    // The chains that a gateway would offer are all told when it starts, too.
    house.write("offers.yaml", &format!("{SIMULATED}chains: {{ gone: gone.yaml, bad: bad-chain.yaml }}\n"));
    let served = house.run(&["serve", "-c", "offers.yaml"]).await;
    assert_eq!(served.code, 3, "{served:?}");
    assert!(served.err.contains("gone.yaml") && served.err.contains("bad-chain.yaml"), "{served:?}");
    // A chain's models are those of the configuration in use.
    house
        .write("two.yaml", "name: two\nsteps:\n  a: { prompt: x }\n  b:\n    model: nope/x\n    prompt: y\n");
    let told = house.run(&["check", "-c", "windlass.yaml", "two.yaml"]).await;
    assert!(told.code == 3 && told.err.contains("two.yaml:5") && told.err.contains("nope/x"), "{told:?}");
}

/// Runs a chain that must not run; gives what was said of it.
async fn runs_not(house: &House, chain: &str, code: i32) -> String {
    house.write("chain.yaml", chain);
    let said = house.run(&["run", "chain.yaml"]).await;
    assert_eq!(said.code, code, "{said:?}");
    said.err
}

#[tokio::test]
async fn chains_that_cannot_be_run_are_refused_before_anything_is_sent() {
    let house = House::new(SIMULATED);
    let circle = "name: circle\nsteps:\n  a: { prompt: '{{ steps.c }}' }\n  b: { prompt: '{{ steps.a }}' }\n  c: { prompt: '{{ steps.b }}' }\n";
    let said = runs_not(&house, circle, 3).await;
    assert!(said.contains("a → ") || said.contains("a -> "), "the whole circle is told: {said}");

    let steps: Vec<_> = (0..10_000).map(|step| format!("  s{step}: {{ prompt: 'x' }}\n")).collect();
    let said = runs_not(&house, &format!("name: long\nsteps:\n{}", steps.concat()), 3).await;
    assert!(said.contains("10000 steps") && said.contains("1000"), "{said}");
    assert!(said.len() < 2_000, "one sentence is enough, not {} bytes", said.len());

    for bomb in [
        "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
        "{% for a in range(999) %}{% for b in range(999) %}{% for c in range(999) %}{{ c }}{% endfor %}{% endfor %}{% endfor %}",
        "{% for a in range(999) %}{% for b in range(999) %}{% for c in range(999) %}{% endfor %}{% endfor %}{% endfor %}",
        "{% set a = 'xxxxxxxxxxxxxxxx' * 1000000000 %}{{ a }}",
    ] {
        house.write("chain.yaml", &format!("name: bomb\nsteps:\n  a: {{ prompt: \"{bomb}\" }}\n"));
        let said = house.run(&["run", "chain.yaml"]).await;
        // In the file, or when it is filled in: either way it is told, and soon.
        assert!(matches!(said.code, 1 | 3) && said.err.contains("WL5004"), "{bomb}: {said:?}");
        assert!(said.err.len() < 4_000, "{said:?}");
    }
    let deep = format!(
        "name: deep\nsteps:\n  a: {{ prompt: '{{{{ {}1{} }}}}' }}\n",
        "(".repeat(50_000),
        ")".repeat(50_000)
    );
    runs_not(&house, &deep, 3).await;

    let missing = "name: missing\nsteps:\n  a:\n    prompt: |\n      About {{ topic }} and {{ tpic }}\n";
    let said = runs_not(&house, missing, 2).await;
    assert!(said.contains("WL5003") && said.contains("topic"), "{said}");
    let typo = "name: typo\ninputs: { topic: {} }\nsteps:\n  a:\n    prompt: 'About {{ tpic }}'\n";
    let said = runs_not(&house, typo, 3).await;
    assert!(said.contains("chain.yaml:5") && said.contains("topic"), "{said}");
    // With the models that nothing knows, as `check` does.
    let both = "name: both\nsteps:\n  a: { promt: x }\n  b: { prompt: y, model: demo/talkr }\n";
    let said = runs_not(&house, both, 3).await;
    assert!(said.contains("did you mean `prompt`") && said.contains("did you mean `demo/talker`"), "{said}");
    let wrong = house.run(&["run", "chain.yaml", "--var", "topic"]).await;
    assert_eq!(wrong.code, 2, "{wrong:?}");

    assert_eq!(house.ledger().await, Vec::<Value>::new(), "nothing was sent");
}

#[tokio::test]
async fn limits_and_failed_steps_have_exit_codes_of_their_own() {
    let house = House::new(SIMULATED);
    house.write(
        "dear.yaml",
        "name: dear\nlimits: { cost: 0.00000001 }\ndefaults: { model: demo/talker }\nprompts: ['a', 'b {{ output[-1] }}']\n",
    );
    let said = house.run(&["run", "dear.yaml", "--json"]).await;
    assert_eq!(said.code, 4, "{said:?}");
    assert_eq!(said.json()["error"]["code"], "WL5007", "{said:?}");
    let said = house.run(&["run", "dear.yaml"]).await;
    assert!(
        said.err.contains("WL5007") && !said.err.contains("go on with"),
        "resumed, it ends alike: {said:?}"
    );
    house.write("lost.yaml", "name: lost\ndefaults: { model: demo/broken }\nprompts: ['a']\n");
    let said = house.run(&["run", "lost.yaml", "-c", "windlass.yaml"]).await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("WL5005"), "{said:?}");
    let on = said.err.lines().find_map(|line| line.strip_prefix("go on with: windlass ")).unwrap();
    assert!(on.starts_with("runs resume run_") && on.ends_with(" --config windlass.yaml"), "{said:?}");
    // A model that nothing is called is told before anything is paid.
    let two = "name: two\nsteps:\n  a: { model: demo/talker, prompt: x }\n  b: { model: nope/x, prompt: '{{ steps.a }}' }\n";
    house.write("two.yaml", two);
    let before = house.ledger().await.len();
    let said = house.run(&["run", "two.yaml"]).await;
    assert!(said.code == 1 && said.err.contains("step `b`") && said.err.contains("nope/x"), "{said:?}");
    assert_eq!(house.ledger().await.len(), before, "nothing was sent");
    let said = house.run(&["runs", "show", "run_00000000000000000000000000000000"]).await;
    assert!(said.code == 1 && said.err.contains("WL5006"), "{said:?}");
}

#[tokio::test]
async fn commands_that_only_look() {
    let house = House::new(SIMULATED);
    let help = house.run(&["--help"]).await.well().out;
    for command in
        ["serve", "run", "chat", "check", "models", "runs", "ledger", "Exit codes", "windlass run "]
    {
        assert!(help.contains(command), "{command}: {help}");
    }
    for command in ["serve", "run", "chat", "check", "models", "runs", "ledger"] {
        assert!(house.run(&[command, "--help"]).await.well().out.contains("Usage: windlass"));
    }
    assert_eq!(house.run(&[]).await.code, 2);
    assert_eq!(house.run(&["fly"]).await.code, 2);
    assert!(house.run(&["--version"]).await.well().out.starts_with("windlass "));
    for shell in ["bash", "zsh", "fish"] {
        assert!(house.run(&["completions", shell]).await.well().out.contains("windlass"));
    }
    for (what, field) in [("config", "providers"), ("chain", "steps")] {
        let schema = house.run(&["schema", what]).await.well().json();
        assert!(schema["properties"][field].is_object(), "{what}");
        describes_an_object(&schema);
    }

    let models = house.run(&["models", "--json"]).await.well().json();
    let names: Vec<_> =
        models.as_array().unwrap().iter().map(|line| line["name"].as_str().unwrap()).collect();
    for name in ["assistant", "gpt-4", "demo/talker", "demo/other"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    let all = house.run(&["models", "--all", "gpt-4o-mini", "--json"]).await.well().json();
    let listed = all.as_array().unwrap().iter().find(|line| line["name"] == "openai/gpt-4o-mini");
    assert_eq!(listed.unwrap()["price"]["input"], "0.15", "{all:#}");

    for model in ["assistant", "demo/other", "demo/other"] {
        let chat = house.run(&["chat", "hello", "--model", model, "--quiet"]).await.well();
        assert!(chat.out.starts_with("[simulated]") && chat.err.is_empty(), "{chat:?}");
    }
    let sums = house.run(&["ledger", "--by", "model", "--json"]).await.well().json();
    let calls: Vec<_> = sums.as_array().unwrap().iter().map(|sum| (&sum["key"], &sum["calls"])).collect();
    assert_eq!(calls.len(), 2, "{sums:#}");
    assert!(
        calls.contains(&(&json!("demo/other"), &json!(2))) || calls.contains(&(&json!("other"), &json!(2))),
        "{sums:#}"
    );
    assert_eq!(house.run(&["ledger", "--since", "yesterday"]).await.code, 2);
    let table = house.run(&["ledger"]).await.well().out;
    assert_eq!(table.lines().count(), 4, "a head and three rows:\n{table}");
}

fn describes_an_object(schema: &Value) {
    assert!(schema["$schema"].is_string() && schema["additionalProperties"] == false, "{schema:#}");
}

#[tokio::test]
async fn the_environment_stands_above_the_file() {
    let house = House::new(SIMULATED);
    let mut command = house.command(&["models", "--json"]);
    command.env("WINDLASS__ALIASES__GPT-4", "demo/other").env("WINDLASS__PROVIDERS__MORE__KIND", "local");
    let models = said(command).await.well().json();
    let find = |name: &str| models.as_array().unwrap().iter().find(|line| line["name"] == name).cloned();
    assert_eq!(find("gpt-4").unwrap()["stands_for"], "demo/other", "{models:#}");
    assert!(find("more/smollm2").is_some(), "{models:#}");
    let mut command = house.command(&["models"]);
    command.env("WINDLASS__SERVER__LISTN", "127.0.0.1:1");
    let told = said(command).await;
    assert_eq!(told.code, 3, "{told:?}");
    assert!(told.err.contains("WINDLASS__SERVER__LISTN") && told.err.contains("listen"), "{told:?}");
}

/// Runs the program as on a terminal: a pseudo-terminal of util-linux' `script`.
async fn on_a_terminal(house: &House, line: &str) -> (i32, String) {
    let mut command = tokio::process::Command::new("script");
    let line = format!("{} {line}", env!("CARGO_BIN_EXE_windlass"));
    command.args(["-qec", &line, "/dev/null"]).current_dir(house.path("")).kill_on_drop(true);
    command.env("TERM", "xterm").env_remove("NO_COLOR").stdin(std::process::Stdio::null());
    let said = said(command).await;
    (said.code, said.out)
}

#[tokio::test]
async fn commands_work_on_a_terminal() {
    let house = House::new(SIMULATED);
    house.write("chain.yaml", "name: c\ndefaults: { model: demo/talker }\nprompts: ['Say {{ word }}']\n");
    let (code, shown) = on_a_terminal(&house, "run chain.yaml --var word=x --log-level info").await;
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("[simulated]") && !shown.contains("tracing-subscriber"), "{shown}");
    // Lines of the log are coloured for people.
    assert!(shown.contains("\u{1b}[32m INFO"), "{shown:?}");
    let (code, shown) = on_a_terminal(&house, "chat hello --model demo/talker").await;
    assert_eq!(code, 0, "{shown}");
    assert!(!shown.contains("tracing-subscriber"), "{shown}");
}

#[tokio::test]
async fn the_seeds_own_variables_count() {
    let house = House::new(SIMULATED);
    for (name, value, key) in [
        ("LLM_TRACE_SAMPLING_RATIO", "5", "telemetry.sample"),
        ("DECISION_LOG_LEVEL", "zzz", "telemetry.log_level"),
        ("LLM_RETRY_STRATEGY", "never", "defaults.retry.backoff"),
        ("LLM_RETRY_MAX_ATTEMPTS", "0", "defaults.retry.attempts"),
        ("LLM_RETRY_BASE_DELAY", "soon", "defaults.retry.base"),
        ("LLM_RETRY_MAX_DELAY", "late", "defaults.retry.max"),
    ] {
        let mut command = house.command(&["check"]);
        command.env(name, value);
        let told = said(command).await;
        assert_eq!(told.code, 3, "{name}: {told:?}");
        assert!(told.err.contains(&format!("{name} ({key})")), "{told:?}");
        // Our own name comes before the seeds'.
        let mut command = house.command(&["check"]);
        let own = format!("WINDLASS__{}", key.to_uppercase().replace('.', "__"));
        let good = match key {
            "telemetry.sample" | "defaults.retry.attempts" => "1",
            "telemetry.log_level" => "warn",
            "defaults.retry.backoff" => "fixed",
            _ => "1s",
        };
        command.env(name, value).env(own, good);
        said(command).await.well();
    }
}

#[tokio::test]
async fn messages_name_what_somebody_wrote() {
    let house = House::new(SIMULATED);
    let check = async |text: &str| {
        house.write("x.yaml", &format!("{SIMULATED}{text}"));
        house.run(&["check", "x.yaml"]).await
    };
    check("overload: { concurrency: { most: 1, algorithm: fixed } }\n").await.well();
    let said = check("overload: { concurrency: { most: 1, least: 2 } }\n").await;
    assert!(said.err.contains("`least` is more than `most`"), "{said:?}");
    let said = check("keys:\n  a: { key: wl_0123456789abcdef }\n  b: { key: wl_0123456789abcdef }\n").await;
    assert!(said.err.contains("x.yaml:14:13: error: keys `a` and `b` are the same"), "{said:?}");
    assert!(!said.err.contains("wl_0123"), "{said:?}");
    let said = check("keys:\n  a:\n    key: short\n").await;
    assert!(said.err.contains("shorter than 16 characters") && said.err.contains("key: *****"), "{said:?}");
    let said = check("aliases2: {}\nkeys: { k: { key: wl_0123456789abcdef, models: [demo/none] } }\n").await;
    assert!(said.err.contains("nothing is called `demo/none`"), "{said:?}");

    let said = house.run(&["chat", "x", "--log-level", "loud"]).await;
    assert!(said.code == 2 && said.err.contains("loud") && said.err.contains("debug"), "{said:?}");
    house.write(
        "chain.yaml",
        "name: c\ninputs: { topic: {} }\ndefaults: { model: demo/talker }\nprompts: ['{{ topic }}']\n",
    );
    for vars in [&["--var", "topic=x", "--var", "nosuch=1"][..], &[]] {
        let said = house.run(&[&["run", "chain.yaml"], vars].concat()).await;
        assert_eq!(said.code, 2, "{said:?}");
    }
    // What cannot be used is named, with its code, and its cause once.
    std::fs::write(house.path("no-database"), "no folder").unwrap();
    let away = format!("{SIMULATED}storage: {{ database: 'sqlite:no-database/x.db', spool: spool }}\n");
    house.write("away.yaml", &away);
    let said = house.run(&["ledger", "-c", "away.yaml"]).await;
    assert!(
        said.code == 1 && said.err.contains("WL9003") && said.err.contains("no-database/x.db"),
        "{said:?}"
    );
    assert_eq!(said.err.matches("os error").count(), 1, "{said:?}");
}

#[tokio::test]
async fn a_failed_step_took_the_time_that_it_took() {
    let vendor = testkit::Vendor::start(testkit::Answer::silent()).await.unwrap();
    let house = House::new(&format!(
        "version: 1\nproviders: {{ demo: {{ kind: openai, base_url: '{}' }} }}\n\
         defaults: {{ timeouts: {{ total: 60ms }}, retry: {{ attempts: 1 }} }}\n",
        vendor.url("/v1")
    ));
    house.write("chain.yaml", "name: c\ndefaults: { model: demo/slow }\nprompts: ['x']\n");
    let result = house.run(&["run", "chain.yaml", "--json"]).await.json();
    let took = result["steps"][0]["latency_ms"].as_f64().unwrap();
    assert!(result["status"] == "failed" && took >= 50.0, "{result:#}");
}

#[tokio::test]
async fn programs_are_told_a_code_whatever_failed() {
    let house = House::new(SIMULATED);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (args, exit, code) in [
        (&["run", "gone.yaml"][..], 3, "WL5001"),
        (&["chat", "x", "--config", "gone.yaml"], 3, "WL6001"),
        (&["serve", "--listen", &address], 1, "WL6002"),
        (&["ledger", "--since", "long"], 2, "WL1004"),
    ] {
        let said = house.run(&[args, &["--json", "--log-level", "error"]].concat()).await;
        let error: Value = serde_json::from_str(said.err.trim()).unwrap_or_else(|_| panic!("{said:?}"));
        assert_eq!((said.code, &error["error"]["code"]), (exit, &json!(code)), "{said:?}");
        assert!(error["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{said:?}");
    }
    std::fs::remove_file(house.path("windlass.yaml")).unwrap();
    let said = house.run(&["check", "--json"]).await;
    assert!(said.code == 2 && said.err.contains("WL1004"), "{said:?}");
}

#[tokio::test]
async fn sums_without_a_price_are_unknown() {
    let house = House::new(SIMULATED);
    for model in ["demo/talker", "demo/other"] {
        house.run(&["chat", "hello", "--model", model]).await.well();
    }
    let totals = house.run(&["ledger", "--by", "model", "--json"]).await.well().json();
    let of = |model: &str| totals.as_array().unwrap().iter().find(|total| total["key"] == model).unwrap();
    assert_eq!((&of("demo/other")["cost"], &of("demo/other")["unpriced"]), (&Value::Null, &json!(1)));
    assert!(of("demo/talker")["cost"].is_string() && of("demo/talker")["unpriced"] == 0, "{totals:#}");
    let shown = house.run(&["ledger", "--by", "model"]).await.well().out;
    let line = |model: &str| shown.lines().find(|line| line.contains(model)).unwrap();
    assert!(line("demo/other").contains("unknown") && !line("demo/other").contains('$'), "{shown}");
    assert!(line("demo/talker").contains('$') && !line("demo/talker").contains("unknown"), "{shown}");
    // Both together: the sum is of what is known, and says of how many it is without.
    let all = house.run(&["ledger", "--by", "provider", "--json"]).await.well().json();
    assert_eq!((&all[0]["cost"], &all[0]["unpriced"]), (&of("demo/talker")["cost"], &json!(1)), "{all:#}");
}

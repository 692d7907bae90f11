//! Tasks and profiles, through the engine: what the provider got, what the row says, who wins.

use engine::{About, Answered, Head, Inbound};
use serde_json::{Value, json};
use testkit::{Answer, Request, Script, Vendor, anthropic as claude, openai as gpt};
use types::{Code, Dialect, Parameter};

use crate::house::{House, anthropic, chat, openai, stream, text};

const GEMINI: &str = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"x"}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,"totalTokenCount":7},"modelVersion":"g","responseId":"r1"}"#;
const CONVERSE: &str = r#"{"output":{"message":{"role":"assistant","content":[{"text":"x"}]}},"stopReason":"end_turn","usage":{"inputTokens":5,"outputTokens":2,"totalTokens":7},"metrics":{"latencyMs":1}}"#;
const RESPONSE: &str = r#"{"id":"resp_1","object":"response","status":"completed","model":"m","output":[{"type":"message","id":"i","role":"assistant","status":"completed","content":[{"type":"output_text","text":"x","annotations":[]}]}],"usage":{"input_tokens":5,"output_tokens":2,"total_tokens":7}}"#;

/// Answers by the path that it is asked at, and by whether a stream is wanted.
async fn vendor() -> Vendor {
    let script = Script::by(|request| {
        let streamed = String::from_utf8_lossy(&request.body).contains(r#""stream":true"#);
        match request.path.as_str() {
            path if path.contains("generateContent") => Answer::json(200, GEMINI),
            path if path.contains("converse") => Answer::json(200, CONVERSE),
            path if path.ends_with("/responses") => Answer::json(200, RESPONSE),
            path if path.ends_with("/embeddings") => Answer::json(200, gpt::embedding(&[0.5], 3)),
            path if path.ends_with("/messages") && streamed => Answer::events(claude::message_stream(2, 5)),
            path if path.ends_with("/messages") => Answer::json(200, claude::message("x", 5, 2)),
            _ if streamed => Answer::events(gpt::chat_stream(2, 5)),
            _ => Answer::json(200, gpt::chat("x", 5, 2)),
        }
    });
    Vendor::start(script).await.unwrap()
}

async fn house(vendor: &Vendor, more: &str) -> House {
    let at = |path: &str| vendor.url(path);
    let providers = openai("up", vendor)
        + &anthropic("claude", vendor)
        + &format!(
            "  g: {{ kind: gemini, base_url: '{}', api_key: k }}\n  b: {{ kind: bedrock, region: us-east-1, base_url: '{}', access_key_id: AK, secret_access_key: s }}\n  x: {{ kind: xai, base_url: '{}', api_key: k }}\n  c: {{ kind: cerebras, base_url: '{}', api_key: k }}\n",
            at("/v1beta"),
            at(""),
            at("/v1"),
            at("/v1")
        );
    House::with(&providers, more).await
}

fn inbound(dialect: Dialect, body: &Value, task: &str, profile: &str) -> Inbound {
    let named = |name: &str| Some(name).filter(|name| !name.is_empty()).map(Into::into);
    let head = Head { task: named(task), profile: named(profile), ..Head::default() };
    Inbound { dialect, body: body.to_string().into(), head }
}

fn plain(model: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] })
}

/// What the provider got, once the answer is whole, and what the answer's headers would tell.
async fn sent(house: &House, vendor: &Vendor, inbound: Inbound) -> (Request, Option<String>) {
    let about = match house.engine().call(inbound).await.unwrap() {
        Answered::Whole(whole) => whole.about,
        Answered::Stream(relay) => {
            let about: About = relay.about.clone();
            drop(text(relay).await);
            about
        }
    };
    (vendor.request().await, about.profile)
}

/// Of what the provider got, that which could be a profile's.
fn parameters(body: &Value) -> Value {
    let mut body = body.clone();
    let Some(body) = body.as_object_mut() else { return Value::Null };
    body.retain(|name, _| {
        name.starts_with("max_")
            || ["temperature", "top_p"].contains(&name.as_str())
            || name.ends_with("_penalty")
    });
    Value::from(body.clone())
}

#[tokio::test]
async fn the_callers_bytes_stay_and_the_parameters_stand_before_them() {
    let vendor = vendor().await;
    let house = house(&vendor, "").await;
    for streamed in [false, true] {
        let mut call = chat("up/m", streamed);
        call.head.task = Some("code".into());
        call.head.profile = Some("speed_optimized".into());
        let (seen, name) = sent(&house, &vendor, call).await;
        let options = if streamed { r#","stream_options":{"include_usage":true}"# } else { "" };
        let expected = format!(
            r#"{{"temperature":0.1,"max_tokens":1000,"top_p":0.9,"frequency_penalty":0.1,"model":"m","stream":{streamed},"messages":[{{"role":"user","content":"hi"}}],"huge":123456789012345678901234567890,"odd":1.0e400{options}}}"#
        );
        assert_eq!(seen.body, expected);
        assert_eq!(name.as_deref(), Some("code+speed_optimized"));
    }
    let rows = house.rows().await;
    assert_eq!(rows.len(), 2);
    for row in rows {
        let written = serde_json::to_value(&row).unwrap();
        let applied =
            json!({ "temperature": 0.1, "max_tokens": 1_000, "top_p": 0.9, "frequency_penalty": 0.1 });
        assert_eq!(written["profile"], json!({ "name": "code+speed_optimized", "applied": applied }));
    }
}

#[tokio::test]
async fn a_call_that_asks_for_nothing_is_sent_as_it_was_written() {
    let vendor = vendor().await;
    let house = house(&vendor, "profiles: { own: { top_p: 0.5 } }\nroutes: { r: { models: [up/m] } }").await;
    let (seen, name) = sent(&house, &vendor, chat("r", false)).await;
    assert!(seen.body.starts_with(br#"{"model":"m","stream":false,"#) && name.is_none());
    // Embeddings have no such parameters.
    let body = json!({ "model": "up/e", "input": "x" });
    let (seen, name) = sent(&house, &vendor, inbound(Dialect::OpenaiEmbeddings, &body, "code", "")).await;
    assert_eq!((seen.json(), name), (json!({ "model": "e", "input": "x" }), None));
    let rows = house.rows().await;
    assert!(rows.iter().all(|row| row.profile.is_none()));
    assert!(!serde_json::to_string(&rows).unwrap().contains("profile"));
}

#[tokio::test]
async fn what_the_caller_sets_wins_field_by_field() {
    let vendor = vendor().await;
    let house = house(&vendor, "").await;
    let speed = "speed_optimized";
    for (own, expected) in [
        (
            json!({ "temperature": 1.5 }),
            json!({ "temperature": 1.5, "max_tokens": 300, "top_p": 0.9, "frequency_penalty": 0.1 }),
        ),
        (
            json!({ "max_completion_tokens": 9 }),
            json!({ "temperature": 0.3, "max_completion_tokens": 9, "top_p": 0.9, "frequency_penalty": 0.1 }),
        ),
        (
            json!({ "temperature": 0, "max_tokens": 9, "top_p": 1, "frequency_penalty": 0 }),
            json!({ "temperature": 0, "max_tokens": 9, "top_p": 1, "frequency_penalty": 0 }),
        ),
        // Without a value it says nothing, and is not said twice.
        (
            json!({ "temperature": null, "max_tokens": null }),
            json!({ "temperature": 0.3, "max_tokens": 300, "top_p": 0.9, "frequency_penalty": 0.1 }),
        ),
    ] {
        let mut body = plain("up/m");
        body.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        let (seen, name) = sent(&house, &vendor, inbound(Dialect::OpenaiChat, &body, "", speed)).await;
        assert_eq!(parameters(&seen.json()), expected);
        assert_eq!(name.as_deref(), Some(speed));
        let text = String::from_utf8(seen.body.to_vec()).unwrap();
        assert_eq!(text.matches("\"temperature\"").count(), 1, "{text}");
        // The same where the call crosses dialects.
        body["model"] = json!("claude/claude-sonnet-4-5");
        if body["temperature"] != 1.5 && body["frequency_penalty"].is_null() {
            let (seen, _) = sent(&house, &vendor, inbound(Dialect::OpenaiChat, &body, "", speed)).await;
            assert_eq!(seen.json()["temperature"], expected["temperature"]);
            let tokens = [&expected["max_tokens"], &expected["max_completion_tokens"]];
            assert!(tokens.contains(&&seen.json()["max_tokens"]), "{:?}", seen.json());
        }
    }
    let rows = house.rows().await;
    let nothing = rows.iter().filter(|row| row.profile.as_ref().unwrap().applied.is_empty()).count();
    assert_eq!(nothing, 1, "a profile that had nothing to add is told all the same");
}

#[tokio::test]
async fn the_body_may_name_them_and_the_provider_never_sees_that() {
    let vendor = vendor().await;
    let house = house(&vendor, "").await;
    let mut body = plain("up/m");
    body["metadata"] =
        json!({ "windlass": { "task": "analysis", "profile": "cost_optimized" }, "mine": "1" });
    let both = json!({ "temperature": 0.3, "max_tokens": 1_500, "top_p": 0.9, "frequency_penalty": 0.2 });
    let (seen, name) = sent(&house, &vendor, inbound(Dialect::OpenaiChat, &body, "", "")).await;
    assert_eq!(seen.json()["metadata"], json!({ "mine": "1" }));
    assert_eq!((parameters(&seen.json()), name.as_deref()), (both, Some("analysis+cost_optimized")));
    // The header comes before the body, each name by itself.
    let (_, name) = sent(&house, &vendor, inbound(Dialect::OpenaiChat, &body, "chat", "none")).await;
    assert_eq!(name.as_deref(), Some("chat"));
    // Crossing dialects, and in the other dialects.
    body["model"] = json!("claude/m");
    let (seen, _) = sent(&house, &vendor, inbound(Dialect::OpenaiChat, &body, "", "")).await;
    assert_eq!(parameters(&seen.json()), json!({ "temperature": 0.3, "max_tokens": 1_500 }));
    assert!(!String::from_utf8_lossy(&seen.body).contains("windlass"));
    let body = json!({ "model": "claude/m", "max_tokens": 5, "metadata": { "windlass": { "task": "code" } },
        "messages": [{ "role": "user", "content": "hi" }] });
    let (seen, _) = sent(&house, &vendor, inbound(Dialect::AnthropicMessages, &body, "", "")).await;
    assert_eq!(parameters(&seen.json()), json!({ "temperature": 0.1, "max_tokens": 5 }));
    assert!(!String::from_utf8_lossy(&seen.body).contains("windlass"));
    let body = json!({ "model": "up/m", "input": "hi", "metadata": { "windlass": { "task": "code" } } });
    let (seen, _) = sent(&house, &vendor, inbound(Dialect::OpenaiResponses, &body, "", "")).await;
    assert_eq!(parameters(&seen.json()), json!({ "temperature": 0.1, "max_tokens": 1_000 }));
    for wrong in [json!({ "task": 7 }), json!({ "profile": ["x"] })] {
        let mut body = plain("up/m");
        body["metadata"] = json!({ "windlass": wrong });
        let refusal = house.engine().call(inbound(Dialect::OpenaiChat, &body, "", "")).await.unwrap_err();
        assert_eq!(refusal.fault.code, Code::BadField);
    }
}

#[tokio::test]
async fn a_route_says_what_holds_where_the_caller_says_nothing() {
    let vendor = vendor().await;
    let more = "
routes:
  r: { models: [up/m], task: code, profile: terse }
  long: { models: [up/m], profile: adaptive }
profiles: { terse: { max_tokens: 50, presence_penalty: 0.5 }, balanced: { top_p: 0.8 } }
";
    let house = house(&vendor, more).await;
    for (task, profile, name, expected) in [
        (
            "",
            "",
            Some("code+terse"),
            json!({ "temperature": 0.1, "max_tokens": 1_000, "presence_penalty": 0.5 }),
        ),
        // The caller's task in place of the route's; its profile before the route's task.
        (
            "chat",
            "",
            Some("chat+terse"),
            json!({ "temperature": 0.7, "max_tokens": 500, "presence_penalty": 0.5 }),
        ),
        (
            "",
            "balanced",
            Some("balanced+code"),
            json!({ "temperature": 0.5, "max_tokens": 600, "top_p": 0.8, "frequency_penalty": 0.05 }),
        ),
        (
            "creative",
            "balanced",
            Some("creative+balanced"),
            json!({ "temperature": 0.9, "max_tokens": 800, "top_p": 0.8, "frequency_penalty": 0.05 }),
        ),
        ("", "none", Some("code"), json!({ "temperature": 0.1, "max_tokens": 1_000 })),
        ("none", "none", None, json!({})),
    ] {
        let (seen, said) =
            sent(&house, &vendor, inbound(Dialect::OpenaiChat, &plain("r"), task, profile)).await;
        assert_eq!((parameters(&seen.json()), said.as_deref()), (expected, name), "{task} {profile}");
    }
    // How long the content is, in characters, and what kind of answer the task wants.
    for (task, content, name, expected) in [
        (
            "",
            "short".to_owned(),
            "adaptive",
            json!({ "temperature": 0.3, "max_tokens": 300, "top_p": 0.8, "frequency_penalty": 0.05 }),
        ),
        (
            "",
            "é".repeat(500),
            "adaptive",
            json!({ "temperature": 0.5, "max_tokens": 600, "top_p": 0.8, "frequency_penalty": 0.05 }),
        ),
        (
            "",
            "é".repeat(1_001),
            "adaptive",
            json!({ "temperature": 0.6, "max_tokens": 1_100, "top_p": 0.8, "frequency_penalty": 0.05 }),
        ),
        (
            "code",
            "short".to_owned(),
            "code+adaptive",
            json!({ "temperature": 0.2, "max_tokens": 300, "top_p": 0.8, "frequency_penalty": 0.1 }),
        ),
        (
            "analysis",
            "x".repeat(2_000),
            "analysis+adaptive",
            json!({ "temperature": 0.1, "max_tokens": 1_100, "top_p": 0.85, "frequency_penalty": 0.05 }),
        ),
    ] {
        let body = json!({ "model": "long", "messages": [{ "role": "user", "content": content }] });
        let (seen, said) = sent(&house, &vendor, inbound(Dialect::OpenaiChat, &body, task, "")).await;
        assert_eq!((parameters(&seen.json()), said.as_deref()), (expected, Some(name)));
    }
}

#[tokio::test]
async fn every_provider_is_told_what_it_takes_and_the_row_names_the_rest() {
    use Parameter::{FrequencyPenalty as Frequency, MaxTokens, Temperature, TopP};
    let vendor = vendor().await;
    let house = house(&vendor, "").await;
    let chat = |model: &str| (Dialect::OpenaiChat, plain(model));
    let message = |model: &str, more: Value| {
        let mut body = plain(model);
        body["max_tokens"] = json!(2_000);
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        (Dialect::AnthropicMessages, body)
    };
    let input = |model: &str| (Dialect::OpenaiResponses, json!({ "model": model, "input": "hi" }));
    let mut missing = Vec::new();
    let thinking = json!({ "thinking": { "type": "enabled", "budget_tokens": 1_024 } });
    for ((dialect, body), expected, left_out) in [
        (chat("up/o3-mini"), json!({}), vec![Temperature, MaxTokens, TopP, Frequency]),
        (chat("claude/m"), json!({ "temperature": 0.5, "max_tokens": 600 }), vec![TopP, Frequency]),
        (chat("claude/claude-opus-4-7"), json!({ "max_tokens": 600 }), vec![Temperature, TopP, Frequency]),
        (
            message("claude/m", json!({})),
            json!({ "temperature": 0.5, "max_tokens": 2_000 }),
            vec![TopP, Frequency],
        ),
        (
            message("claude/claude-sonnet-4-5", thinking),
            json!({ "max_tokens": 2_000 }),
            vec![Temperature, TopP, Frequency],
        ),
        (
            message("up/m", json!({})),
            json!({ "temperature": 0.5, "max_tokens": 2_000, "top_p": 0.92, "frequency_penalty": 0.05 }),
            vec![],
        ),
        (
            input("up/m"),
            json!({ "temperature": 0.5, "max_tokens": 600, "top_p": 0.92, "frequency_penalty": 0.05 }),
            vec![],
        ),
        (
            input("x/m"),
            json!({ "temperature": 0.5, "max_output_tokens": 600, "top_p": 0.92 }),
            vec![Frequency],
        ),
        (
            chat("x/m"),
            json!({ "temperature": 0.5, "max_completion_tokens": 600, "top_p": 0.92, "frequency_penalty": 0.05 }),
            vec![],
        ),
        (
            chat("c/m"),
            json!({ "temperature": 0.5, "max_completion_tokens": 600, "top_p": 0.92 }),
            vec![Frequency],
        ),
    ] {
        for streamed in [false, true] {
            // The scripted vendor streams in two dialects only.
            if streamed && dialect == Dialect::OpenaiResponses {
                continue;
            }
            let mut body = body.clone();
            body["stream"] = json!(streamed);
            let (seen, _) = sent(&house, &vendor, inbound(dialect, &body, "", "balanced")).await;
            assert_eq!(parameters(&seen.json()), expected, "{body}");
            missing.push(left_out.clone());
        }
    }
    let (seen, _) =
        sent(&house, &vendor, inbound(Dialect::OpenaiChat, &plain("g/gemini-2.0-flash"), "", "balanced"))
            .await;
    let expected = json!({ "maxOutputTokens": 600, "temperature": 0.5, "topP": 0.92 });
    assert_eq!(seen.json()["generationConfig"], expected);
    let (seen, _) =
        sent(&house, &vendor, inbound(Dialect::OpenaiChat, &plain("g/gemini-2.5-flash"), "", "balanced"))
            .await;
    assert_eq!(seen.json()["generationConfig"], json!({ "temperature": 0.5, "topP": 0.92 }));
    let (seen, _) = sent(
        &house,
        &vendor,
        inbound(Dialect::OpenaiChat, &plain("b/amazon.nova-lite-v1:0"), "", "balanced"),
    )
    .await;
    assert_eq!(seen.json()["inferenceConfig"], json!({ "maxTokens": 600, "temperature": 0.5 }));
    missing.extend([vec![Frequency], vec![MaxTokens, Frequency], vec![TopP, Frequency]]);
    let rows = house.rows().await;
    let told: Vec<_> = rows.into_iter().map(|row| row.profile.unwrap().left_out).collect();
    assert_eq!(told, missing);
}

#[tokio::test]
async fn each_target_of_a_call_gets_its_own() {
    let ill = Vendor::start(Answer::json(500, gpt::error("no", "server_error", None))).await.unwrap();
    let good = vendor().await;
    let providers =
        openai("ill", &ill) + &anthropic("bad", &ill) + &openai("up", &good) + &anthropic("claude", &good);
    let more = "routes: { r: { models: [ill/o3, bad/m, claude/claude-opus-4-7, up/m], profile: balanced, retry: { attempts: 1 } } }";
    let house = House::with(&providers, more).await;
    let body = json!({ "model": "r", "max_tokens": 9, "messages": [{ "role": "user", "content": "hi" }] });
    for dialect in [Dialect::OpenaiChat, Dialect::AnthropicMessages] {
        let (seen, _) = sent(&house, &good, inbound(dialect, &body, "", "")).await;
        let first = parameters(&ill.request().await.json());
        assert_eq!(first.as_object().unwrap().len(), 1, "{first}");
        assert_eq!(parameters(&ill.request().await.json()), json!({ "temperature": 0.5, "max_tokens": 9 }));
        assert_eq!(
            parameters(&seen.json()),
            json!({ "max_tokens": 9 }),
            "nothing is left of the target before"
        );
    }
    let rows = house.rows().await;
    let counts: Vec<_> = rows.iter().map(|row| row.profile.as_ref().unwrap().left_out.len()).collect();
    assert_eq!(counts, [3, 2, 3, 3, 2, 3]);
}

#[tokio::test]
async fn a_name_that_is_not_known_is_refused_with_those_that_are() {
    let vendor = vendor().await;
    let house = house(&vendor, "tasks: { support: { temperature: 0.2 } }").await;
    let refused = async |call: Inbound| house.engine().call(call).await.unwrap_err().fault;
    let fault = refused(inbound(Dialect::OpenaiChat, &plain("up/m"), "suport", "")).await;
    assert_eq!((fault.code, fault.param.as_deref()), (Code::BadField, Some("x-windlass-task")));
    assert_eq!(fault.message, "no task is called `suport`");
    assert_eq!(
        fault.hint.as_deref(),
        Some("did you mean `support`? known: analysis, chat, code, creative, support, none")
    );
    let fault = refused(inbound(Dialect::AnthropicMessages, &json!({ "model": "claude/m", "max_tokens": 5, "messages": [], "metadata": { "windlass": { "profile": "zzz" } } }), "", "")).await;
    assert_eq!(fault.param.as_deref(), Some("metadata.windlass.profile"));
    assert_eq!(
        fault.hint.as_deref(),
        Some("known: balanced, cost_optimized, quality_optimized, speed_optimized, adaptive, none")
    );
    assert_eq!(vendor.connections(), 0);
}

#[tokio::test]
async fn a_step_of_a_chain_says_what_it_is_for() {
    use chain::{Chain, Step};
    let vendor = vendor().await;
    let house = house(&vendor, "").await;
    let chain = Chain::builder("c")
        .model("up/m")
        .step(Step::prompt("a", "write").task("code").profile("speed_optimized").max_tokens(7))
        .build()
        .unwrap();
    let who = engine::Who::default();
    let chain = std::sync::Arc::new(chain);
    let run =
        engine::NewRun { chain, source: None, vars: serde_json::Map::new(), who, trace: None, model: None };
    house.engine().start_run(run).await.unwrap().finished().await.unwrap();
    let expected = json!({ "temperature": 0.1, "max_tokens": 7, "top_p": 0.9, "frequency_penalty": 0.1 });
    assert_eq!(parameters(&vendor.request().await.json()), expected);
}

#[tokio::test]
async fn a_stream_is_committed_with_the_profile_in_its_head() {
    let vendor = vendor().await;
    let house = house(&vendor, "").await;
    let mut body = plain("claude/m");
    body["stream"] = json!(true);
    let relay =
        stream(house.engine().call(inbound(Dialect::OpenaiChat, &body, "creative", "")).await.unwrap());
    assert_eq!(relay.about.profile.as_deref(), Some("creative"));
    assert!(text(relay).await.contains("w1"));
    assert_eq!(parameters(&vendor.request().await.json()), json!({ "temperature": 0.9, "max_tokens": 800 }));
}

#[tokio::test]
async fn what_load_allows_bounds_a_profile_too() {
    let vendor = vendor().await;
    // Whatever level the machine is at.
    let levels = ["low", "medium", "high", "critical"].map(|level| format!("{level}: {{ max_tokens: 9 }}"));
    let more = format!("overload: {{ load: {{ enabled: true, {} }} }}", levels.join(", "));
    let house = house(&vendor, &more).await;
    for (own, expected) in [
        (json!(null), json!({ "temperature": 0.1, "max_tokens": 9 })),
        // The body was made shorter before the parameters were added to it.
        (json!(1_000), json!({ "temperature": 0.1, "max_tokens": 9 })),
        (json!(7), json!({ "temperature": 0.1, "max_tokens": 7 })),
    ] {
        let mut body = plain("up/m");
        body["max_tokens"] = own;
        body["temperature"] = Value::Null;
        let (seen, _) = sent(&house, &vendor, inbound(Dialect::OpenaiChat, &body, "code", "")).await;
        assert_eq!(parameters(&seen.json()), expected);
    }
    // A model that thinks is not bounded by a profile, under load or not.
    let (seen, _) = sent(&house, &vendor, inbound(Dialect::OpenaiChat, &plain("up/o3"), "code", "")).await;
    assert_eq!(parameters(&seen.json()), json!({}));
}

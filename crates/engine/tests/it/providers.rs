//! Providers that do not speak their callers' dialect, by their own paths, keys and signatures.

use serde_json::{Value, json};
use testkit::{Answer, Vendor, openai as gpt};
use types::Code;

use crate::house::{House, chat, message, text, whole};

const GEMINI: &str = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"bonjour"}]},"finishReason":"STOP","index":0}],
    "usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,"thoughtsTokenCount":3,"totalTokenCount":10},
    "modelVersion":"gemini-2.5-flash","responseId":"r1"}"#;
const CONVERSE: &str = r#"{"output":{"message":{"role":"assistant","content":[{"text":"salut"}]}},"stopReason":"end_turn",
    "usage":{"inputTokens":5,"outputTokens":2,"totalTokens":7},"metrics":{"latencyMs":1}}"#;

fn plain(model: &str, stream: bool) -> engine::Inbound {
    let mut inbound = chat(model, stream);
    let body = json!({ "model": model, "stream": stream, "messages": [{ "role": "user", "content": "hi" }] });
    inbound.body = body.to_string().into();
    inbound
}

fn content(body: &[u8]) -> Value {
    let body: Value = serde_json::from_slice(body).unwrap();
    body["choices"][0]["message"]["content"].clone()
}

#[tokio::test]
async fn gemini_is_asked_at_the_models_own_path_with_its_own_key() {
    let vendor = Vendor::start(Answer::json(200, GEMINI)).await.unwrap();
    let provider = format!("  g: {{ kind: gemini, base_url: '{}', api_key: k-1 }}\n", vendor.url("/v1beta"));
    let house = House::with(&provider, "").await;
    let answered = whole(house.engine().call(plain("g/gemini-2.5-flash", false)).await.unwrap());
    assert_eq!(content(&answered.body), "bonjour");
    let seen = vendor.request().await;
    assert_eq!(seen.path, "/v1beta/models/gemini-2.5-flash:generateContent");
    assert_eq!(seen.header("x-goog-api-key"), Some("k-1"));
    let rows = house.rows().await;
    assert_eq!((rows[0].usage.input, rows[0].usage.output, rows[0].usage.reasoning), (5, 5, 3));
}

#[tokio::test]
async fn a_model_that_fails_before_it_says_anything_is_asked_again() {
    let failed = r#"{"candidates":[{"content":{},"finishReason":"MALFORMED_FUNCTION_CALL","index":0}],"usageMetadata":{"promptTokenCount":5}}"#;
    for stream in [false, true] {
        let shaped = |body: &'static str| {
            if stream {
                Answer::events([format!("data: {}\r\n\r\n", body.replace('\n', ""))])
            } else {
                Answer::json(200, body)
            }
        };
        let bad = Vendor::start(shaped(failed)).await.unwrap();
        let good = Vendor::start(shaped(GEMINI)).await.unwrap();
        let provider = |name: &str, vendor: &Vendor| {
            format!("  {name}: {{ kind: gemini, base_url: '{}', api_key: k }}\n", vendor.url("/v1beta"))
        };
        let route = "routes: { r: { models: [bad/m, good/m], retry: { attempts: 2, base: 1ms, max: 2ms } } }";
        let house = House::with(&(provider("bad", &bad) + &provider("good", &good)), route).await;
        let answered = house.engine().call(plain("r", stream)).await.unwrap();
        if stream {
            let said = text(crate::house::stream(answered)).await;
            assert!(said.contains("bonjour"), "{said}");
        } else {
            assert_eq!(content(&whole(answered).body), "bonjour");
        }
        let rows = house.rows().await;
        assert_eq!(rows.iter().map(|row| &*row.provider).collect::<Vec<_>>(), ["bad", "bad", "good"]);
    }
}

#[tokio::test]
async fn a_stream_of_geminis_reaches_an_anthropic_caller_whole() {
    let events = format!("data: {}\r\n\r\n", GEMINI.replace('\n', ""));
    let vendor = Vendor::start(Answer::events([events])).await.unwrap();
    let provider = format!("  g: {{ kind: gemini, base_url: '{}', api_key: k }}\n", vendor.url("/v1beta"));
    let house = House::with(&provider, "").await;
    let relay = crate::house::stream(house.engine().call(message("g/gemini-2.5-flash", true)).await.unwrap());
    let said = text(relay).await;
    assert!(said.contains("bonjour") && said.contains("event: message_stop"), "{said}");
    assert_eq!(vendor.request().await.path, "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse");
}

#[tokio::test]
async fn bedrock_requests_are_signed() {
    let vendor = Vendor::start(Answer::json(200, CONVERSE)).await.unwrap();
    let provider = format!(
        "  b: {{ kind: bedrock, region: us-east-1, base_url: '{}', access_key_id: AKIDEXAMPLE, secret_access_key: s }}\n",
        vendor.url("")
    );
    let house = House::with(&provider, "").await;
    let model = "b/us.anthropic.claude-haiku-4-5-20251001-v1:0";
    let answered = whole(house.engine().call(plain(model, false)).await.unwrap());
    assert_eq!(content(&answered.body), "salut");
    let seen = vendor.request().await;
    assert_eq!(seen.path, "/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse");
    let signature = seen.header("authorization").unwrap();
    assert!(signature.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{signature}");
    assert!(signature.contains("/us-east-1/bedrock/aws4_request"), "{signature}");
}

#[tokio::test]
async fn an_end_marker_alone_is_no_answer() {
    let events = ["data: {}\n\n".to_owned(), "data: [DONE]\n\n".to_owned()];
    let vendor = Vendor::start(Answer::events(events)).await.unwrap();
    let house = House::with(&crate::house::openai("up", &vendor), "").await;
    let refusal = house.engine().call(plain("up/m", true)).await.unwrap_err();
    assert_eq!(refusal.fault.code, Code::BadAnswer);
}

#[tokio::test]
async fn azure_takes_tokens_of_its_token_server_and_keeps_them() {
    // Asked a second time, the token server would refuse.
    let token = Answer::json(200, r#"{"access_token":"t-1","expires_in":3600}"#);
    let server = Vendor::start([token]).await.unwrap();
    let vendor = Vendor::start(Answer::json(200, gpt::chat("ok", 5, 2))).await.unwrap();
    let provider = format!(
        "  a: {{ kind: azure, base_url: '{}', api_version: '2024-10-21', \
         oauth: {{ token_url: '{}', client_id: c, client_secret: s }} }}\n",
        vendor.url(""),
        server.url("/token")
    );
    let house = House::with(&provider, "").await;
    for _ in 0..2 {
        let answered = whole(house.engine().call(plain("a/my-gpt", false)).await.unwrap());
        assert_eq!(content(&answered.body), "ok");
        let seen = vendor.request().await;
        assert_eq!(seen.path, "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21");
        assert_eq!(seen.header("authorization"), Some("Bearer t-1"));
    }
    let asked = server.request().await;
    let form = std::str::from_utf8(&asked.body).unwrap();
    assert!(form.starts_with("grant_type=client_credentials&client_id=c&client_secret=s&scope="), "{form}");
}

#[tokio::test]
async fn what_a_server_refuses_is_named_or_left_out() {
    let vendor = Vendor::start(Answer::json(200, gpt::chat("ok", 5, 2))).await.unwrap();
    let provider = format!("  m: {{ kind: mistral, base_url: '{}', api_key: k }}\n", vendor.url("/v1"));
    let routes = "routes: { loose: { models: [m/mistral-small], unsupported: drop } }";
    let house = House::with(&provider, routes).await;
    let ask = |model: &str| {
        let mut inbound = plain(model, false);
        let body = json!({
            "model": model, "messages": [{ "role": "user", "content": "hi" }],
            "logit_bias": { "5": 1 }, "seed": 7, "max_completion_tokens": 9,
        });
        inbound.body = body.to_string().into();
        inbound
    };
    let refusal = house.engine().call(ask("m/mistral-small")).await.unwrap_err();
    assert_eq!((refusal.fault.code, refusal.fault.param.as_deref()), (Code::Unsupported, Some("logit_bias")));
    let answered = whole(house.engine().call(ask("loose")).await.unwrap());
    assert_eq!(answered.about.dropped, ["logit_bias"]);
    let sent: Value = serde_json::from_slice(&vendor.request().await.body).unwrap();
    assert_eq!((&sent["random_seed"], &sent["max_tokens"]), (&json!(7), &json!(9)));
    assert!(sent.get("logit_bias").is_none());
}

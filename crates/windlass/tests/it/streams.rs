//! Streams that do not go well: whoever ends one early, the caller is never shown a part as the whole, the
//! provider is let go, and the ledger says what happened.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Answer, Gate, Vendor, anthropic, openai};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::client::Ask;
use crate::house::{Gateway, House, soon};

/// From the caller's hanging up to the provider's noticing it: the quickest of a few, as a machine that does much else
/// may hold any one of them up. Where we waited for anything, all of them would take as long.
const PROMPTLY: Duration = Duration::from_millis(100);
const A_FEW: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Openai,
    Anthropic,
}

const DIALECTS: [Dialect; 2] = [Dialect::Openai, Dialect::Anthropic];

impl Dialect {
    /// A call of `vendor/scripted`.
    fn ask(self, stream: bool) -> Ask {
        self.ask_for("vendor/scripted", stream)
    }

    fn ask_for(self, model: &str, stream: bool) -> Ask {
        let messages = json!([{ "role": "user", "content": "count" }]);
        let body = json!({ "model": model, "max_tokens": 100, "stream": stream, "messages": messages });
        Ask::post(if self == Self::Openai { "/v1/chat/completions" } else { "/v1/messages" }, &body)
    }

    /// A provider of this dialect.
    fn house(self, vendor: &Vendor, more: &str) -> House {
        let provider = match self {
            Self::Openai => format!("{{ kind: openai, base_url: '{}' }}", vendor.url("/v1")),
            Self::Anthropic => format!("{{ kind: anthropic, base_url: '{}' }}", vendor.url("")),
        };
        House::new(&format!("version: 1\nproviders: {{ vendor: {provider} }}\n{more}"))
    }

    /// A stream of so many words.
    fn events(self, words: u64) -> Vec<String> {
        match self {
            Self::Openai => openai::chat_stream(words, 9),
            Self::Anthropic => anthropic::message_stream(words, 9),
        }
    }

    /// Its beginning: all before its second word.
    fn beginning(self) -> Vec<String> {
        self.events(5).into_iter().take_while(|event| !event.contains("w1 ")).collect()
    }

    /// What follows its beginning, up to its end.
    fn ending(self) -> Vec<String> {
        self.events(5).into_iter().skip_while(|event| !event.contains("w1 ")).collect()
    }

    /// What a caller reads at the end of a whole answer.
    const fn end_mark(self) -> &'static str {
        match self {
            Self::Openai => "[DONE]",
            Self::Anthropic => "message_stop",
        }
    }

    /// The error in the last event of a stream, in this dialect's own shape.
    fn error(self, text: &str) -> Value {
        let last = text.trim_end().rsplit("\n\n").next().unwrap();
        if self == Self::Anthropic {
            assert!(last.starts_with("event: error\n"), "{text}");
        }
        let data = last.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(data.get("type"), (self == Self::Anthropic).then_some(&json!("error")), "{text}");
        data["error"].clone()
    }
}

#[tokio::test]
async fn a_caller_that_hangs_up_cancels_the_providers_work() {
    for (caller, provider) in pairs() {
        let vendor = Vendor::start(Answer::events(provider.beginning()).stalls()).await.unwrap();
        let house = provider.house(&vendor, "");
        let gateway = house.serve().await;
        let mut quickest = Duration::MAX;
        for _ in 0..A_FEW {
            let mut stream = gateway.open(caller.ask(true)).await;
            let call = stream.header("x-windlass-call").unwrap().to_owned();
            stream.until("w0").await;
            drop(stream);
            let hung_up = Instant::now();
            let closed = soon("the end of the provider's connection", vendor.closed()).await;
            assert!(closed.during_answer, "{caller:?} {provider:?}");
            quickest = quickest.min(closed.at - hung_up);
            let row = gateway.rows(&call, 1).await.remove(0);
            assert_eq!(row["outcome"], "hung_up", "{row:#}");
            assert!(row["usage"]["input"].as_u64().unwrap() > 0, "{row:#}");
            assert!(row["usage"]["output"].as_u64().unwrap() > 0, "what was delivered is accounted: {row:#}");
            assert_eq!(row["usage_source"], "estimated", "{row:#}");
        }
        assert!(quickest < PROMPTLY, "{caller:?} {provider:?}: {quickest:?}");
    }
}

#[tokio::test]
async fn a_caller_that_hangs_up_before_the_answer_cancels_it_too() {
    for stream in [true, false] {
        let vendor = Vendor::start(Answer::silent()).await.unwrap();
        let house = Dialect::Openai.house(&vendor, "");
        let gateway = house.serve().await;
        let ask = Dialect::Openai.ask(stream);
        let mut quickest = Duration::MAX;
        for _ in 0..A_FEW {
            let mut waiting = Box::pin(ask.open(gateway.address));
            tokio::select! {
                _ = &mut waiting => panic!("there is nothing to answer with"),
                _ = soon("the request", vendor.request()) => {}
            }
            drop(waiting);
            let hung_up = Instant::now();
            let closed = soon("the end of the provider's connection", vendor.closed()).await;
            quickest = quickest.min(closed.at - hung_up);
        }
        assert!(quickest < PROMPTLY, "stream: {stream}, {quickest:?}");
        gateway.stop().await;
        let rows = house.ledger().await;
        assert_eq!(rows.len(), A_FEW, "{rows:#?}");
        assert!(rows.iter().all(|row| row["outcome"] == "hung_up"), "{rows:#?}");
    }
}

/// Every caller's dialect with every provider's.
fn pairs() -> impl Iterator<Item = (Dialect, Dialect)> {
    DIALECTS.into_iter().flat_map(|caller| DIALECTS.map(|provider| (caller, provider)))
}

#[tokio::test]
async fn a_broken_stream_is_never_shown_as_whole() {
    let timeouts = "defaults: { timeouts: { idle: 150ms } }\n";
    for (caller, provider) in pairs() {
        let begun = || Answer::events(provider.beginning());
        for (answer, code, outcome) in [
            (begun().cut(), "WL4005", "cut"),
            (begun().reset(), "WL4005", "cut"),
            // The transfer ends as HTTP should, the stream does not end as its dialect should.
            (begun(), "WL4005", "cut"),
            (begun().stalls(), "WL4006", "stalled"),
        ] {
            let vendor = Vendor::start(answer).await.unwrap();
            let house = provider.house(&vendor, timeouts);
            let gateway = house.serve().await;
            let reply = gateway.ask(caller.ask(true)).await;
            let (call, text) = (reply.header("x-windlass-call").unwrap().to_owned(), reply.text());
            let about = format!("{caller:?} {provider:?} {code}: {text}");
            assert_eq!(reply.status, 200, "{about}");
            assert!(text.contains("w0") && !text.contains(caller.end_mark()), "{about}");
            let error = caller.error(&text);
            assert_eq!((&error["code"], &error["call"]), (&json!(code), &json!(call)), "{about}");
            let row = gateway.rows(&call, 1).await.remove(0);
            assert_eq!((&row["outcome"], &row["code"]), (&json!(outcome), &json!(code)), "{row:#}");
            assert!(row["usage"]["output"].as_u64().unwrap() > 0, "{row:#}");
        }
    }
}

#[tokio::test]
async fn told_to_stop_it_lets_a_stream_finish_and_takes_no_new_call() {
    for (caller, provider) in pairs() {
        let gate = Gate::new();
        let begun = Answer::events(provider.beginning()).gate(&gate);
        let vendor = Vendor::start(provider.ending().into_iter().fold(begun, Answer::piece)).await.unwrap();
        let house = provider.house(&vendor, "");
        let gateway = house.serve().await;
        let mut stream = gateway.open(caller.ask(true)).await;
        stream.until("w0").await;
        gateway.tell_to_stop().await;
        gateway.logged("\"stopping\"", 0).await;
        let refused = TcpStream::connect(gateway.address).await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        gate.open();
        let rest = soon("the rest of the stream", stream.whole()).await.unwrap().text();
        assert!(rest.contains("w4") && rest.contains(caller.end_mark()), "{caller:?} {provider:?}: {rest}");
        assert!(gateway.ended().await.success());
        let rows = house.ledger().await;
        assert_eq!((rows.len(), &rows[0]["outcome"]), (1, &json!("complete")), "{rows:#?}");
        assert_eq!(rows[0]["usage"], json!({ "input": 9, "output": 5 }), "{rows:#?}");
    }
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_told_so_and_has_its_row() {
    for (caller, provider) in pairs() {
        let vendor = Vendor::start(testkit::Script::by(move |request| match request.json()["stream"] {
            Value::Bool(true) => Answer::events(provider.beginning()).stalls(),
            _ => Answer::silent(),
        }));
        let vendor = vendor.await.unwrap();
        let house = provider.house(&vendor, "server: { drain: 200ms }\n");
        let gateway = house.serve().await;
        let mut stream = gateway.open(caller.ask(true)).await;
        stream.until("w0").await;
        let ask = caller.ask(false);
        let mut plain = Box::pin(ask.send(gateway.address));
        tokio::select! {
            _ = &mut plain => panic!("there is nothing to answer with"),
            () = async { for _ in 0..2 { soon("a request", vendor.request()).await; } } => {}
        }
        gateway.tell_to_stop().await;
        let reply = soon("the plain call's answer", plain).await.unwrap();
        let status = if caller == Dialect::Anthropic { 529 } else { 503 };
        assert_eq!((reply.status, reply.code().as_str()), (status, "WL3004"), "{}", reply.text());
        let call = stream.header("x-windlass-call").unwrap().to_owned();
        let text = soon("the stream's end", stream.whole()).await.unwrap().text();
        assert!(
            !text.contains(caller.end_mark()),
            "what was cut off must not end as if it were whole: {text}"
        );
        let error = caller.error(&text);
        assert_eq!((&error["code"], &error["call"]), (&json!("WL3004"), &json!(call)), "{text}");
        gateway.logged("(the process", 0).await;
        let mut logged: Vec<Value> = Vec::new();
        for line in gateway.log().lines().filter(|line| line.contains("\"call failed\"")) {
            logged.push(serde_json::from_str(line).unwrap());
        }
        assert_eq!(logged.len(), 2, "{}", gateway.log());
        assert!(gateway.ended().await.success());
        let rows = house.ledger().await;
        let outcomes: Vec<_> = rows.iter().map(|row| row["outcome"].as_str().unwrap()).collect();
        assert_eq!(outcomes, ["stopped", "stopped"], "{rows:#?}");
        assert!(rows.iter().all(|row| row["code"] == "WL3004"), "{rows:#?}");
        for line in logged {
            assert_eq!((&line["outcome"], &line["code"]), (&json!("stopped"), &json!("WL3004")), "{line:#}");
            let row = rows.iter().find(|row| row["call"] == line["call"]).unwrap();
            // No price is known of the model, and none is told.
            assert_eq!((line.get("cost_usd"), &row["cost"]), (None, &Value::Null), "{line:#}");
        }
    }
}

#[tokio::test]
async fn balancers_are_told_before_it_listens_no_more() {
    let vendor = Vendor::start(Answer::json(200, openai::chat("here", 3, 1))).await.unwrap();
    let house = Dialect::Openai.house(&vendor, "server: { drain: 10m }\n");
    let mut command = house.command(&["serve", "--listen", "127.0.0.1:0"]);
    let gateway = Gateway::start({
        command.env("WINDLASS__SERVER__DRAIN_NOTICE", "10m");
        command
    })
    .await;
    assert_eq!(gateway.ask(Ask::get("/readyz")).await.status, 200);
    gateway.tell_to_stop().await;
    gateway.logged("leaving", 0).await;
    let ready = gateway.ask(Ask::get("/readyz")).await;
    assert_eq!((ready.status, &ready.json()["code"]), (503, &json!("WL3004")), "{}", ready.text());
    assert!(ready.json()["reason"].as_str().unwrap().contains("stopping"), "{}", ready.text());
    assert_eq!(gateway.ask(Ask::get("/livez")).await.status, 200);
    let refused = gateway.ask(Dialect::Openai.ask(false)).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "WL3004"), "{}", refused.text());
    // Told again, it does not wait.
    gateway.stop().await;
}

/// Two providers behind one route: what the first does wrong, the second makes good.
async fn route(first: &Vendor, second: &Vendor) -> (House, Gateway) {
    let house = House::new(&format!(
        "version: 1
providers:
  first: {{ kind: openai, base_url: '{}', models: [a] }}
  second: {{ kind: anthropic, base_url: '{}', models: [b] }}
routes:
  both:
    models: [first/a, second/b]
    retry: {{ attempts: 1 }}
    timeouts: {{ idle: 300ms }}
",
        first.url("/v1"),
        second.url("")
    ));
    let gateway = house.serve().await;
    (house, gateway)
}

#[tokio::test]
async fn a_failure_before_the_first_content_is_not_seen() {
    let empty = || Answer::events(Dialect::Openai.events(5).into_iter().take(1));
    let failing = json!({ "error": { "message": "later", "type": "server_error" } });
    for (name, answer) in [
        ("an error status", Answer::json(500, openai::error("no", "server_error", None))),
        ("no answer", Answer::closed()),
        ("a reset", Answer::resets()),
        ("cut before any content", empty().cut()),
        ("an error event before any content", empty().piece(format!("data: {failing}\n\n"))),
        ("not a stream", Answer::json(200, openai::chat("whole", 1, 1))),
        ("not HTTP", Answer::raw("hello\r\n\r\n")),
    ] {
        for caller in DIALECTS {
            let first = Vendor::start(answer.clone()).await.unwrap();
            let second = Vendor::start(Answer::events(Dialect::Anthropic.events(3))).await.unwrap();
            let (_house, gateway) = route(&first, &second).await;
            let reply = gateway.ask(caller.ask_for("both", true)).await;
            let text = reply.text();
            assert_eq!(reply.status, 200, "{name}: {text}");
            assert!(!text.contains("error") && text.contains(caller.end_mark()), "{name}: {text}");
            assert_eq!(text.matches("w0 ").count(), 1, "{name}: {text}");
            assert_eq!(reply.header("x-windlass-provider"), Some("second"), "{name}");
            assert_eq!(reply.header("x-windlass-fallback"), Some("true"), "{name}");
            assert_eq!(reply.header("x-windlass-attempts"), Some("2"), "{name}");
            let rows = gateway.rows(reply.header("x-windlass-call").unwrap(), 2).await;
            let outcomes: Vec<_> = rows.iter().map(|row| row["outcome"].as_str().unwrap()).collect();
            assert_eq!(outcomes, ["failed", "complete"], "{name}: {rows:#?}");
            assert_eq!((&rows[1]["fallback"], &rows[1]["asked"]), (&json!(true), &json!("both")));
        }
    }
}

#[tokio::test]
async fn a_provider_that_says_when_to_come_back_is_believed() {
    let busy = Answer::json(429, openai::error("slow down", "rate_limit_error", None));
    let well = Answer::json(200, openai::chat("here", 3, 1));
    let script = [busy.clone().header("retry-after", "1"), well];
    let vendor = Vendor::start(script).await.unwrap();
    let house = Dialect::Openai.house(&vendor, "defaults: { retry: { attempts: 2, base: 1ms } }\n");
    let gateway = house.serve().await;
    let reply = gateway.ask(Dialect::Openai.ask(false)).await;
    assert_eq!((reply.status, reply.header("x-windlass-attempts")), (200, Some("2")), "{}", reply.text());
    let (first, second) = (vendor.request().await, vendor.request().await);
    assert!(second.at - first.at >= Duration::from_secs(1), "{:?}", second.at - first.at);

    // A wait that nobody has time for is the caller's to take.
    for caller in DIALECTS {
        let vendor = Vendor::start(busy.clone().header("retry-after", "33")).await.unwrap();
        let house = Dialect::Openai.house(&vendor, "");
        let gateway = house.serve().await;
        let reply = gateway.ask(caller.ask(false)).await;
        assert_eq!((reply.status, reply.code().as_str()), (429, "WL3001"), "{}", reply.text());
        assert_eq!(reply.header("retry-after"), Some("33"));
        assert_eq!(gateway.rows(reply.header("x-windlass-call").unwrap(), 1).await[0]["outcome"], "failed");
    }
}

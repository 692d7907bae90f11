//! What is seen of a call from outside: the trace that it belongs to, metrics, the log; and what must not be.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use serde_json::{Value, json};
use testkit::{Answer, Vendor, openai};
use tokio::net::{TcpListener, TcpStream};

use crate::client::Ask;
use crate::house::{Gateway, House, said, soon};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";
const SECRET: &str = "nobody may read this";

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|bytes| bytes == part)
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[tokio::test]
async fn a_call_goes_on_with_its_callers_trace() {
    let vendor = Vendor::start(Answer::json(200, openai::chat(SECRET, 5, 2))).await.unwrap();
    let collector = Vendor::start(Answer::json(200, "{}")).await.unwrap();
    let house = House::before(
        &vendor,
        &format!("telemetry: {{ otlp: '{}', sample: 0, log_level: trace }}\n", collector.url("")),
    );
    let gateway = house.serve().await;
    let body = json!({ "model": "vendor/m", "messages": [{ "role": "user", "content": SECRET }] });
    let ask = Ask::post("/v1/chat/completions", &body);
    let reply = gateway.ask(ask.clone().header("traceparent", format!("00-{TRACE}-{SPAN}-01"))).await;
    assert_eq!(reply.status, 200, "{}", reply.text());

    // The provider is a child of ours, in the caller's trace, and sampled as the caller wants it.
    let request = soon("the provider's request", vendor.request()).await;
    let sent = request.header("traceparent").unwrap();
    let parts: Vec<_> = sent.split('-').collect();
    assert_eq!((parts[0], parts[1], parts[3]), ("00", TRACE, "01"), "{sent}");
    assert!(parts[2] != SPAN && parts[2].len() == 16, "{sent}");

    // The collector gets both spans: the call under the caller's, the attempt with the name that was sent.
    let export = soon("the spans", collector.request()).await;
    assert_eq!((export.method.as_str(), export.path.as_str()), ("POST", "/v1/traces"));
    assert_eq!(export.header("content-type"), Some("application/x-protobuf"));
    for (what, bytes) in [("trace", hex(TRACE)), ("caller's span", hex(SPAN)), ("attempt", hex(parts[2]))] {
        assert!(contains(&export.body, &bytes), "the {what} is not among the spans");
    }
    for word in ["gen_ai.request.model", "gen_ai.usage.input_tokens", "windlass"] {
        assert!(contains(&export.body, word.as_bytes()), "{word} is not among the attributes");
    }
    assert!(!contains(&export.body, SECRET.as_bytes()), "what was said is nobody's business");

    let row = gateway.rows(reply.header("x-windlass-call").unwrap(), 1).await.remove(0);
    assert_eq!(row["trace"], TRACE, "{row:#}");
    assert!(gateway.log().contains(TRACE), "{}", gateway.log());

    // Who asks for no trace gets none of ours where nothing is sampled, and its own goes on unsampled.
    gateway.ask(ask.clone()).await;
    let alone = soon("the provider's request", vendor.request()).await;
    assert!(alone.header("traceparent").unwrap().ends_with("-00"), "{alone:?}");
    gateway.ask(ask.header("traceparent", format!("00-{TRACE}-{SPAN}-00"))).await;
    let unsampled = soon("the provider's request", vendor.request()).await;
    let sent = unsampled.header("traceparent").unwrap();
    assert!(sent.contains(TRACE) && sent.ends_with("-00"), "{sent}");
    let log = gateway.log();
    assert!(!log.contains(SECRET), "{log}");
    gateway.stop().await;
}

#[tokio::test]
async fn vendors_data_about_the_trace_goes_on_and_the_applications_where_that_is_wanted() {
    for (setting, passed) in [("", None), ("telemetry: { pass_baggage: true }\n", Some("user=ann,cart=7"))] {
        let vendor = Vendor::start(Answer::json(200, openai::chat("x", 5, 2))).await.unwrap();
        let house = House::before(&vendor, setting);
        let gateway = house.serve().await;
        let body = json!({ "model": "vendor/m", "messages": [{ "role": "user", "content": "x" }] });
        for path in ["/v1/chat/completions", "/v1/messages"] {
            let mut body = body.clone();
            body["max_tokens"] = json!(5);
            let ask = Ask::post(path, &body)
                .header("tracestate", "one=1")
                .header("tracestate", "two=2")
                .header("baggage", "user=ann,cart=7");
            gateway.ask(ask.clone().header("traceparent", format!("00-{TRACE}-{SPAN}-01"))).await;
            let sent = soon("the provider's request", vendor.request()).await;
            assert_eq!(sent.header("tracestate"), Some("one=1,two=2"), "{path}");
            assert_eq!(sent.header("baggage"), passed, "{path}");
            // Without a trace that is valid it says nothing.
            gateway.ask(ask.header("traceparent", "00-nonsense")).await;
            let sent = soon("the provider's request", vendor.request()).await;
            assert_eq!(sent.header("tracestate"), None, "{path}");
        }
        gateway.stop().await;
    }
}

/// TLS in front of what listens at `to`, with a certificate for `localhost`; its port, and the certificate in PEM.
async fn tls(to: SocketAddr) -> (u16, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.unwrap().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key);
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config.unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // Whoever does not trust the certificate goes away.
                let Ok(mut plain) = acceptor.accept(stream).await else { return };
                let mut behind = TcpStream::connect(to).await.unwrap();
                let _ended = tokio::io::copy_bidirectional(&mut plain, &mut behind).await;
            });
        }
    });
    let body = base64::engine::general_purpose::STANDARD.encode(made.cert.der());
    (port, format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"))
}

#[tokio::test]
async fn a_collector_behind_tls_gets_spans_if_its_certificate_is_trusted() {
    let collector = Vendor::start(Answer::json(200, "{}")).await.unwrap();
    let to = collector.url("").trim_start_matches("http://").parse().unwrap();
    let (port, pem) = tls(to).await;
    let house = House::new(&format!(
        "version: 1
providers: {{ demo: {{ kind: simulated, models: {{ talker: {{}} }} }} }}
telemetry: {{ otlp: 'https://localhost:{port}', sample: 1 }}
"
    ));
    house.write("collector.pem", &pem);
    let messages = json!([{ "role": "user", "content": "hello" }]);
    let ask = Ask::post("/v1/chat/completions", &json!({ "model": "demo/talker", "messages": messages }));
    for trusted in [false, true] {
        let mut command = house.command(&["serve", "--listen", "127.0.0.1:0"]);
        if trusted {
            command.env("OTEL_EXPORTER_OTLP_CERTIFICATE", house.path("collector.pem"));
        }
        let gateway = Gateway::start(command).await;
        assert_eq!(gateway.ask(ask.clone()).await.status, 200);
        if trusted {
            let export = soon("the spans", collector.request()).await;
            assert_eq!((export.method.as_str(), export.path.as_str()), ("POST", "/v1/traces"));
            assert!(contains(&export.body, b"gen_ai.request.model"));
        } else {
            gateway.logged("collector", 0).await;
            assert_eq!(collector.connections(), 0, "nothing is told to whom nobody vouches for");
        }
        gateway.stop().await;
    }
    house.write("collector.pem", "nothing");
    let mut command = house.command(&["serve", "--listen", "127.0.0.1:0"]);
    let said = said({
        command.env("OTEL_EXPORTER_OTLP_CERTIFICATE", house.path("collector.pem"));
        command
    });
    let said = said.await;
    assert!(said.code != 0 && said.err.contains("collector.pem"), "{said:?}");
}

#[tokio::test]
async fn a_collector_that_is_away_is_no_callers_trouble() {
    let house = House::new(
        "version: 1
providers: { demo: { kind: simulated, models: { talker: {} } } }
telemetry: { otlp: 'http://127.0.0.1:9', sample: 1 }
",
    );
    let gateway = house.serve().await;
    let messages = json!([{ "role": "user", "content": "hello" }]);
    for _ in 0..20 {
        let ask = Ask::post("/v1/chat/completions", &json!({ "model": "demo/talker", "messages": messages }));
        assert_eq!(gateway.ask(ask).await.status, 200);
    }
    gateway.stop().await;
    assert_eq!(house.ledger().await.len(), 20);
}

#[tokio::test]
async fn health_metrics_and_log_say_what_goes_on() {
    let house = House::new(
        "version: 1
providers: { demo: { kind: simulated, models: { talker: { price: { input: 1, output: 2 } } } } }
telemetry: { log_level: debug }
",
    );
    let gateway = house.serve().await;
    for path in ["/healthz", "/livez", "/readyz"] {
        assert_eq!(gateway.ask(Ask::get(path)).await.status, 200, "{path}");
    }
    let mark = gateway.mark();
    let body = json!({ "model": "demo/talker", "messages": [{ "role": "user", "content": SECRET }] });
    let reply = gateway.ask(Ask::post("/v1/chat/completions", &body)).await;
    assert_eq!(reply.header("x-windlass-simulated"), Some("true"));
    let cost = reply.header("x-windlass-cost").unwrap().to_owned();
    let call = reply.header("x-windlass-call").unwrap().to_owned();
    let line: Value = serde_json::from_str(&gateway.logged("call answered", mark).await).unwrap();
    assert_eq!((&line["call"], &line["asked"]), (&json!(call), &json!("demo/talker")), "{line:#}");
    assert!(line["trace_id"].is_string() || line["trace"].is_string(), "{line:#}");
    let row = gateway.rows(&call, 1).await.remove(0);
    assert_eq!(row["cost"], json!(cost), "{row:#}");
    let metrics = gateway.ask(Ask::get("/metrics")).await;
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain"), "{metrics:?}");
    let text = metrics.text();
    assert!(text.lines().any(|line| line.contains("model=\"talker\"") && line.ends_with(" 1")), "{text}");
    assert!(!text.contains(SECRET) && !gateway.log().contains(SECRET));
    gateway.stop().await;
}

//! Spans, as a collector receives them.

use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::Status;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use telemetry::Metrics;
use telemetry::log::{Level, Style, subscriber};
use telemetry::metrics::{Build, RunEnd, RunStatus};
use telemetry::trace::{
    Attempt, CallSpan, Context, Exporter, FlushTimeout, RunSpan, Server, Settings, SpanId, StepSpan,
};
use types::ledger::{Outcome, Row};
use types::{AttemptKey, Code, Dialect, Kind, Money, Usage};

use crate::collector::{Collector, attributes};
use crate::sample;

const SOON: Duration = Duration::from_secs(20);

fn metrics() -> Metrics {
    Metrics::new(Build { version: "1.2.3", commit: None, started: sample::AT })
}

fn started(collector: &Collector, sample: f64, metrics: &Metrics) -> Exporter {
    let settings = Settings { otlp: Some(collector.address.clone()), sample };
    Exporter::start(&settings, "1.2.3", metrics).unwrap()
}

/// A call with a rate-limited attempt and a good one.
fn attempts() -> [Row; 2] {
    let retry = Row {
        key: AttemptKey { call: sample::call(), attempt: 2 },
        model: "gpt-5".into(),
        fallback: true,
        ..sample::complete()
    };
    [sample::limited(), retry]
}

fn call<'a>(context: Context, attempts: &'a [Attempt<'a>]) -> CallSpan<'a> {
    CallSpan {
        context,
        call: sample::call(),
        dialect: Dialect::OpenaiChat,
        asked: "smart",
        start: sample::AT,
        duration: Duration::from_millis(190),
        outcome: Outcome::Complete,
        fault: None,
        attempts,
    }
}

fn bare(row: &Row) -> Attempt<'_> {
    Attempt { row, response_model: None, finish: None, server: None }
}

#[tokio::test]
async fn a_call_arrives_with_its_attempts() {
    let mut collector = Collector::start(&[]).await;
    let metrics = metrics();
    let exporter = started(&collector, 0.0, &metrics);
    let caller = Context::parse(format!("00-{}-b7ad6b7169203331-01", sample::trace()).as_bytes()).unwrap();
    let rows = attempts();
    let answer = Attempt {
        row: &rows[1],
        response_model: Some("gpt-5-2025-08-07"),
        finish: Some("stop"),
        server: Some(Server { address: "api.openai.com", port: 443 }),
    };
    exporter.call(&call(caller, &[bare(&rows[0]), answer]));
    exporter.shutdown(SOON).await.unwrap();

    let spans = collector.spans();
    assert_eq!(spans.len(), 3);
    let (whole, first, second) = (&spans["chat smart"], &spans["chat gpt-5-mini"], &spans["chat gpt-5"]);
    for span in spans.values() {
        assert_eq!(span.trace_id, sample::trace().to_bytes());
    }
    let id = SpanId::from(sample::call());
    assert_eq!(whole.parent_span_id, [0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31]);
    assert_eq!(whole.span_id, id.to_bytes());
    assert_eq!(
        (first.parent_span_id.as_slice(), second.parent_span_id.as_slice()),
        (&id.to_bytes()[..], &id.to_bytes()[..])
    );
    assert_eq!(first.span_id, id.child(1).to_bytes());
    assert_eq!(second.span_id, id.child(2).to_bytes());
    assert_eq!((whole.kind(), first.kind()), (SpanKind::Server, SpanKind::Client));
    assert_eq!(whole.end_time_unix_nano - whole.start_time_unix_nano, 190_000_000);
    assert_eq!(whole.start_time_unix_nano, 1_767_225_600_000_000_000);

    assert_eq!(first.status.as_ref().unwrap().code(), StatusCode::Error);
    assert_eq!(second.status.as_ref().map_or(StatusCode::Unset, Status::code), StatusCode::Unset);
    let of = attributes(&first.attributes);
    assert_eq!(of["error.type"], "rate_limit");
    assert_eq!(of["windlass.code"], "WL3001");
    assert_eq!(of["http.response.status_code"], "429");
    assert!(!of.contains_key("gen_ai.usage.input_tokens") && !of.contains_key("windlass.cost_usd"));

    let of = attributes(&second.attributes);
    for (name, value) in [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.request.model", "gpt-5"),
        ("gen_ai.response.model", "gpt-5-2025-08-07"),
        ("gen_ai.response.finish_reasons", "[stop]"),
        ("gen_ai.response.time_to_first_chunk", "0.05"),
        ("gen_ai.usage.input_tokens", "100"),
        ("gen_ai.usage.output_tokens", "11"),
        ("gen_ai.usage.cache_read.input_tokens", "60"),
        ("gen_ai.usage.reasoning.output_tokens", "4"),
        ("server.address", "api.openai.com"),
        ("server.port", "443"),
        ("windlass.cost_usd", "0.000047"),
        ("windlass.attempt", "2"),
        ("windlass.outcome", "complete"),
        ("windlass.fallback", "true"),
        ("windlass.connect_seconds", "0.007"),
    ] {
        assert_eq!(of.get(name).map(String::as_str), Some(value), "{name}");
    }
    let of = attributes(&whole.attributes);
    assert_eq!(of["gen_ai.request.model"], "smart");
    assert_eq!(of["gen_ai.response.model"], "gpt-5-2025-08-07");
    assert_eq!((of["windlass.attempts"].as_str(), of["retry.attempts"].as_str()), ("2", "1"));
    assert_eq!((of["windlass.caller"].as_str(), of["windlass.tenant"].as_str()), ("ci", "acme"));
    assert_eq!(of["windlass.cost_usd"], "0.000047");
    // Who adds up a trace counts tokens once; and a person's name stays here.
    assert!(!of.contains_key("gen_ai.usage.input_tokens"));
    assert!(!format!("{spans:?}").contains("someone@example.com"));
    assert!(metrics.render().contains("\nwindlass_trace_spans_exported_total 3\n"));
}

#[tokio::test]
async fn a_run_arrives_with_its_steps_and_their_calls() {
    let mut collector = Collector::start(&[]).await;
    let metrics = metrics();
    let exporter = started(&collector, 1.0, &metrics);
    let context = Context::root(sample::run().into());
    let run = SpanId::from(sample::run());
    let row = sample::complete();
    exporter.call(&call(context.under(run.child(4)), &[bare(&row)]));
    exporter.step(&StepSpan {
        context,
        run: sample::run(),
        index: 4,
        step: "draft",
        start: sample::AT,
        duration: Duration::from_millis(200),
        status: RunStatus::Failed,
        fault: Some((Kind::InvalidResponse, Code::BadOutput)),
    });
    exporter.run(&RunSpan {
        context,
        run: sample::run(),
        chain: "summary",
        start: sample::AT,
        end: RunEnd {
            status: RunStatus::Failed,
            fault: Some(Kind::InvalidResponse),
            duration: Duration::from_millis(201),
            cost: Some(Money::from_pico(47_000_000)),
            usage: Usage::plain(100, 11),
            steps: 1,
        },
        code: Some(Code::StepFailed),
    });
    exporter.shutdown(SOON).await.unwrap();

    let spans = collector.spans();
    let (whole, step, call) = (&spans["chain.summary"], &spans["step.draft"], &spans["chat smart"]);
    assert!(whole.parent_span_id.is_empty(), "a root has no parent");
    assert_eq!(step.parent_span_id, whole.span_id);
    assert_eq!(call.parent_span_id, step.span_id);
    assert_eq!(spans["chat gpt-5-mini"].parent_span_id, call.span_id);
    assert_eq!(whole.trace_id, types::TraceId::from(sample::run()).to_bytes());
    let of = attributes(&whole.attributes);
    assert_eq!(of["gen_ai.operation.name"], "invoke_workflow");
    assert_eq!(of["gen_ai.workflow.name"], "summary");
    assert_eq!(of["chain.id"], sample::run().to_string());
    assert_eq!((of["chain.status"].as_str(), of["chain.total_tokens"].as_str()), ("failed", "111"));
    assert_eq!(of["windlass.code"], "WL5005");
    let of = attributes(&step.attributes);
    assert_eq!((of["step.name"].as_str(), of["step.status"].as_str()), ("draft", "failed"));
    assert_eq!(of["error.type"], "invalid_response");
}

#[tokio::test]
async fn an_attempt_may_come_before_its_call() {
    let mut collector = Collector::start(&[]).await;
    let metrics = metrics();
    let exporter = started(&collector, 1.0, &metrics);
    let context = Context::root(sample::trace());
    let row = Row { outcome: Outcome::HungUp, fault: None, code: None, ..sample::complete() };
    exporter.attempt(&context, &bare(&row));
    let end = CallSpan { outcome: Outcome::HungUp, ..call(context, &[]) };
    exporter.call(&end);
    exporter.shutdown(SOON).await.unwrap();

    let spans = collector.spans();
    assert_eq!(spans.len(), 2);
    assert_eq!(spans["chat gpt-5-mini"].parent_span_id, spans["chat smart"].span_id);
    assert_eq!(attributes(&spans["chat gpt-5-mini"].attributes)["error.type"], "hung_up");
}

#[tokio::test]
async fn resource_names_the_service() {
    let mut collector = Collector::start(&[]).await;
    let metrics = metrics();
    let exporter = started(&collector, 1.0, &metrics);
    exporter.call(&call(Context::root(sample::trace()), &[]));
    exporter.shutdown(SOON).await.unwrap();
    let request = collector.next().await;
    let of = attributes(&request.resource_spans[0].resource.as_ref().unwrap().attributes);
    assert_eq!(of["service.name"], "windlass");
    assert_eq!(of["service.version"], "1.2.3");
}

#[tokio::test]
async fn what_is_not_sampled_is_not_sent() {
    let mut collector = Collector::start(&[]).await;
    let metrics = metrics();
    let exporter = started(&collector, 0.0, &metrics);
    let context = Context::root(sample::trace());
    assert!(!exporter.wants(&context));
    exporter.call(&call(context, &[]));
    let refused = Context { sampled: Some(false), ..context };
    exporter.with_sample(1.0).call(&call(refused, &[]));
    exporter.shutdown(SOON).await.unwrap();
    assert!(collector.spans().is_empty());
    assert!(metrics.render().contains("\nwindlass_trace_spans_dropped_total 0\n"));
}

#[tokio::test]
async fn a_full_queue_drops_and_counts() {
    let collector = Collector::start(&[]).await;
    let metrics = metrics();
    let exporter = started(&collector, 1.0, &metrics);
    // Nothing is awaited in between, so on one thread nothing is taken out.
    for _ in 0..2_100 {
        exporter.call(&call(Context::root(sample::trace()), &[]));
    }
    exporter.shutdown(SOON).await.unwrap();
    exporter.call(&call(Context::root(sample::trace()), &[]));
    let text = metrics.render();
    assert!(text.contains("\nwindlass_trace_spans_dropped_total 53\n"), "{text}");
    assert!(text.contains("\nwindlass_trace_spans_exported_total 2048\n"), "{text}");
}

#[tokio::test]
async fn a_collector_that_is_away_is_logged_once() {
    let page = sample::Page::default();
    let writer = page.clone();
    let (subscriber, _handle) = subscriber(Level::Info, Style::Json, move || writer.clone());
    let _here = tracing::subscriber::set_default(subscriber);
    let mut collector = Collector::start(&[400, 400]).await;
    let metrics = metrics();
    let exporter = started(&collector, 1.0, &metrics);
    for _ in 0..3 {
        // A full batch goes out at once.
        for _ in 0..512 {
            exporter.call(&call(Context::root(sample::trace()), &[]));
        }
        collector.next().await;
    }
    exporter.shutdown(SOON).await.unwrap();
    let text = metrics.render();
    assert!(text.contains("\nwindlass_trace_spans_failed_total 1024\n"), "{text}");
    assert!(text.contains("\nwindlass_trace_spans_exported_total 512\n"), "{text}");
    let log = page.text();
    assert_eq!(log.matches("takes no spans").count(), 1, "{log}");
    assert_eq!(log.matches("takes spans again").count(), 1, "{log}");
}

#[tokio::test]
async fn shutdown_has_a_deadline() {
    // Takes connections (the backlog does) and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let metrics = metrics();
    let settings = Settings { otlp: Some(format!("http://{address}")), sample: 1.0 };
    let exporter = Exporter::start(&settings, "1.2.3", &metrics).unwrap();
    exporter.call(&call(Context::root(sample::trace()), &[]));
    assert_eq!(exporter.shutdown(Duration::from_millis(50)).await, Err(FlushTimeout));
    assert_eq!(exporter.shutdown(SOON).await, Ok(()), "the second time there is nothing left to stop");
}

#[tokio::test]
async fn an_address_that_is_none_is_refused() {
    let settings = Settings { otlp: Some("http://[::".to_owned()), sample: 1.0 };
    let refused = Exporter::start(&settings, "1.2.3", &metrics()).unwrap_err().to_string();
    assert!(refused.contains("telemetry.otlp"), "{refused}");
}

#[test]
fn nothing_is_built_where_nothing_is_exported() {
    // Outside of any runtime.
    let exporter = Exporter::start(&Settings::default(), "1.2.3", &metrics()).unwrap();
    assert!(!exporter.wants(&Context { sampled: Some(true), ..Context::root(sample::trace()) }));
    exporter.call(&call(Context::root(sample::trace()), &[]));
}

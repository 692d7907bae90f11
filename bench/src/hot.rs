//! The hot path in small fixed pieces, to count instructions of. A workload does its setup and then the same
//! operation `iters` times; `instructions` takes the difference of two counts, so setup costs nothing. Leaves
//! counting to `instructions`.

use std::{hint::black_box, time::Duration};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use policy::{Timeouts, attempt, retry};
use store::{Spool, spool::SpoolOptions};
use types::{
    AttemptKey, CallId, Dialect, Moment, Money, Timestamp, Timing, Usage, UsageSource,
    ledger::{Outcome, Row},
};
use wire::{AnswerMeta, Rewrite, Watch};

use crate::{answers, target};

/// One operation of the hot path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) run: fn(iters: u64) -> Result<()>,
}

/// All of them, in the order of the report: what a call passes through, then what only some calls need.
pub(crate) const WORKLOADS: &[Workload] = &[
    Workload { name: "baseline.serde_json_parse", run: parse_request },
    Workload { name: "decode.peek_300_bytes", run: peek },
    Workload { name: "plan.attempt_machine", run: attempt_machine },
    Workload { name: "send.splice_model", run: splice },
    Workload { name: "answer.usage_of_1_kb", run: answer_usage },
    Workload { name: "stream.20_events_in_one_chunk", run: stream_at_once },
    Workload { name: "stream.20_events_one_by_one", run: stream_by_event },
    Workload { name: "settle.spool_append", run: settle },
    Workload { name: "translate.request_openai_to_anthropic", run: request_to_anthropic },
    Workload { name: "translate.request_anthropic_to_openai", run: request_to_openai },
    Workload { name: "translate.answer_anthropic_to_openai", run: answer_to_openai },
];

/// The model of the request, and what the provider calls it.
const ASKED: &str = "mock/gpt-4o-mini";
const MODEL: &str = "gpt-4o-mini";

/// `windlass-bench hot`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    name: String,
    #[arg(value_parser = clap::value_parser!(u64).range(0..=100_000_000))]
    iters: u64,
}

/// Runs one workload.
///
/// # Errors
/// When there is none of that name, or it fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    let workload = WORKLOADS.iter().find(|workload| workload.name == options.name);
    let workload = workload.with_context(|| format!("there is no workload {:?}", options.name))?;
    (workload.run)(options.iters)
}

fn request() -> Bytes {
    Bytes::from(target::body(ASKED, false))
}

/// The whole request of the comparison into a tree: what a gateway that looks at everything would pay.
fn parse_request(iters: u64) -> Result<()> {
    let body = request();
    for _ in 0..iters {
        black_box(serde_json::from_slice::<serde_json::Value>(black_box(&body))?);
    }
    Ok(())
}

/// The look at the request that a call takes instead.
fn peek(iters: u64) -> Result<()> {
    let body = request();
    for _ in 0..iters {
        black_box(wire::peek(Dialect::OpenaiChat, black_box(&body))?);
    }
    Ok(())
}

/// The provider's name of the model into the request, and no other byte changed.
fn splice(iters: u64) -> Result<()> {
    let body = request();
    let peek = wire::peek(Dialect::OpenaiChat, &body)?;
    let rewrite =
        Rewrite { model: Some(MODEL), add_stream_usage: false, drop_windlass_metadata: true, more: &[] };
    for _ in 0..iters {
        black_box(wire::splice(black_box(&body), &peek, &rewrite));
    }
    Ok(())
}

/// The decisions of a call whose first attempt answers.
fn attempt_machine(iters: u64) -> Result<()> {
    let (retry, timeouts) = (retry::Policy::default(), Timeouts::default());
    for seed in 0..iters {
        let now = Moment::from_nanos(black_box(1_000_000));
        let mut machine = attempt::Machine::new(black_box(2), retry, timeouts, (now, None), seed);
        black_box(machine.next(attempt::Event::Start, now));
        let end = machine.next(attempt::Event::Completed, now + Duration::from_millis(3));
        ensure!(black_box(end) == attempt::Step::Finish(Ok(())), "the machine goes on after a whole answer");
    }
    Ok(())
}

/// What was used, out of an answer that is forwarded as it is.
fn answer_usage(iters: u64) -> Result<()> {
    let body = answers::chat().to_string();
    for _ in 0..iters {
        black_box(wire::answer_usage(Dialect::OpenaiChat, black_box(body.as_bytes()))?);
    }
    Ok(())
}

/// A whole stream watched as it goes by, as one read brings it.
fn stream_at_once(iters: u64) -> Result<()> {
    watch(&[answers::chat_events(true).concat()], iters)
}

/// The same, an event a read.
fn stream_by_event(iters: u64) -> Result<()> {
    watch(&answers::chat_events(true), iters)
}

fn watch(chunks: &[String], iters: u64) -> Result<()> {
    for _ in 0..iters {
        let mut watch = Watch::new(Dialect::OpenaiChat);
        for chunk in chunks {
            black_box(watch.push(black_box(chunk.as_bytes()))?);
        }
        black_box(watch.finish()?);
        black_box(watch.usage());
    }
    Ok(())
}

/// The row of an attempt into the spool. The system call is one instruction here: the kernel's are not counted.
fn settle(iters: u64) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let (spool, _) = Spool::open(directory.path(), SpoolOptions::default())?;
    let row = row();
    for _ in 0..iters {
        spool.append(black_box(&row))?;
    }
    Ok(())
}

fn row() -> Row {
    let at = Timestamp::from_micros(1_790_000_000_000_000);
    let call = CallId::new(at, [7; 10]);
    Row {
        key: AttemptKey { call, attempt: 1 },
        at,
        trace: call.into(),
        caller: Some("bench".into()),
        tenant: Some("bench".into()),
        user: Some("bench".into()),
        asked: ASKED.into(),
        provider: "mock".into(),
        model: MODEL.into(),
        dialect: Dialect::OpenaiChat,
        streamed: false,
        fallback: false,
        simulated: false,
        outcome: Outcome::Complete,
        status: Some(200),
        fault: None,
        code: None,
        usage: Usage::plain(42, 80),
        usage_source: UsageSource::Reported,
        cost: Some(Money::from_pico(54_300_000)),
        timing: Timing {
            first_byte: Some(Duration::from_micros(210_500)),
            transfer: Some(Duration::from_micros(900)),
            total: Some(Duration::from_micros(211_600)),
            ..Timing::default()
        },
        run: None,
        step: None,
        profile: None,
        seam: None,
    }
}

fn request_to_anthropic(iters: u64) -> Result<()> {
    translate_request(&request(), (Dialect::OpenaiChat, Dialect::AnthropicMessages), iters)
}

fn request_to_openai(iters: u64) -> Result<()> {
    let neutral = wire::decode_request(Dialect::OpenaiChat, &request())?;
    let body = wire::encode_request(&neutral, &wire::Writing::plain(Dialect::AnthropicMessages, MODEL))?.body;
    translate_request(&body, (Dialect::AnthropicMessages, Dialect::OpenaiChat), iters)
}

fn translate_request(body: &[u8], (from, to): (Dialect, Dialect), iters: u64) -> Result<()> {
    for _ in 0..iters {
        let neutral = wire::decode_request(from, black_box(body))?;
        black_box(wire::encode_request(&neutral, &wire::Writing::plain(to, MODEL))?);
    }
    Ok(())
}

fn answer_to_openai(iters: u64) -> Result<()> {
    let body = answers::messages().to_string();
    let created = Timestamp::from_micros(1_790_000_000_000_000);
    let meta = AnswerMeta { created, model: MODEL, call: CallId::new(created, [7; 10]), previous: None };
    for _ in 0..iters {
        let neutral = wire::decode_answer(Dialect::AnthropicMessages, black_box(body.as_bytes()))?;
        black_box(wire::encode_answer(Dialect::OpenaiChat, &neutral, &meta));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_runs() {
        for workload in WORKLOADS {
            (workload.run)(2).unwrap_or_else(|error| panic!("{}: {error:#}", workload.name));
        }
    }
}

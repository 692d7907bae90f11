//! The driver of the attempt machine: sends, waits and reports; decides nothing.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use policy::attempt::{Event, Machine, Send, Step, StreamFailure};
use policy::degrade::Level;
use policy::limit::{Place as Spot, Rank, Standing};
use types::chat::{Choice, Part};
use types::{Code, Dialect, Fault, Kind, Moment, Progress, Retry, UsageSource};
use upstream::{Body, Exchange, clock};
use wire::Seen;

use crate::call::admit;
use crate::call::continuation::Continuation;
use crate::call::joined::Joined;
use crate::call::outgoing::{Made, Maker};
use crate::call::permissions::{Crowded, permissions};
use crate::call::record::Record;
use crate::call::relay::cut;
use crate::call::silence::silent;
use crate::call::stream::Reader;
use crate::call::tally::Tally;
use crate::call::trial::Trial;
use crate::call::{About, Answered, Parsed, Planned, Target};
use crate::health::Place;
use crate::line::InVain;
use crate::overload::full;
use crate::{Engine, ids};

/// The largest whole answer, in bytes. Streams have no such bound: they are not kept.
const MAX_ANSWER: usize = 64 << 20;
/// How much of an error's body is read.
pub(super) const MAX_ERROR: usize = 64 << 10;

impl Engine {
    pub(super) async fn attempt(&self, planned: &Planned<'_>, tally: &mut Tally) -> Result<Answered, Fault> {
        let plan = &planned.plan;
        let mut machine = machine(planned);
        let mut may = permissions(planned, self.metrics(), planned.admitted.parsed.began);
        let maker = Maker::default();
        let mut event = Event::Start;
        let mut answer = None;
        let mut last: Option<Fault> = None;
        let mut waited = false;
        loop {
            match machine.next_with(event, clock::now(), &mut may) {
                Step::Send(send) => {
                    let Some(target) = plan.targets.get(send.target) else {
                        return Err(Fault::internal("the attempt machine named a target that is not there"));
                    };
                    let granted = match self.holdings(planned, send.target, tally, &mut may).await {
                        Ok(granted) => granted,
                        Err(used_up) => {
                            event = Event::Withheld(last.clone().unwrap_or(used_up));
                            continue;
                        }
                    };
                    let mut trial = Trial::begin(self, planned, (target, send), (granted, tally));
                    let result = if send.hedge_at.is_some() {
                        let race = self.race((planned, &maker), (trial, tally), &mut machine, &mut may);
                        let (winner, result) = Box::pin(race).await;
                        trial = winner;
                        result
                    } else {
                        self.once(planned, &maker, &mut trial).await
                    };
                    event = match result {
                        Ok(got) => {
                            let got = trial.answered(got, planned, tally)?;
                            let stream = matches!(got, Answered::Stream(_));
                            answer = Some(got);
                            if stream { Event::Committed } else { Event::Completed }
                        }
                        Err(fault) => {
                            tally.spent(&trial.settled());
                            if self.ended(planned.admitted.parsed.inbound).is_some() {
                                return Err(fault);
                            }
                            last = Some(fault.clone());
                            Event::Failed(fault)
                        }
                    };
                }
                Step::Sleep(until) => {
                    tokio::time::sleep_until(clock::instant(until)).await;
                    event = Event::Woke;
                }
                // A stream goes on in its relay: after its first content nothing is tried again, unless its route
                // continues broken streams.
                Step::Emit | Step::Finish(Ok(())) => {
                    if let Some(Answered::Stream(relay)) = &mut answer {
                        relay.going_on(Continuation::of(self, planned, &machine));
                    }
                    return answer.ok_or_else(|| Fault::internal("a call ended well without an answer"));
                }
                Step::Finish(Err(fault)) => {
                    // Nothing was asked for want of a place: then it waits for one, once.
                    let crowded = may.crowded().filter(|_| !waited && machine.attempts() == 0);
                    let Some(crowded) = crowded else { return Err(planned.blamed(fault, clock::now())) };
                    waited = true;
                    let place = Box::pin(self.wait_for_place(planned, crowded, machine.total_by())).await;
                    let alone = plan.targets.len() == 1;
                    let place = place.map_err(|vain| match vain {
                        InVain::Shed(shed) => full(&shed.to_string(), shed.retry_after)
                            .with_hint("calls wait too long for a place; see overload.shed"),
                        InVain::Late if alone => crowded.limited(planned).unwrap_or(fault),
                        InVain::Late => fault,
                    });
                    may.reserve(crowded.target, place?);
                    machine = self::machine(planned);
                    event = Event::Start;
                }
            }
        }
    }

    /// A place as soon as it is this call's turn.
    async fn wait_for_place(
        &self,
        planned: &Planned<'_>,
        Crowded { target, full }: Crowded,
        total_by: Moment,
    ) -> Result<Place, InVain> {
        let settings = planned.admitted.snapshot.config().overload.concurrency;
        let Some(target) = planned.plan.targets.get(target) else { return Err(InVain::Late) };
        let tokens = planned.terms.tokens();
        let began = clock::now();
        let who = &planned.admitted.who;
        let by = (began + settings.wait).min(total_by);
        // A provider that has said when to come back will not have it sooner.
        if full.told && full.until > by {
            return Err(InVain::Late);
        }
        let head = &planned.admitted.parsed.inbound.head;
        let standing = admit::standing(who, began);
        let spot = Spot {
            priority: head.priority.unwrap_or_default(),
            flow: standing.tenant.unwrap_or(0),
            cost: tokens,
            deadline: by,
            rank: Rank::Spared,
        };
        // That a provider takes no more for a while is no sign that there is too much to do, and the steps of a
        // run that was taken on are let finish.
        let standing = Some(standing).filter(|_| !full.told && head.step.is_none());
        target.deployment.room.wait((tokens, settings.obey), spot, standing).await
    }

    /// One attempt, up to its whole answer or its first content. A failed one is settled here.
    pub(super) async fn once(
        &self,
        planned: &Planned<'_>,
        maker: &Maker,
        trial: &mut Trial,
    ) -> Result<Got, Fault> {
        let send = trial.send;
        let began = clock::now();
        let result = match trial.make(planned, maker) {
            Ok((mut made, record)) => {
                // Writing a large request anew takes a while that is not the connection's.
                let connect_by = made.outgoing.connect_by + (clock::now() - began);
                made.outgoing.connect_by = connect_by.min(send.total_by);
                // Pinned where it is made: the deadline would otherwise move all of it.
                let work = pin!(self.exchange(planned, made, send, record));
                let mut work = pin!(tokio::time::timeout_at(clock::instant(send.answer_by), work));
                poll_fn(|cx| match work.as_mut().poll(cx) {
                    Poll::Pending => {
                        let ended = self.ended(planned.admitted.parsed.inbound);
                        ended.map_or(Poll::Pending, |fault| Poll::Ready(Err(fault)))
                    }
                    Poll::Ready(result) => Poll::Ready(Ok(result.ok())),
                })
                .await
            }
            Err(fault) => Ok(Some(Err(fault))),
        };
        let result = match result {
            Ok(result) => result,
            Err(ended) => {
                let ended = ended.with_progress(Progress::PerhapsExecuted);
                trial.cut_off(&ended);
                return Err(ended);
            }
        };
        let result = result.unwrap_or_else(|| Err(silent(planned, &trial.target, send, began)));
        result.map_err(|fault| trial.fail(fault))
    }

    async fn exchange(
        &self,
        planned: &Planned<'_>,
        made: Made,
        send: Send,
        record: &mut Record,
    ) -> Result<Got, Fault> {
        let parsed = &planned.admitted.parsed;
        let target = Arc::clone(record.target());
        let Made { outgoing, dialect, usage_added, dropped, profile, resumed } = made;
        record.sent();
        let mut exchange = target.provider.send(outgoing).await?;
        record.answered(exchange.status.as_u16(), exchange.timing);
        if !exchange.status.is_success() {
            return Err(Box::pin(self.provider_error(dialect, exchange)).await);
        }
        if target.deployment.obey && exchange.headers.keys().any(tells_of_limits) {
            let header = |name: &str| exchange.headers.get(name).and_then(|value| value.to_str().ok());
            record.told(wire::rate_limits(dialect, &header, clock::wall));
        }
        let about = About {
            call: parsed.call,
            provider: Arc::clone(&target.provider.name),
            model: Arc::clone(&target.id),
            dialect,
            attempts: send.attempt,
            fallback: planned.is_fallback(send),
            simulated: target.provider.is_simulated(),
            request_id: request_id(&exchange.headers).cloned(),
            dropped,
            limits: (planned.terms.limits != Standing::default()).then(|| Box::new(planned.terms.limits)),
            level: planned.terms.ration.map_or(Level::Full, |ration| ration.level),
            profile: profile.map(|applied| applied.name),
        };
        if parsed.peek.stream {
            let content_type =
                exchange.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
            if !content_type.starts_with(dialect.stream_type().as_bytes()) {
                return Err(bad_answer("a stream was asked for and something else came"));
            }
            let followed = record.counts() || planned.plan.route.stream_failure == StreamFailure::Continue;
            let begun = || reader(planned, &target, (dialect, usage_added), followed);
            let reader = resumed.map_or_else(begun, |resumed| resumed.reader);
            let parts = stream_start(exchange, reader, about).await?;
            return Ok(Got::Stream(Box::new(parts)));
        }
        let body = collect(&mut exchange.body, MAX_ANSWER).await?;
        if let Some(row) = record.row() {
            let first_byte = exchange.timing.first_byte.unwrap_or_default();
            row.timing.transfer = Some((clock::now() - exchange.sent_at).saturating_sub(first_byte));
        }
        let body = whole(planned, dialect, body, record).map_err(executed)?;
        Ok(Got::Whole(body, about))
    }

    async fn provider_error(&self, dialect: Dialect, mut exchange: Exchange) -> Fault {
        let status = exchange.status.as_u16();
        // An error whose body does not come is still that error.
        let body = collect(&mut exchange.body, MAX_ERROR).await.unwrap_or_default();
        let headers = exchange.headers;
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        wire::decode_error(dialect, status, &header, &body, clock::wall())
    }
}

/// The attempt machine of a call.
fn machine(planned: &Planned<'_>) -> Machine {
    let parsed = &planned.admitted.parsed;
    let clock = (parsed.began, planned.terms.over_by());
    let mut machine = Machine::on(Arc::clone(&planned.plan.route), planned.plan.timeouts, clock, ids::seed())
        .needing(planned.terms.expected.0 + parsed.peek.max_tokens.unwrap_or(0));
    if let Some(retry) = planned.terms.retry {
        machine = machine.retrying(retry);
    }
    if let Some(tries) = planned.terms.ration.and_then(|ration| ration.attempts) {
        machine = machine.trying_at_most(tries);
    }
    if !parsed.peek.stream {
        machine = machine.whole();
    }
    match planned.terms.preferred {
        Some(target) => machine.preferring(target),
        None => machine,
    }
}

/// The reader of a stream at its beginning.
fn reader(
    planned: &Planned<'_>,
    target: &Target,
    (dialect, usage_added): (Dialect, bool),
    followed: bool,
) -> Reader {
    let parsed = &planned.admitted.parsed;
    // Bedrock's streams name no model, and Gemini's not always.
    let meta = meta(parsed, &target.id);
    let dialects = (dialect, parsed.inbound.dialect);
    let mut reader = Reader::new(dialects, usage_added, parsed.peek.include_usage, &meta);
    if followed {
        reader.follow(dialect);
    }
    reader
}

/// A whole answer in the caller's dialect, its usage taken down.
fn whole(planned: &Planned<'_>, dialect: Dialect, body: Bytes, record: &mut Record) -> Result<Bytes, Fault> {
    let parsed = &planned.admitted.parsed;
    let inbound = parsed.inbound.dialect;
    let step = parsed.inbound.head.step.is_some();
    let (body, usage) = if dialect == inbound {
        let usage = wire::answer_usage(dialect, &body)?;
        (body, usage)
    } else {
        let answer = wire::decode_answer(dialect, &body)?;
        // Bedrock's answers name no model, and Gemini's not always.
        let model = if answer.model.is_empty() { &*record.target().id } else { &answer.model };
        let meta = meta(parsed, model);
        (wire::encode_answer(inbound, &answer, &meta), answer.usage)
    };
    if let Some(usage) = usage {
        record.know(usage, UsageSource::Reported);
    } else {
        record.know_partial(None, body.len() as u64);
        if record.counts() {
            record.heard(said(inbound, &body).as_deref());
        }
    }
    // A run reads its steps' answers. One that it could not read is a failed attempt, and may be tried again.
    if step && wire::decode_answer(inbound, &body)?.choices.is_empty() {
        return Err(bad_answer("the model's answer has no choice"));
    }
    Ok(body)
}

/// The text of an answer that is nothing else.
fn said(dialect: Dialect, body: &[u8]) -> Option<String> {
    let answer = wire::decode_answer(dialect, body).ok()?;
    let [Choice { parts, .. }] = answer.choices.as_slice() else { return None };
    let text = |part: &Part| match part {
        Part::Text { text, .. } => Some(text.clone()),
        _ => None,
    };
    parts.iter().map(text).collect()
}

/// What an answer that is written anew says of itself.
fn meta<'a>(parsed: &'a Parsed<'_>, model: &'a str) -> wire::AnswerMeta<'a> {
    wire::AnswerMeta {
        created: clock::wall(),
        model,
        call: parsed.call,
        previous: parsed.previous.as_deref(),
    }
}

/// What an attempt brought.
pub(super) enum Got {
    Whole(Bytes, About),
    Stream(Box<Started>),
}

/// A stream whose first content has come.
pub(super) struct Started {
    pub(super) body: Body,
    pub(super) reader: Reader,
    pub(super) about: About,
    /// What the caller is to be sent so far.
    pub(super) out: Joined,
    pub(super) sent_at: Moment,
    pub(super) first_token_at: Moment,
    /// Whether the provider said that it has failed, or that it is done, together with its first content.
    pub(super) seen: Seen,
}

async fn stream_start(mut exchange: Exchange, mut reader: Reader, about: About) -> Result<Started, Fault> {
    let mut out = Joined::default();
    loop {
        let chunk = poll_fn(|cx| exchange.body.poll_chunk(cx)).await;
        let seen = match chunk {
            Some(chunk) => reader.feed(&chunk.map_err(cut)?, &mut out),
            None => reader.finish(&mut out),
        };
        let seen = seen.map_err(executed)?;
        // An error before any content is as good as an error status: the call may still go elsewhere.
        if !seen.content {
            if let Some(fault) = seen.failed {
                return Err(executed(fault));
            }
            if !seen.complete {
                continue;
            }
            // Not even why the model stopped: an end marker alone is no answer.
            return Err(bad_answer("the stream ended without an answer in it"));
        }
        let first_token_at = clock::now();
        let Exchange { body, sent_at, .. } = exchange;
        return Ok(Started { body, reader, about, out, sent_at, first_token_at, seen });
    }
}

/// The whole body, up to `max` bytes.
pub(super) async fn collect(body: &mut Body, max: usize) -> Result<Bytes, Fault> {
    let mut all = Joined::default();
    while let Some(chunk) = poll_fn(|cx| body.poll_chunk(cx)).await {
        let chunk = chunk?;
        if all.len() + chunk.len() > max {
            return Err(bad_answer(&format!("the answer is larger than {max} bytes")));
        }
        all.push(chunk);
    }
    Ok(all.take())
}

/// Whether a header is one of those that a provider tells its own limits by.
fn tells_of_limits(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-ratelimit") || name.as_str().starts_with("anthropic-ratelimit")
}

fn request_id(headers: &HeaderMap) -> Option<&HeaderValue> {
    // Looked up by their text they would be read and checked each time.
    const OPENAI: HeaderName = HeaderName::from_static("x-request-id");
    const ANTHROPIC: HeaderName = HeaderName::from_static("request-id");
    headers.get(OPENAI).or_else(|| headers.get(ANTHROPIC))
}

fn bad_answer(message: &str) -> Fault {
    executed(Fault::new(Kind::InvalidResponse, Code::BadAnswer, message).with_retry(Retry::Maybe))
}

/// An answer had begun: the request was executed, and may be charged for, whatever came of it.
fn executed(fault: Fault) -> Fault {
    fault.with_progress(Progress::PerhapsExecuted)
}

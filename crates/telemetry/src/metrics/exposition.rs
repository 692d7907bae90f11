//! Names, help texts and labels of all series, and their order in the exposition.
//!
//! Names come from the product's seeds where a seed names the thing; our own begin with `windlass_`.

use std::fmt::Error;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError};

use prometheus_client::collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, EncodeMetric, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;

use super::chain::{ChainMetrics, STATUSES};
use super::histograms::Lazy;
use super::target::{BREAKER_STATES, CLASSES, KINDS, OUTCOMES, RESTS, TOKEN_TYPES, Target};
use super::{Board, DIALECTS, process};

/// Pico-dollars in a dollar.
const DOLLAR: f64 = 1e12;
/// The words of levels: each is a series, and the one that holds is 1.
const LEVELS: [&str; 4] = ["full", "reduced", "minimal", "emergency"];
const LOADS: [&str; 4] = ["low", "medium", "high", "critical"];

/// Which histogram of a target.
type Series = fn(&Target) -> &Lazy;

/// Writes the board at every scrape.
#[derive(Debug)]
pub(super) struct Collector(pub(super) Arc<Board>);

impl collector::Collector for Collector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let board = &self.0;
        let targets: Vec<Arc<Target>> = {
            let known = board.targets.read().unwrap_or_else(PoisonError::into_inner);
            known.by_provider.values().flat_map(|models| models.values().map(Arc::clone)).collect()
        };
        let chains: Vec<Arc<ChainMetrics>> = {
            let known = board.chains.read().unwrap_or_else(PoisonError::into_inner);
            known.values().map(Arc::clone).collect()
        };
        let mut page = Page(encoder);
        page.attempts(&targets)?;
        page.health(&targets)?;
        page.continuations(&targets)?;
        page.attempt_times(&targets)?;
        page.calls(board)?;
        page.chains(&chains, board)?;
        page.engine(board)?;
        page.process(board)
    }
}

/// One exposition being written.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn attempts(&mut self, targets: &[Arc<Target>]) -> Result<(), Error> {
        self.counters(
            "llm_requests",
            "Attempts at a model, by how they ended; one call of a caller may take several.",
            targets,
            |out, target| {
                for (outcome, counter) in OUTCOMES.iter().zip(&target.requests) {
                    // The usual two are there from the start, so that a rate over them has a beginning.
                    let always = matches!(outcome.as_str(), "complete" | "failed");
                    out.count(counter, always, &labelled(target, [("outcome", outcome.as_str())]))?;
                }
                Ok(())
            },
        )?;
        self.counters(
            "llm_errors_by_type",
            "Failed attempts, by the kind of fault.",
            targets,
            |out, target| {
                for (kind, counter) in KINDS.iter().zip(&target.errors) {
                    out.count(counter, false, &labelled(target, [("type", kind.as_str())]))?;
                }
                Ok(())
            },
        )?;
        self.counters(
            "llm_tokens_used",
            "Tokens; cached ones are part of input, reasoning ones part of output.",
            targets,
            |out, target| {
                for (index, (name, counter)) in TOKEN_TYPES.iter().zip(&target.tokens).enumerate() {
                    out.count(counter, index < 2, &labelled(target, [("type", *name)]))?;
                }
                Ok(())
            },
        )?;
        self.counters("llm_token_costs_usd", "Cost in US dollars.", targets, |out, target| {
            out.dollars(&target.cost, &labels(target))
        })?;
        self.plain_counters(
            "windlass_unpriced_calls",
            "Attempts that used tokens whose price is not known; they are not in the cost.",
            targets,
            |target| &target.unpriced,
        )?;
        self.plain_counters(
            "windlass_large_calls",
            "Attempts with more input tokens than telemetry.large_call_tokens.",
            targets,
            |target| &target.large,
        )?;
        self.plain_counters("windlass_retries", "Attempts after a call's first.", targets, |target| {
            &target.retries
        })?;
        self.plain_counters(
            "windlass_fallbacks",
            "Attempts that were not the route's first choice.",
            targets,
            |target| &target.fallbacks,
        )
    }

    /// Breakers, backups and forecasts.
    fn health(&mut self, targets: &[Arc<Target>]) -> Result<(), Error> {
        let help = "What the circuit breaker does: 0 closed, 1 ramping, 2 half open, 3 open.";
        let mut out = self.family("windlass_breaker_state", help, MetricType::Gauge)?;
        for target in targets {
            out.0.encode_family(&labels(target))?.encode_gauge(&target.breaker.load(Relaxed))?;
        }
        self.counters(
            "windlass_breaker_changes",
            "Changes of circuit breakers, by the state that they came to.",
            targets,
            |out, target| {
                BREAKER_STATES.iter().zip(&target.breaker_changes).try_for_each(|(state, count)| {
                    out.count(count, false, &labelled(target, [("state", state)]))
                })
            },
        )?;
        self.counters(
            "windlass_failures",
            "Failed attempts, by why the call left the model.",
            targets,
            |out, target| {
                CLASSES.iter().zip(&target.classes).try_for_each(|(class, count)| {
                    out.count(count, false, &labelled(target, [("class", class)]))
                })
            },
        )?;
        self.plain_counters(
            "windlass_hedges",
            "Backups sent because another model was slow.",
            targets,
            |target| &target.hedges,
        )?;
        self.plain_counters(
            "windlass_panic_attempts",
            "Attempts at a model whose breaker was open, because most of the route's were.",
            targets,
            |target| &target.panics,
        )?;
        self.plain_counters(
            "windlass_foreseen",
            "Failures and slowdowns that were foreseen and acted on.",
            targets,
            |target| &target.foreseen,
        )
    }

    /// Attempts at the rest of a broken stream.
    fn continuations(&mut self, targets: &[Arc<Target>]) -> Result<(), Error> {
        self.counters(
            "windlass_stream_continuations",
            "Attempts to go on with a broken stream, by how the rest was asked for and whether it came whole.",
            targets,
            |out, target| {
                RESTS.iter().zip(&target.continuations).try_for_each(|(rest, [whole, broken])| {
                    [("whole", whole), ("broken", broken)].into_iter().try_for_each(|(result, count)| {
                        let [provider, model] = labels(target);
                        let labels = [provider, model, ("how", rest.as_str()), ("result", result)];
                        out.count(count, false, &labels)
                    })
                })
            },
        )
    }

    fn attempt_times(&mut self, targets: &[Arc<Target>]) -> Result<(), Error> {
        let families: [(&str, &str, Series); 4] = [
            ("llm_request_duration_seconds", "Whole attempts.", |target| &target.duration),
            (
                "windlass_time_to_first_token_seconds",
                "From the request's first byte to the first content event of a stream.",
                |target| &target.first_token,
            ),
            (
                "windlass_inter_token_seconds",
                "Mean time from token to token, one observation a stream.",
                |target| &target.between_tokens,
            ),
            (
                "windlass_connect_seconds",
                "Name look-up, connect and TLS handshake of new connections.",
                |target| &target.connect,
            ),
        ];
        for (name, help, series) in families {
            let mut out = self.family(name, help, MetricType::Histogram)?;
            for target in targets {
                out.histogram(series(target), &labels(target))?;
            }
        }
        Ok(())
    }

    fn calls(&mut self, board: &Board) -> Result<(), Error> {
        let mut out =
            self.family("windlass_calls", "Calls of callers, by how they ended.", MetricType::Counter)?;
        for (dialect, outcomes) in DIALECTS.iter().zip(&board.calls) {
            for (outcome, counter) in OUTCOMES.iter().zip(outcomes) {
                out.count(counter, false, &[("dialect", dialect.as_str()), ("outcome", outcome.as_str())])?;
            }
        }
        let in_flight = board.in_flight.load(Relaxed);
        self.gauge("llm_requests_in_flight", "Calls of callers that have not ended yet.", &in_flight)
    }

    fn chains(&mut self, chains: &[Arc<ChainMetrics>], board: &Board) -> Result<(), Error> {
        self.counters("prompt_chain_requests", "Runs, by how they ended.", chains, |out, chain| {
            for (status, counter) in STATUSES.iter().zip(&chain.runs) {
                out.count(counter, true, &[("chain_name", &*chain.name), ("status", status.as_str())])?;
            }
            Ok(())
        })?;
        self.counters("prompt_chain_errors", "Failed runs, by the kind of fault.", chains, |out, chain| {
            for (kind, counter) in KINDS.iter().zip(&chain.errors) {
                out.count(counter, false, &[("chain_name", &*chain.name), ("type", kind.as_str())])?;
            }
            Ok(())
        })?;
        self.counters("prompt_chain_cost_usd", "Cost of runs in US dollars.", chains, |out, chain| {
            out.dollars(&chain.cost, &[("chain_name", &*chain.name)])
        })?;
        self.counters("chain_tokens", "Tokens of runs.", chains, |out, chain| {
            for (name, counter) in TOKEN_TYPES.iter().zip(&chain.tokens) {
                out.count(counter, true, &[("chain_name", &*chain.name), ("token_type", *name)])?;
            }
            Ok(())
        })?;
        self.counters("windlass_chain_steps", "Finished steps.", chains, |out, chain| {
            out.count(&chain.steps, true, &[("chain_name", &*chain.name)])
        })?;
        let mut out = self.family("prompt_chain_duration_seconds", "Whole runs.", MetricType::Histogram)?;
        for chain in chains {
            out.histogram(&chain.duration, &[("chain_name", &*chain.name)])?;
        }
        let help = "Steps of runs, each with all its attempts.";
        let mut out = self.family("prompt_chain_latency_seconds", help, MetricType::Histogram)?;
        for chain in chains {
            let steps = chain.step_durations.read().unwrap_or_else(PoisonError::into_inner);
            for (step, series) in &*steps {
                out.histogram(series, &[("chain_name", &*chain.name), ("step", &**step)])?;
            }
        }
        let active = board.chains_shared.active.load(Relaxed);
        self.gauge("chain_active_executions", "Runs that have not ended yet.", &active)
    }

    fn engine(&mut self, board: &Board) -> Result<(), Error> {
        let bytes = board.spool_bytes.load(Relaxed);
        self.gauge("windlass_spool_bytes", "Size of the ledger's spool on disk.", &bytes)?;
        let rows = board.spool_rows.load(Relaxed);
        self.gauge("windlass_spool_rows", "Ledger rows that are not in the database yet.", &rows)?;
        let counters = [
            ("windlass_spool_refused", "Calls refused because the spool was full.", &board.spool_refused),
            (
                "windlass_retries_denied",
                "Retries that the retry budget did not allow.",
                &board.retries_denied,
            ),
            (
                "windlass_hedges_denied",
                "Backups that a slow call wanted and the hedging budget did not allow.",
                &board.hedges_denied,
            ),
            ("windlass_trace_spans_exported", "Spans that a collector took.", &board.spans.exported),
            (
                "windlass_trace_spans_dropped",
                "Spans dropped because the queue was full.",
                &board.spans.dropped,
            ),
            ("windlass_trace_spans_failed", "Spans that no collector took.", &board.spans.failed),
        ];
        for (name, help, counter) in counters {
            self.family(name, help, MetricType::Counter)?.bare_count(counter)?;
        }
        let help = "Requests that were refused before anything was sent, by the kind of fault.";
        let mut out = self.family("windlass_refusals", help, MetricType::Counter)?;
        for (kind, counter) in KINDS.iter().zip(&board.refusals) {
            out.count(counter, false, &[("type", kind.as_str())])?;
        }
        self.overload(board)
    }

    fn overload(&mut self, board: &Board) -> Result<(), Error> {
        let now = *board.overload.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(percent) = now.memory_percent {
            self.gauge("windlass_memory_percent", "The used part of the memory that may be used.", &percent)?;
        }
        let help = "Calls that may run at once in this process now.";
        self.gauge("windlass_calls_ceiling", help, &now.ceiling)?;
        self.gauge("windlass_calls_waiting", "Calls that wait for a place.", &now.waiting)?;
        let shed = AtomicU64::new(now.shed);
        self.family("windlass_calls_shed", "Calls refused for their low priority.", MetricType::Counter)?
            .bare_count(&shed)?;
        let levels =
            [("windlass_service_level", Some(now.level), &LEVELS), ("windlass_load_level", now.load, &LOADS)];
        for (name, holds, all) in levels {
            let Some(holds) = holds else { continue };
            let mut out = self.family(name, "1 for the level that holds.", MetricType::Gauge)?;
            for level in all {
                out.0.encode_family(&[("level", *level)])?.encode_gauge(&u64::from(*level == holds))?;
            }
        }
        Ok(())
    }

    fn process(&mut self, board: &Board) -> Result<(), Error> {
        let build = &board.build;
        let mut out =
            self.family("windlass_build_info", "Always 1; the labels say what runs.", MetricType::Gauge)?;
        let commit = build.commit.unwrap_or("unknown");
        out.0.encode_family(&[("version", build.version), ("commit", commit)])?.encode_gauge(&1_u64)?;
        let started = process::seconds(build.started);
        self.gauge(
            "process_start_time_seconds",
            "Start time of the process since the Unix epoch in seconds.",
            &started,
        )?;
        if let Some(bytes) = process::resident_memory() {
            self.gauge("process_resident_memory_bytes", "Resident memory size in bytes.", &bytes)?;
        }
        if let Some(files) = process::open_files() {
            self.gauge("process_open_fds", "Number of open file descriptors.", &files)?;
        }
        Ok(())
    }

    fn family<'s>(&'s mut self, name: &'s str, help: &str, kind: MetricType) -> Result<Family<'s>, Error> {
        self.0.encode_descriptor(name, help, None, kind).map(Family)
    }

    fn counters<T>(
        &mut self,
        name: &str,
        help: &str,
        owners: &[Arc<T>],
        mut samples: impl FnMut(&mut Family<'_>, &T) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut out = self.family(name, help, MetricType::Counter)?;
        owners.iter().try_for_each(|owner| samples(&mut out, owner))
    }

    fn plain_counters(
        &mut self,
        name: &str,
        help: &str,
        targets: &[Arc<Target>],
        counter: fn(&Target) -> &AtomicU64,
    ) -> Result<(), Error> {
        self.counters(name, help, targets, |out, target| out.count(counter(target), false, &labels(target)))
    }

    fn gauge(&mut self, name: &str, help: &str, value: &impl EncodeGaugeValue) -> Result<(), Error> {
        self.family(name, help, MetricType::Gauge)?.0.encode_gauge(value)
    }
}

/// The samples below one `# TYPE`.
struct Family<'a>(MetricEncoder<'a>);

impl Family<'_> {
    /// A counter; one that is still zero only if it is `always` shown.
    fn count(
        &mut self,
        counter: &AtomicU64,
        always: bool,
        labels: &impl EncodeLabelSet,
    ) -> Result<(), Error> {
        let count = counter.load(Relaxed);
        if count == 0 && !always {
            return Ok(());
        }
        self.0.encode_family(labels)?.encode_counter::<NoLabelSet, _, f64>(&count, None)
    }

    fn bare_count(&mut self, counter: &AtomicU64) -> Result<(), Error> {
        self.0.encode_counter::<NoLabelSet, _, f64>(&counter.load(Relaxed), None)
    }

    #[expect(clippy::cast_precision_loss, reason = "for a graph; the ledger has the exact sum")]
    fn dollars(&mut self, pico: &AtomicU64, labels: &impl EncodeLabelSet) -> Result<(), Error> {
        let dollars = pico.load(Relaxed) as f64 / DOLLAR;
        self.0.encode_family(labels)?.encode_counter::<NoLabelSet, _, f64>(&dollars, None)
    }

    fn histogram(&mut self, series: &Lazy, labels: &impl EncodeLabelSet) -> Result<(), Error> {
        match series.get() {
            Some(histogram) => histogram.encode(self.0.encode_family(labels)?),
            None => Ok(()),
        }
    }
}

fn labels(target: &Target) -> [(&'static str, &str); 2] {
    [("provider", &target.provider), ("model", &target.model)]
}

fn labelled<'a>(target: &'a Target, [more]: [(&'static str, &'a str); 1]) -> [(&'static str, &'a str); 3] {
    [("provider", &target.provider), ("model", &target.model), more]
}

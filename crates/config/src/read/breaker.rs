//! `breaker` of `defaults` and of routes, and `routes.NAME.hedge`: when a failing model is left alone, and when a slow one gets a
//! backup.

use std::time::Duration;

use policy::{breaker, hedge};

use crate::fields::Fields;
use crate::read::retry::{per_thousand, pick};
use crate::route::Breaker;
use crate::table::{Is, Section, field, option};

pub(crate) static BREAKER: Section = Section {
    name: "breaker",
    doc: "The circuit breaker that each model of each provider has: while it fails, calls go elsewhere at once. A long \
          row of failures opens it, failures that gather, or a share of failures that is proven too high. Rate limits and \
          a caller's own mistakes never do; an overload counts half. A route with numbers of its own has breakers of its \
          own, which learn from all calls; what it leaves out holds as in `defaults`.",
    fields: &[
        field("enabled", Is::Bool, "true", "Whether there are breakers at all."),
        field("threshold", Is::Share, "10%", "The share of failing calls that is too much."),
        option(
            "slow",
            Is::Duration,
            "no call is",
            "A call is slow whose first content took longer than this; a whole answer, what is left of its time without \
             what so many tokens usually take there.",
        ),
        field("slow_threshold", Is::Share, "50%", "The share of slow calls that is too much."),
        field("probes", Is::Integer(1, 100), "3", "Calls at a time that try whether it works again."),
        field(
            "open",
            Is::Duration,
            "250ms",
            "How long it stays open the first time; twice as long each time after, up to 32 times.",
        ),
        field(
            "forecast",
            Is::Bool,
            "true",
            "Whether it opens early, and weight is shifted away, when the trend of failures or of latency leads somewhere bad.",
        ),
    ],
};

pub(crate) static HEDGE: Section = Section {
    name: "routes.NAME.hedge",
    doc: "A backup to the route's next model for a stream that has brought nothing for longer than 95 of 100 do, or for a \
          whole answer that takes longer than 95 of 100 do and the longest of them would. The quicker of the two answers, \
          both are paid. In a slowdown of everything none is sent.",
    fields: &[
        field("enabled", Is::Bool, "false", "Whether backups are sent."),
        field("calls", Is::Share, "4%", "Backups, as a share of the route's calls."),
        field("money", Is::Share, "4%", "What backups may cost, as a share of what the route's calls cost."),
        field(
            "samples",
            Is::Integer(10, 100_000),
            "100",
            "Streams of a model in the last minute, or whole answers, below which it gets no backup for another one.",
        ),
    ],
};

/// What stands in `defaults` where nothing is said.
pub(crate) fn usual() -> Breaker {
    Breaker { enabled: true, settings: breaker::Settings::default(), slow: None, forecast: true }
}

/// What is not set here holds as in `base`.
pub(crate) fn breaker(mut fields: Fields<'_>, base: &Breaker) -> Breaker {
    let own = base.settings;
    let breaker = Breaker {
        enabled: pick(&mut fields, "enabled", base.enabled, Fields::bool),
        settings: breaker::Settings {
            threshold: pick(&mut fields, "threshold", own.threshold, Fields::share),
            slow_threshold: pick(&mut fields, "slow_threshold", own.slow_threshold, Fields::share),
            probes: pick(&mut fields, "probes", own.probes, Fields::integer),
            base: pick(&mut fields, "open", own.base, Fields::duration),
            ..own
        },
        slow: fields.duration_if_set("slow").or(base.slow),
        forecast: pick(&mut fields, "forecast", base.forecast, Fields::bool),
    };
    let Breaker { settings, .. } = &breaker;
    if settings.threshold < 0.001 || settings.slow_threshold < 0.001 {
        fields.error("a threshold below 0.1% would open a breaker by the first failure");
    }
    if settings.base > Duration::from_secs(600) {
        fields.error("`open` is longer than ten minutes");
    }
    fields.finish();
    breaker
}

pub(crate) fn hedge(mut fields: Fields<'_>) -> hedge::Settings {
    let hedge = hedge::Settings {
        on: fields.bool("enabled"),
        per_thousand: per_thousand(fields.share("calls")),
        money_per_thousand: per_thousand(fields.share("money")),
        samples: fields.integer("samples"),
        ..hedge::Settings::default()
    };
    fields.finish();
    hedge
}

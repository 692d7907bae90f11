//! `overload`: how many calls run at once, who waits, and who is refused first.

use policy::concurrency::{self, Aimd, Algorithm, Gradient};
use policy::{load, memory, shed};

use crate::fields::Fields;
use crate::overload::{Bulkheads, Concurrency, Load, Memory, Overload};
use crate::table::{Is, Section, field, option, words};

/// Calls at once that no process has.
const MANY: u64 = 1_000_000;

pub(crate) static OVERLOAD: Section = Section {
    name: "overload",
    doc: "What happens when there is more to do than this process, or a provider, can take: calls wait a little, by \
          priority, and then the least important ones are refused at once with 503 and `Retry-After`.",
    fields: &[
        field("max_calls", Is::Integer(1, MANY), "10000", "Calls that run at once in this process."),
        option(
            "concurrency",
            Is::Section(&CONCURRENCY),
            "see there",
            "How many run at once on each model of each provider.",
        ),
        option(
            "shed",
            Is::Section(&SHED),
            "see there",
            "Refusing the least important where calls wait too long.",
        ),
        option("memory", Is::Section(&MEMORY), "see there", "The guard against running out of memory."),
        option("load", Is::Section(&LOAD), "see there", "Load levels, and what each allows."),
        field(
            "degrade",
            Is::Bool,
            "false",
            "Whether calls are answered shorter, and by the route's cheapest model, rather than refused when load or \
             memory say so. The level stands in `x-windlass-level`; a call's `x-windlass-min-level` is its floor.",
        ),
        option("bulkheads", Is::Section(&BULKHEADS), "unlimited", "Calls at once for each of a kind."),
    ],
};

static CONCURRENCY: Section = Section {
    name: "overload.concurrency",
    doc: "The limit of calls at once on each model of each provider. A call that finds no place goes to the route's \
          next model; where there is none it waits, by priority.",
    fields: &[
        field(
            "algorithm",
            words(&["fixed", "gradient", "aimd"]),
            "fixed",
            "How the limit is found: it stays at `most`; it follows the time to first token; it follows refusals and \
             time-outs.",
        ),
        field("initial", Is::Integer(1, MANY), "20", "Where it starts, unless it is fixed."),
        field("least", Is::Integer(1, MANY), "2", "It never falls under this."),
        field("most", Is::Integer(1, MANY), "10000", "It never rises over this."),
        field(
            "obey",
            Is::Bool,
            "true",
            "Whether a model is left alone for as long as its `retry-after` (up to a day) and its rate-limit headers \
             say that it would refuse.",
        ),
        field("wait", Is::Wait, "2s", "The longest wait for a place."),
        field("queue", Is::Integer(1, 100_000), "1000", "Calls that may wait on one model."),
    ],
};

static SHED: Section = Section {
    name: "overload.shed",
    doc: "A model's line of calls that wait for a place is kept short enough, once it does not go away by itself: with \
          each call that comes and is one too many, the one that ranks lowest of all in the line is refused. A call's \
          rank is its priority (`x-windlass-priority`), within it how much its tenant has got of late beside others, and \
          within that a place that its user keeps for an hour. A call that finds a place is never refused for this.",
    fields: &[
        field("enabled", Is::Bool, "true", "Whether calls are refused for this."),
        field(
            "target",
            Is::Duration,
            "500ms",
            "How long calls may have to wait in a line that does not go away. Four may always wait.",
        ),
        field(
            "patience",
            Is::Duration,
            "2s",
            "A line that has stood for less is a burst: in it calls may wait as long as `overload.concurrency.wait` says.",
        ),
        field("spare_critical", Is::Bool, "true", "Whether critical calls are never refused for this."),
    ],
};

static MEMORY: Section = Section {
    name: "overload.memory",
    doc: "Under memory pressure fewer calls run at once, and then new ones are refused, lowest priority first, before \
          the process is killed.",
    fields: &[
        field("enabled", Is::Bool, "true", "Whether there is a guard."),
        option("limit", Is::Size, "what its control group or the machine has", "What this process may use."),
        field("tight", Is::Share, "80%", "From here on fewer calls run."),
        field("shedding", Is::Share, "90%", "From here on new calls are refused."),
    ],
};

static LOAD: Section = Section {
    name: "overload.load",
    doc: "Levels `low`, `medium`, `high` and `critical`. A reading that is over the first mark of a figure is one \
          point, over the second two, over the third three; the points of all figures together give the level. Up \
          at the second reading that says so, down after half a minute of less.",
    fields: &[
        field("enabled", Is::Bool, "false", "Whether load is read, and limits what calls may do."),
        field("every", Is::Duration, "5s", "How often it is read."),
        option("rate", Is::List(&MARK), "[5, 10, 20]", "Calls a second, over a minute."),
        option("latency", Is::List(&MARK), "[1, 2, 5]", "Seconds to a whole answer, the mean."),
        option("errors", Is::List(&MARK), "[0.02, 0.05, 0.1]", "The failed part of calls."),
        option("running", Is::List(&MARK), "[20, 40]", "Calls that run; two marks."),
        option("processor", Is::List(&MARK), "[0.7, 0.85, 0.95]", "The used part of the processors."),
        option("memory", Is::List(&MARK), "[0.7, 0.8, 0.9]", "The used part of the memory."),
        option("levels", Is::List(&MARK), "[2, 5, 8]", "Points from which it is medium, high, critical."),
        option("low", Is::Section(&ALLOWANCE), "5 at once, 30s, 3 attempts", "What the level allows."),
        option("medium", Is::Section(&ALLOWANCE), "15, 20s, 2", "What the level allows."),
        option("high", Is::Section(&ALLOWANCE), "30, 15s, 1, 300 tokens", "What the level allows."),
        option("critical", Is::Section(&ALLOWANCE), "50, 10s, 1, 300 tokens", "What the level allows."),
    ],
};

static MARK: Is = Is::Number(0.0, 1e9);

static ALLOWANCE: Section = Section {
    name: "overload.load.LEVEL",
    doc: "What a load level allows. What is left out is seed 004's.",
    fields: &[
        option("concurrency", Is::Integer(1, MANY), "see `overload.load`", "Calls at once in this process."),
        option("timeout", Is::Duration, "see `overload.load`", "The longest time of a call."),
        option("attempts", Is::Integer(1, 20), "see `overload.load`", "Attempts on each model."),
        option("max_tokens", Is::Integer(1, MANY), "see `overload.load`", "The longest answer, in tokens."),
    ],
};

static BULKHEADS: Section = Section {
    name: "overload.bulkheads",
    doc: "How many calls at once each of a kind may have, so that none of them fills the ship.",
    fields: &[
        option("step", Is::Integer(1, MANY), "unlimited", "Each step of each chain."),
        option("provider", Is::Integer(1, MANY), "unlimited", "Each provider."),
        option("tenant", Is::Integer(1, MANY), "unlimited", "Each tenant."),
    ],
};

pub(crate) fn overload(mut fields: Fields<'_>) -> Overload {
    let overload = Overload {
        max_calls: fields.integer("max_calls"),
        concurrency: concurrency(fields.section("concurrency")),
        shed: shed(fields.section("shed")),
        memory: memory(fields.section("memory")),
        load: load(fields.section("load")),
        degrade: fields.bool("degrade"),
        bulkheads: bulkheads(fields.section("bulkheads")),
    };
    fields.finish();
    overload
}

fn concurrency(mut fields: Fields<'_>) -> Concurrency {
    let words = [
        ("fixed", Algorithm::Fixed),
        ("gradient", Algorithm::Gradient(Gradient::default())),
        ("aimd", Algorithm::Aimd(Aimd::default())),
    ];
    let algorithm = fields.word("algorithm", &words).unwrap_or(Algorithm::Fixed);
    let said = fields.value("least").is_some();
    let (initial, least, most) =
        (fields.integer("initial"), fields.integer::<u32>("least"), fields.integer::<u32>("most"));
    if said && least > most {
        fields.error("`least` is more than `most`");
    }
    // What nobody wrote is no reason to refuse what somebody did.
    let least = least.min(most);
    let initial = if algorithm == Algorithm::Fixed { most } else { initial };
    let concurrency = Concurrency {
        settings: concurrency::Settings { initial, least, most, algorithm },
        obey: fields.bool("obey"),
        wait: fields.duration("wait"),
        queue: fields.integer("queue"),
    };
    fields.finish();
    concurrency
}

fn shed(mut fields: Fields<'_>) -> Option<shed::Settings> {
    let enabled = fields.bool("enabled");
    let settings = shed::Settings {
        target: fields.duration("target"),
        patience: fields.duration("patience"),
        spare_critical: fields.bool("spare_critical"),
    };
    fields.finish();
    enabled.then_some(settings)
}

fn memory(mut fields: Fields<'_>) -> Option<Memory> {
    let enabled = fields.bool("enabled");
    let limit = fields.value("limit").and_then(document::Reader::size);
    let (tight, shedding) = (percent(fields.share("tight")), percent(fields.share("shedding")));
    if tight >= shedding || shedding > 99 {
        fields.error("`tight` must be less than `shedding`, and that less than 100%");
    }
    fields.finish();
    let settings = memory::Settings { tight, shedding, ..memory::Settings::default() };
    enabled.then_some(Memory { limit, settings })
}

fn load(mut fields: Fields<'_>) -> Option<Load> {
    let enabled = fields.bool("enabled");
    let every = fields.duration("every");
    let base = load::Settings::default();
    let thresholds = load::Thresholds {
        rate: marks(&mut fields, "rate", base.thresholds.rate),
        latency: marks(&mut fields, "latency", base.thresholds.latency),
        errors: marks(&mut fields, "errors", base.thresholds.errors),
        running: marks(&mut fields, "running", base.thresholds.running),
        processor: marks(&mut fields, "processor", base.thresholds.processor),
        memory: marks(&mut fields, "memory", base.thresholds.memory),
        levels: marks(&mut fields, "levels", base.thresholds.levels.map(f64::from)).map(points),
    };
    let load::Allowances(usual) = load::Allowances::default();
    let mut allowances = usual;
    for (key, allowance) in ["low", "medium", "high", "critical"].into_iter().zip(&mut allowances) {
        *allowance = allowed(fields.section(key), *allowance);
    }
    fields.finish();
    enabled.then_some(Load {
        every,
        settings: load::Settings { thresholds, ..base },
        allowances: load::Allowances(allowances),
    })
}

fn allowed(mut fields: Fields<'_>, base: load::Allowance) -> load::Allowance {
    let allowance = load::Allowance {
        concurrency: fields.integer_if_set("concurrency").unwrap_or(base.concurrency),
        timeout: fields.duration_if_set("timeout").unwrap_or(base.timeout),
        attempts: fields.integer_if_set("attempts").unwrap_or(base.attempts),
        max_tokens: fields.integer_if_set("max_tokens").or(base.max_tokens),
    };
    fields.finish();
    allowance
}

/// Exactly as many marks as `base` has, each over the one before.
fn marks<const N: usize>(fields: &mut Fields<'_>, key: &'static str, base: [f64; N]) -> [f64; N] {
    let given = fields.items(key);
    let Some(first) = given.first().cloned() else { return base };
    let read: Vec<f64> = given.into_iter().filter_map(|item| item.float(0.0..=1e9)).collect();
    let rising = read.windows(2).all(|pair| pair[0] < pair[1]);
    match <[f64; N]>::try_from(read) {
        Ok(marks) if rising => marks,
        _ => {
            first.error(format!("`{key}` takes {N} numbers, each larger than the one before"));
            base
        }
    }
}

fn bulkheads(mut fields: Fields<'_>) -> Bulkheads {
    let bulkheads = Bulkheads {
        step: fields.integer_if_set("step"),
        provider: fields.integer_if_set("provider"),
        tenant: fields.integer_if_set("tenant"),
    };
    fields.finish();
    bulkheads
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share is 0 to 1")]
fn percent(share: f64) -> u32 {
    (share * 100.0).round() as u32
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "marks are 0 to 1e9")]
fn points(mark: f64) -> u32 {
    mark as u32
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_defaults_are_the_machines_own() {
        let overload = overload(Fields::open(&OVERLOAD, None));
        assert_eq!(overload.shed, Some(shed::Settings::default()));
        let memory = Memory { limit: None, settings: memory::Settings::default() };
        assert_eq!(overload.memory, Some(memory));
        assert_eq!((overload.load, overload.degrade), (None, false));
        assert_eq!(overload.bulkheads, Bulkheads::default());
        let Concurrency { settings, wait, .. } = overload.concurrency;
        assert_eq!(settings.least, concurrency::Settings::default().least);
        assert_eq!((settings.initial, settings.algorithm), (settings.most, Algorithm::Fixed));
        assert_eq!(
            settings.most, overload.max_calls,
            "by itself it bounds nothing that is not bounded anyway"
        );
        assert_eq!(wait, Duration::from_secs(2));
    }
}

//! A ledger row as columns, both ways.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, Row as _};
use types::ledger::Row;
use types::{AttemptKey, CallId, Money, RunId, Timestamp, Timing, TraceId, Usage};

use crate::StoreError;

/// The columns, in the order of [`bind`].
pub(super) const COLUMNS: [&str; 38] = [
    "call",
    "attempt",
    "at",
    "trace",
    "run",
    "step",
    "caller",
    "tenant",
    "user",
    "asked",
    "provider",
    "model",
    "dialect",
    "streamed",
    "fallback",
    "simulated",
    "outcome",
    "status",
    "fault",
    "code",
    "input",
    "output",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "reasoning",
    "audio_input",
    "audio_output",
    "usage_source",
    "cost_usd",
    "cost_pico",
    "dns_us",
    "connect_us",
    "tls_us",
    "first_byte_us",
    "first_token_us",
    "transfer_us",
    "total_us",
];

/// Pico-dollars in a dollar.
const DOLLAR: i128 = 1_000_000_000_000;

/// Binds the row's columns.
pub(super) fn bind(row: &Row, to: &mut SqliteArguments) -> Result<(), sqlx::Error> {
    bind_all(row, to).map_err(sqlx::Error::Encode)
}

fn bind_all(row: &Row, to: &mut SqliteArguments) -> Result<(), sqlx::error::BoxDynError> {
    let text = |text: &Option<Arc<str>>| text.as_ref().map(ToString::to_string);
    to.add(row.key.call.as_bytes().to_vec())?;
    to.add(i64::from(row.key.attempt))?;
    to.add(row.at.as_micros())?;
    to.add(row.trace.to_bytes().to_vec())?;
    to.add(row.run.map(|run| run.as_bytes().to_vec()))?;
    for name in [&row.step, &row.caller, &row.tenant, &row.user] {
        to.add(text(name))?;
    }
    for name in [&row.asked, &row.provider, &row.model] {
        to.add(name.to_string())?;
    }
    to.add(row.dialect.as_str())?;
    for switch in [row.streamed, row.fallback, row.simulated] {
        to.add(switch)?;
    }
    to.add(row.outcome.as_str())?;
    to.add(row.status.map(i64::from))?;
    to.add(row.fault.map(types::Kind::as_str))?;
    to.add(row.code.map(types::Code::as_str))?;
    let usage = &row.usage;
    for count in [usage.input, usage.output, usage.cache_read, usage.cache_write] {
        to.add(clamp(count))?;
    }
    for count in [usage.cache_write_1h, usage.reasoning, usage.audio_input, usage.audio_output] {
        to.add(clamp(count))?;
    }
    to.add(source_name(row.usage_source))?;
    let cost = row.cost.map(split);
    to.add(cost.map(|(dollars, _)| dollars))?;
    to.add(cost.map(|(_, pico)| pico))?;
    let Timing { dns, connect, tls, first_byte, first_token, transfer, total } = row.timing;
    for stage in [dns, connect, tls, first_byte, first_token, transfer, total] {
        to.add(stage.map(|stage| clamp(stage.as_micros())))?;
    }
    Ok(())
}

fn source_name(source: types::UsageSource) -> &'static str {
    match source {
        types::UsageSource::Reported => "reported",
        types::UsageSource::Counted => "counted",
        types::UsageSource::Estimated => "estimated",
        types::UsageSource::None => "none",
    }
}

fn clamp(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

/// Whole dollars and pico-dollars. More than 9 × 10¹⁸ dollars are so many.
fn split(money: Money) -> (i64, i64) {
    let pico = money.as_pico();
    let dollars = pico.div_euclid(DOLLAR);
    let bounded = dollars.clamp(i64::MIN.into(), i64::MAX.into());
    (clamp(bounded), clamp(pico.rem_euclid(DOLLAR)))
}

/// What [`split`] made two of.
pub(super) fn join(dollars: i128, pico: i128) -> Money {
    Money::from_pico(dollars.saturating_mul(DOLLAR).saturating_add(pico))
}

/// Reads a row with the columns [`COLUMNS`].
pub(super) fn read(row: &SqliteRow) -> Result<Row, StoreError> {
    let from = Columns(row);
    let mut usage = Usage::plain(from.count("input")?, from.count("output")?);
    usage.cache_read = from.count("cache_read")?;
    usage.cache_write = from.count("cache_write")?;
    usage.cache_write_1h = from.count("cache_write_1h")?;
    usage.reasoning = from.count("reasoning")?;
    usage.audio_input = from.count("audio_input")?;
    usage.audio_output = from.count("audio_output")?;
    let cost = from.get::<Option<i64>>("cost_usd")?.zip(from.get::<Option<i64>>("cost_pico")?);
    Ok(Row {
        key: AttemptKey { call: from.call("call")?, attempt: from.number("attempt")? },
        at: Timestamp::from_micros(from.get("at")?),
        trace: from.trace("trace")?,
        caller: from.name("caller")?,
        tenant: from.name("tenant")?,
        user: from.name("user")?,
        asked: from.get::<String>("asked")?.into(),
        provider: from.get::<String>("provider")?.into(),
        model: from.get::<String>("model")?.into(),
        dialect: from.word("dialect")?,
        streamed: from.get("streamed")?,
        fallback: from.get("fallback")?,
        simulated: from.get("simulated")?,
        outcome: from.word("outcome")?,
        status: from.get::<Option<i64>>("status")?.and_then(|status| status.try_into().ok()),
        fault: from.get::<Option<String>>("fault")?.map(|text| word(&text)).transpose()?,
        code: from.get::<Option<String>>("code")?.map(|text| word(&text)).transpose()?,
        usage,
        usage_source: from.word("usage_source")?,
        cost: cost.map(|(dollars, pico)| join(dollars.into(), pico.into())),
        timing: Timing {
            dns: from.duration("dns_us")?,
            connect: from.duration("connect_us")?,
            tls: from.duration("tls_us")?,
            first_byte: from.duration("first_byte_us")?,
            first_token: from.duration("first_token_us")?,
            transfer: from.duration("transfer_us")?,
            total: from.duration("total_us")?,
        },
        run: from.run("run")?,
        step: from.name("step")?,
    })
}

/// A row's columns by name, as our types.
pub(super) struct Columns<'a>(pub(super) &'a SqliteRow);

impl<'a> Columns<'a> {
    pub(super) fn get<T>(&self, column: &str) -> Result<T, StoreError>
    where
        T: sqlx::Decode<'a, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        self.0.try_get(column).map_err(StoreError::database("read a column"))
    }

    pub(super) fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T, StoreError> {
        let number: i64 = self.get(column)?;
        T::try_from(number).map_err(|_| StoreError::unreadable("number", number))
    }

    fn count(&self, column: &str) -> Result<u64, StoreError> {
        self.number(column)
    }

    fn duration(&self, column: &str) -> Result<Option<Duration>, StoreError> {
        let micros = self.get::<Option<i64>>(column)?;
        Ok(micros.and_then(|micros| micros.try_into().ok()).map(Duration::from_micros))
    }

    pub(super) fn name(&self, column: &str) -> Result<Option<Arc<str>>, StoreError> {
        Ok(self.get::<Option<String>>(column)?.map(Into::into))
    }

    pub(super) fn word<T: for<'de> Deserialize<'de>>(&self, column: &str) -> Result<T, StoreError> {
        word(&self.get::<String>(column)?)
    }

    fn bytes(&self, column: &str) -> Result<Option<[u8; 16]>, StoreError> {
        let bytes = self.get::<Option<Vec<u8>>>(column)?;
        let exact = |bytes: Vec<u8>| bytes.try_into().map_err(|_| StoreError::unreadable("id", column));
        bytes.map(exact).transpose()
    }

    fn call(&self, column: &str) -> Result<CallId, StoreError> {
        let bytes = self.bytes(column)?.ok_or_else(|| StoreError::unreadable("call", "nothing"))?;
        Ok(CallId::from_bytes(bytes))
    }

    pub(super) fn run(&self, column: &str) -> Result<Option<RunId>, StoreError> {
        Ok(self.bytes(column)?.map(RunId::from_bytes))
    }

    pub(super) fn trace(&self, column: &str) -> Result<TraceId, StoreError> {
        let trace = self.bytes(column)?.and_then(TraceId::from_bytes);
        trace.ok_or_else(|| StoreError::unreadable("trace", "all zero"))
    }
}

/// A word that names one of an enum's variants.
fn word<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, StoreError> {
    let word: StrDeserializer<'_, ValueError> = text.into_deserializer();
    T::deserialize(word).map_err(|error| StoreError::unreadable("word", error))
}

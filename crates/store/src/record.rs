//! A ledger row as one line of JSON: what the spool holds and the database keeps.
//!
//! Written by hand, because it is written once per attempt on the call path; the bytes are those that
//! `serde_json` would write. On the way to the database only the key is looked for: a line was checked
//! against its checksum by then, and is read whole only by whoever asks for rows.

use std::sync::Arc;
use std::time::Duration;

use memchr::memmem;
use types::ledger::{Row, Seam};
use types::{AttemptKey, CallId, Code, Kind, Money, RunId, Timing, Usage};

use crate::StoreError;

/// A row on its way to the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The row's key.
    pub key: AttemptKey,
    /// The row's run.
    pub run: Option<RunId>,
    /// All of the row.
    pub json: Arc<str>,
}

impl Record {
    /// The record in a line that [`write`] wrote; `None` for any other line.
    pub(crate) fn find(json: &[u8]) -> Option<Self> {
        let (call, rest) = id(json.strip_prefix(b"{\"call\":\"call_")?)?;
        let rest = rest.strip_prefix(b"\",\"attempt\":")?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let attempt = str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
        // No text can hold this: its quotes would be escaped.
        let run = match memmem::find(rest, b",\"run\":\"run_") {
            Some(at) => Some(RunId::from_bytes(id(&rest[at + 12..])?.0)),
            None => None,
        };
        let key = AttemptKey { call: CallId::from_bytes(call), attempt };
        Some(Self { key, run, json: str::from_utf8(json).ok()?.into() })
    }

    /// The row itself.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`]: it was written by another version.
    pub fn row(&self) -> Result<Row, StoreError> {
        read(&self.json)
    }
}

impl From<&Row> for Record {
    fn from(row: &Row) -> Self {
        let mut json = Vec::with_capacity(1024);
        write(row, &mut json);
        let json = String::from_utf8_lossy(&json).into();
        Self { key: row.key, run: row.run, json }
    }
}

/// Reads what [`write`] wrote.
pub(crate) fn read(json: &str) -> Result<Row, StoreError> {
    serde_json::from_str(json).map_err(|problem| StoreError::unreadable("ledger row", problem))
}

/// Sixteen bytes in hexadecimal digits, and what follows them.
fn id(text: &[u8]) -> Option<([u8; 16], &[u8])> {
    let (digits, rest) = text.split_first_chunk::<32>()?;
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_chunks::<2>().0) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some((bytes, rest))
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// Writes the row behind what `out` holds.
pub(crate) fn write(row: &Row, out: &mut Vec<u8>) {
    // Taken apart by name, so that a new field cannot be forgotten here.
    let Row {
        key: AttemptKey { call, attempt },
        at,
        trace,
        caller,
        tenant,
        user,
        asked,
        provider,
        model,
        dialect,
        streamed,
        fallback,
        simulated,
        outcome,
        status,
        fault,
        code,
        usage,
        usage_source,
        cost,
        timing,
        run,
        step,
        profile,
        seam,
    } = row;
    let mut line = Line(out);
    line.raw("{\"call\":\"call_").hex(call.as_bytes());
    line.raw("\",\"attempt\":").count(u64::from(*attempt));
    line.raw(",\"at\":").number(at.as_micros());
    line.raw(",\"trace\":\"").hex(&trace.to_bytes()).raw("\"");
    line.name(",\"caller\":", caller.as_deref());
    line.name(",\"tenant\":", tenant.as_deref());
    line.name(",\"user\":", user.as_deref());
    line.raw(",\"asked\":").text(asked);
    line.raw(",\"provider\":").text(provider);
    line.raw(",\"model\":").text(model);
    line.raw(",\"dialect\":\"").raw(dialect.as_str());
    line.raw("\",\"streamed\":").switch(*streamed);
    line.raw(",\"fallback\":").switch(*fallback);
    line.raw(",\"simulated\":").switch(*simulated);
    line.raw(",\"outcome\":\"").raw(outcome.as_str()).raw("\"");
    if let Some(status) = *status {
        line.raw(",\"status\":").count(u64::from(status));
    }
    line.word(",\"fault\":\"", fault.map(Kind::as_str));
    line.word(",\"code\":\"", code.map(Code::as_str));
    line.usage(usage);
    line.raw(",\"usage_source\":\"").raw(usage_source.as_str()).raw("\"");
    line.cost(*cost);
    line.timing(timing);
    if let Some(run) = run {
        line.raw(",\"run\":\"run_").hex(run.as_bytes()).raw("\"");
    }
    line.name(",\"step\":", step.as_deref());
    if let Some(profile) = profile {
        line.raw(",\"profile\":").json(profile);
    }
    if let Some(Seam { at_bytes, how }) = *seam {
        line.raw(",\"seam\":{\"at_bytes\":").count(at_bytes);
        line.raw(",\"how\":\"").raw(how.as_str()).raw("\"}");
    }
    line.raw("}");
}

/// A line that is being written.
struct Line<'a>(&'a mut Vec<u8>);

impl Line<'_> {
    fn raw(&mut self, text: &str) -> &mut Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    fn hex(&mut self, bytes: &[u8; 16]) -> &mut Self {
        let mut digits = [0; 32];
        for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
            let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
            *pair = [digit(byte >> 4), digit(byte & 0xf)];
        }
        self.0.extend_from_slice(&digits);
        self
    }

    fn number(&mut self, number: i64) -> &mut Self {
        if number < 0 {
            self.0.push(b'-');
        }
        self.count(number.unsigned_abs())
    }

    fn count(&mut self, mut count: u64) -> &mut Self {
        let mut digits = [0; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            // The remainder has one digit.
            digits[at] = b'0' + (count % 10) as u8;
            count /= 10;
            if count == 0 {
                break;
            }
        }
        self.0.extend_from_slice(&digits[at..]);
        self
    }

    fn switch(&mut self, on: bool) {
        self.raw(if on { "true" } else { "false" });
    }

    fn text(&mut self, text: &str) {
        if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
            // Writing to a vector does not fail.
            let _ = serde_json::to_writer(&mut *self.0, text);
        } else {
            self.raw("\"").raw(text).raw("\"");
        }
    }

    fn json(&mut self, value: &impl serde::Serialize) {
        // Writing to a vector does not fail.
        let _ = serde_json::to_writer(&mut *self.0, value);
    }

    fn name(&mut self, before: &str, name: Option<&str>) {
        if let Some(name) = name {
            self.raw(before).text(name);
        }
    }

    fn word(&mut self, before: &str, word: Option<&'static str>) {
        if let Some(word) = word {
            self.raw(before).raw(word).raw("\"");
        }
    }

    fn usage(&mut self, usage: &Usage) {
        let &Usage {
            input,
            output,
            cache_read,
            cache_write,
            cache_write_1h,
            reasoning,
            audio_input,
            audio_output,
        } = usage;
        self.raw(",\"usage\":{\"input\":").count(input).raw(",\"output\":").count(output);
        for (before, count) in [
            (",\"cache_read\":", cache_read),
            (",\"cache_write\":", cache_write),
            (",\"cache_write_1h\":", cache_write_1h),
            (",\"reasoning\":", reasoning),
            (",\"audio_input\":", audio_input),
            (",\"audio_output\":", audio_output),
        ] {
            if count > 0 {
                self.raw(before).count(count);
            }
        }
        self.raw("}");
    }

    fn cost(&mut self, cost: Option<Money>) {
        if let Some(cost) = cost {
            self.raw(",\"cost\":\"").raw(cost.text().as_str()).raw("\"");
        }
    }

    fn timing(&mut self, timing: &Timing) {
        let &Timing { dns, connect, tls, first_byte, first_token, transfer, total } = timing;
        self.raw(",\"timing\":{");
        let mut between = "";
        for (name, stage) in [
            ("\"dns\":", dns),
            ("\"connect\":", connect),
            ("\"tls\":", tls),
            ("\"first_byte\":", first_byte),
            ("\"first_token\":", first_token),
            ("\"transfer\":", transfer),
            ("\"total\":", total),
        ] {
            if let Some(stage) = stage {
                self.raw(between).raw(name).count(micros(stage));
                between = ",";
            }
        }
        self.raw("}");
    }
}

fn micros(stage: Duration) -> u64 {
    u64::try_from(stage.as_micros()).unwrap_or(u64::MAX)
}

//! What an answer says, read strictly in OpenAI's dialect: a whole answer, one error, or neither.

use serde_json::Value;

use super::call::{End, Seen};

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// An answer that claims to be whole.
    Answer { text: String, usage: Option<(u64, u64)> },
    /// One error, in its place.
    Error { told: Told, text: String },
    /// The caller has left; until then it was this.
    Left { text: String },
}

/// Where an error was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// By the status.
    Status(u16),
    /// In the stream, whose status was 200.
    Stream,
}

/// Characters of an answer that are shown where it makes no sense.
const SHOWN: usize = 80;

/// Reads a plain answer.
pub(super) fn plain(seen: &Seen) -> Result<Said, String> {
    let status = begun(seen)?;
    match &seen.end {
        End::Broken(why) => return Err(format!("the answer broke off: {why}")),
        End::Late => return Err("the answer had not ended when the time was over".to_owned()),
        End::Whole | End::Left => {}
    }
    if status != 200 {
        return error(status, seen);
    }
    let body: Value = json(&seen.body)?;
    if !body["error"].is_null() {
        return Err("an error with status 200".to_owned());
    }
    let choice = &body["choices"][0];
    match (choice["message"]["content"].as_str(), choice["finish_reason"].as_str()) {
        (Some(text), Some(_)) => Ok(Said::Answer { text: text.to_owned(), usage: usage(&body) }),
        _ => Err(format!("status 200 with something that is no answer: {}", excerpt(&seen.body))),
    }
}

/// Reads a stream, or the error that came in place of one.
pub(super) fn stream(seen: &Seen) -> Result<Said, String> {
    let status = begun(seen)?;
    if status != 200 {
        return plain(seen);
    }
    if !seen.content_type.starts_with("text/event-stream") {
        return Err(format!("a stream of the type `{}`: {}", seen.content_type, excerpt(&seen.body)));
    }
    let mut told = Events::default();
    let text = String::from_utf8_lossy(&seen.body).replace("\r\n", "\n");
    for event in text.split_inclusive("\n\n") {
        told.take(event, seen.end == End::Left)?;
    }
    match (&seen.end, told.failed, told.done, told.finished) {
        (End::Left, false, false, _) => Ok(Said::Left { text: told.text }),
        (End::Late, ..) => Err("the stream had not ended when the time was over".to_owned()),
        (End::Broken(why), false, false, _) => Err(format!("the stream broke off without a word: {why}")),
        (End::Broken(why), ..) => Err(format!("the stream ended, and then the connection broke: {why}")),
        (_, true, true, _) => Err("an error, and then [DONE] as if all were well".to_owned()),
        (_, true, false, _) => Ok(Said::Error { told: Told::Stream, text: told.text }),
        (_, false, true, true) => Ok(Said::Answer { text: told.text, usage: told.usage }),
        (_, false, true, false) => Err("a half answer ended in [DONE]".to_owned()),
        (_, false, false, _) => Err("the stream ended without [DONE] and without an error".to_owned()),
    }
}

/// What the events of a stream have told so far.
#[derive(Debug, Default)]
struct Events {
    text: String,
    usage: Option<(u64, u64)>,
    finished: bool,
    failed: bool,
    done: bool,
}

impl Events {
    fn take(&mut self, event: &str, may_be_half: bool) -> Result<(), String> {
        let whole = event.ends_with("\n\n");
        let data: Vec<&str> = event.lines().filter_map(|line| line.strip_prefix("data:")).collect();
        if data.is_empty() || (!whole && may_be_half) {
            return Ok(());
        }
        let data = data.join("\n");
        let data = data.trim_start();
        if self.done {
            return Err(format!("an event after [DONE]: {}", excerpt(data.as_bytes())));
        }
        if data == "[DONE]" {
            self.done = true;
            return Ok(());
        }
        let value = json(data.as_bytes()).map_err(|why| format!("in the stream: {why}"))?;
        if !value["error"].is_null() {
            if self.failed {
                return Err("two errors in one stream".to_owned());
            }
            self.failed = true;
            return shaped(&value).map_err(|why| format!("in the stream: {why}"));
        }
        if self.failed {
            return Err("the stream went on after its error".to_owned());
        }
        if !value["choices"].is_array() {
            return Err(format!("an event that is no part of an answer: {}", excerpt(data.as_bytes())));
        }
        self.text += value["choices"][0]["delta"]["content"].as_str().unwrap_or_default();
        self.finished |= value["choices"][0]["finish_reason"].is_string();
        self.usage = usage(&value).or(self.usage);
        Ok(())
    }
}

fn begun(seen: &Seen) -> Result<u16, String> {
    seen.status.ok_or_else(|| match &seen.end {
        End::Broken(why) => format!("no answer: {why}"),
        _ => "no answer in the time given".to_owned(),
    })
}

fn error(status: u16, seen: &Seen) -> Result<Said, String> {
    if !seen.content_type.starts_with("application/json") {
        return Err(format!("{status} of the type `{}`: {}", seen.content_type, excerpt(&seen.body)));
    }
    let body = json(&seen.body).map_err(|why| format!("{status}: {why}"))?;
    shaped(&body).map_err(|why| format!("{status}: {why}"))?;
    Ok(Said::Error { told: Told::Status(status), text: String::new() })
}

/// `{"error": {"message": "…", "type": "…"}}`
fn shaped(body: &Value) -> Result<(), String> {
    let error = &body["error"];
    let message = error["message"].as_str().is_some_and(|message| !message.is_empty());
    if message && error.get("type").is_some() {
        return Ok(());
    }
    Err(format!("not the dialect's error: {}", excerpt(body.to_string().as_bytes())))
}

fn usage(body: &Value) -> Option<(u64, u64)> {
    let usage = &body["usage"];
    Some((usage["prompt_tokens"].as_u64()?, usage["completion_tokens"].as_u64()?))
}

fn json(bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|_| format!("not JSON: {}", excerpt(bytes)))
}

fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * SHOWN)]);
    let text = text.trim();
    if text.is_empty() {
        return "nothing".to_owned();
    }
    let shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() { format!("{shown} …") } else { shown }
}

#[cfg(test)]
mod tests;

//! Typed readers of single values. A value that came from the environment is text that may stand for any of
//! them, and is never shown.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value as Json;

use crate::suggest::help_among;
use crate::{Reader, Value, parse_duration, parse_size, scalar};

impl Reader<'_> {
    /// The value, where a text from the environment, quoted or not, is resolved like a plain one.
    fn resolved(&self) -> Value {
        match &self.node.value {
            Value::Text(text) if self.node.interpolated => scalar::resolve(text.trim()),
            value => value.clone(),
        }
    }

    /// The written value for a message, unless it may be a secret.
    fn shown(&self) -> String {
        let raw = self.node.raw();
        if self.node.interpolated || raw.is_empty() || raw.len() > 40 {
            self.node.kind().to_owned()
        } else {
            format!("`{raw}`")
        }
    }

    /// A text. A number or a truth value is not one: it wants quotes.
    pub fn text(self) -> Option<String> {
        match &self.node.value {
            Value::Text(text) => return Some(text.clone()),
            Value::Bool(_) | Value::Integer(_) | Value::Float(_) => {
                let help = format!("put it in quotes: \"{}\"", self.node.raw());
                self.error_with_help(format!("expected text, found {}", self.shown()), help);
            }
            _ => self.mismatch("text"),
        }
        None
    }

    /// A text with something in it other than white space.
    pub fn nonempty_text(self) -> Option<String> {
        let reader = self.clone();
        let text = self.text()?;
        if text.trim().is_empty() {
            reader.error("must not be empty");
            return None;
        }
        Some(text)
    }

    /// `true` or `false`.
    pub fn bool(self) -> Option<bool> {
        match self.resolved() {
            Value::Bool(value) => return Some(value),
            Value::Text(text) => {
                let help = match text.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "y" => Some("write `true`"),
                    "no" | "off" | "n" => Some("write `false`"),
                    _ => None,
                };
                let message = format!("expected true or false, found {}", self.shown());
                match help {
                    Some(help) => self.error_with_help(message, help),
                    None => self.error(message),
                }
            }
            _ => self.mismatch("true or false"),
        }
        None
    }

    /// A whole number within bounds.
    pub fn integer<T>(self, bounds: RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<i128> + PartialOrd + Display,
    {
        let Value::Integer(value) = self.resolved() else {
            self.error(format!("expected a whole number, found {}", self.shown()));
            return None;
        };
        let value = T::try_from(value).ok().filter(|value| bounds.contains(value));
        if value.is_none() {
            self.error(format!("must be from {} to {}", bounds.start(), bounds.end()));
        }
        value
    }

    /// A number within bounds; never infinite or not-a-number.
    #[expect(clippy::cast_precision_loss, reason = "a float was asked for")]
    pub fn float(self, bounds: RangeInclusive<f64>) -> Option<f64> {
        let value = match self.resolved() {
            Value::Integer(value) => value as f64,
            Value::Float(value) => value,
            _ => {
                self.error(format!("expected a number, found {}", self.shown()));
                return None;
            }
        };
        if !value.is_finite() || !bounds.contains(&value) {
            self.error(format!("must be from {} to {}", bounds.start(), bounds.end()));
            return None;
        }
        Some(value)
    }

    /// A decimal number as it was written, for exact arithmetic: `0.15`, `"7.5e-07"`. Its digits have been
    /// checked, its size has not.
    pub fn decimal(self) -> Option<String> {
        let raw = self.node.raw().trim();
        let number = matches!(scalar::resolve(raw), Value::Integer(_) | Value::Float(_));
        let digits = raw.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
        if number && digits && raw.len() <= 64 {
            return Some(raw.to_owned());
        }
        self.error(format!("expected a decimal number such as 0.25, found {}", self.shown()));
        None
    }

    /// A duration: `500ms`, `30s`, `5m`, `1h`.
    pub fn duration(self) -> Option<Duration> {
        if let Value::Text(text) = &self.node.value
            && let Some(duration) = parse_duration(text)
        {
            return Some(duration);
        }
        let message = format!("expected a duration, found {}", self.shown());
        let help = match self.node.value {
            Value::Integer(_) | Value::Float(_) if !self.node.interpolated => {
                format!("say the unit: {0}s, {0}ms", self.node.raw())
            }
            _ => "write 500ms, 30s, 5m or 1h".to_owned(),
        };
        self.error_with_help(message, help);
        None
    }

    /// A duration in whole or decimal seconds, as a bare number.
    pub fn seconds(self) -> Option<Duration> {
        self.float(0.0..=1e9).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    }

    /// A size in bytes: `64MB` (SI), `32KiB`, `1024`.
    pub fn size(self) -> Option<u64> {
        let size = match self.resolved() {
            Value::Integer(_) | Value::Float(_) | Value::Text(_) => parse_size(self.node.raw()),
            _ => None,
        };
        if size.is_none() {
            self.error_with_help(
                format!("expected a size, found {}", self.shown()),
                "write 64MB, 32KiB or 1024",
            );
        }
        size
    }

    /// One of a closed set of words.
    pub fn one_of<T: Clone>(self, words: &[(&str, T)]) -> Option<T> {
        let raw = self.node.raw();
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == raw) {
            return Some(value.clone());
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let message = format!("expected one of {}, found {}", known.join(", "), self.shown());
        match help_among(raw, &known).filter(|help| help.starts_with("did") && !self.node.interpolated) {
            Some(help) => self.error_with_help(message, help),
            None => self.error(message),
        }
        None
    }

    /// Any value, as JSON.
    pub fn json(self) -> Option<Json> {
        Some(self.node.to_json())
    }
}

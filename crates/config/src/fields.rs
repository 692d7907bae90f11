//! Reads a map by its table: keys, bounds, words and defaults come from the [`Section`], so asking for a key
//! is enough. A value that is missing or wrong is noted where it stands and its default is handed out, so
//! that reading goes on; who reads throws everything away if anything was noted.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use document::{MapReader, Reader, parse_duration, parse_size};
use types::price::Rate;

use crate::table::{Default, Field, Is, Section, Words};
use crate::{BaseUrl, Secret};

/// A map being read.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    section: &'static Section,
    map: Option<MapReader<'a>>,
    asked: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Opens the map at `reader`; without one, and where null stands, every key has its default.
    pub(crate) fn open(section: &'static Section, reader: Option<Reader<'a>>) -> Self {
        let map = reader.filter(|reader| !reader.node().is_null()).and_then(Reader::map);
        Self { section, map, asked: Vec::new() }
    }

    /// The map's own reader, if it is there.
    pub(crate) fn reader(&self) -> Option<&Reader<'a>> {
        self.map.as_ref().map(MapReader::reader)
    }

    /// Notes an error about the map as a whole, if it is there.
    pub(crate) fn error(&self, message: impl Into<String>) {
        if let Some(map) = &self.map {
            let reader = map.reader();
            reader.problems().error(reader.path(), reader.key_span(), message);
        }
    }

    /// The value's own reader, for what has a form of its own.
    pub(crate) fn value(&mut self, key: &'static str) -> Option<Reader<'a>> {
        let first = !self.asked.contains(&key);
        let field = self.field(key);
        let map = self.map.as_mut()?;
        let value = map.take(key).filter(|reader| !reader.node().is_null());
        if value.is_none() && first && matches!(field.map(|field| field.default), Some(Default::Required)) {
            map.missing(key);
        }
        value
    }

    pub(crate) fn bool(&mut self, key: &'static str) -> bool {
        let given = self.value(key).and_then(Reader::bool);
        given.unwrap_or_else(|| self.default(key) == Some("true"))
    }

    pub(crate) fn text(&mut self, key: &'static str) -> Option<String> {
        let given = self.value(key).and_then(Reader::nonempty_text);
        given.or_else(|| self.default(key).map(str::to_owned))
    }

    pub(crate) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    pub(crate) fn secret(&mut self, key: &'static str) -> Option<Secret> {
        secret(&self.value(key)?)
    }

    pub(crate) fn duration(&mut self, key: &'static str) -> Duration {
        self.duration_if_set(key).unwrap_or_default()
    }

    /// A duration that may be unset.
    pub(crate) fn duration_if_set(&mut self, key: &'static str) -> Option<Duration> {
        let zero = matches!(self.field(key).map(|field| field.is), Some(Is::Wait));
        let given = self.value(key).and_then(|reader| {
            let at = reader.clone();
            let duration = reader.duration()?;
            if duration.is_zero() && !zero {
                at.error("must be longer than nothing");
                return None;
            }
            Some(duration)
        });
        given.or_else(|| self.default(key).and_then(parse_duration))
    }

    pub(crate) fn size(&mut self, key: &'static str) -> u64 {
        let given = self.value(key).and_then(|reader| {
            let at = reader.clone();
            let size = reader.size()?;
            if size == 0 {
                at.error("must be more than nothing");
                return None;
            }
            Some(size)
        });
        given.or_else(|| self.default(key).and_then(parse_size)).unwrap_or_default()
    }

    /// A whole number; its bounds in the table must fit `T`.
    pub(crate) fn integer<T: TryFrom<u64> + std::default::Default>(&mut self, key: &'static str) -> T {
        self.integer_if_set(key).unwrap_or_default()
    }

    /// A whole number that may be unset.
    pub(crate) fn integer_if_set<T: TryFrom<u64>>(&mut self, key: &'static str) -> Option<T> {
        let (least, most) = match self.field(key).map(|field| field.is) {
            Some(Is::Integer(least, most)) => (least, most),
            _ => (0, u64::MAX),
        };
        let given = self.value(key).and_then(|reader| reader.integer(least..=most));
        given.or_else(|| self.default(key)?.parse().ok()).and_then(|value| T::try_from(value).ok())
    }

    pub(crate) fn number(&mut self, key: &'static str) -> f64 {
        self.number_if_set(key).unwrap_or_default()
    }

    /// A number that may be unset.
    pub(crate) fn number_if_set(&mut self, key: &'static str) -> Option<f64> {
        let (least, most) = match self.field(key).map(|field| field.is) {
            Some(Is::Number(least, most)) => (least, most),
            _ => (f64::MIN, f64::MAX),
        };
        let given = self.value(key).and_then(|reader| reader.float(least..=most));
        given.or_else(|| self.default(key)?.parse().ok())
    }

    /// A part of a whole, 0 to 1.
    pub(crate) fn share(&mut self, key: &'static str) -> f64 {
        self.share_if_set(key).unwrap_or_default()
    }

    /// A part of a whole that may be unset.
    pub(crate) fn share_if_set(&mut self, key: &'static str) -> Option<f64> {
        let given = self.value(key).and_then(|reader| {
            let share = parse_share(reader.node().raw());
            if share.is_none() {
                reader.error_with_help("expected a share between 0% and 100%", "write 10% or 0.1");
            }
            share
        });
        given.or_else(|| self.default(key).and_then(parse_share))
    }

    pub(crate) fn rate(&mut self, key: &'static str) -> Option<Rate> {
        let reader = self.value(key)?;
        let at = reader.clone();
        let rate = reader.decimal()?.parse();
        rate.map_err(|error| at.error(format!("not a price per million tokens: {error}"))).ok()
    }

    /// One of the table's words, as the `T` that stands beside it. The first is the default's stand-in.
    pub(crate) fn word<T: Copy>(&mut self, key: &'static str, meanings: &[(&'static str, T)]) -> Option<T> {
        let words = match self.field(key).map(|field| field.is) {
            Some(Is::Words(words)) => words,
            _ => Words { now: &[], later: &[] },
        };
        debug_assert!(words.now.iter().eq(meanings.iter().map(|(word, _)| word)), "{key}: table and code");
        let given = self.value(key).and_then(|reader| {
            if words.later.contains(&reader.node().raw()) && !reader.node().is_interpolated() {
                let now = words.now.join(", ");
                let word = reader.node().raw();
                reader.error_with_help(
                    format!("`{word}` comes in a later version of Windlass"),
                    format!("this version knows: {now}"),
                );
                return None;
            }
            reader.one_of(meanings)
        });
        given.or_else(|| {
            let default = self.default(key)?;
            meanings.iter().find(|(word, _)| *word == default).map(|(_, meaning)| *meaning)
        })
    }

    pub(crate) fn url(&mut self, key: &'static str) -> Option<BaseUrl> {
        let given = self.value(key).and_then(|reader| {
            let at = reader.clone();
            let url = BaseUrl::parse(&reader.nonempty_text()?);
            url.map_err(|error| at.error(format!("not an address of a server: it {error}"))).ok()
        });
        given.or_else(|| BaseUrl::parse(self.default(key)?).ok())
    }

    pub(crate) fn address(&mut self, key: &'static str) -> Option<SocketAddr> {
        let given = self.value(key).and_then(|reader| {
            let at = reader.clone();
            let text = reader.nonempty_text()?;
            let address = parse_address(&text);
            if address.is_none() {
                at.error_with_help("not an address to listen on", "write 127.0.0.1:8080 or [::1]:8080");
            }
            address
        });
        given.or_else(|| self.default(key).and_then(parse_address))
    }

    /// The map below `key`.
    pub(crate) fn section(&mut self, key: &'static str) -> Fields<'a> {
        let inner = self.field(key).map(|field| field.is);
        let value = self.value(key);
        let Some(Is::Section(section)) = inner else {
            debug_assert!(false, "{key} is no section of {}", self.section.name);
            return Fields { section: self.section, map: None, asked: Vec::new() };
        };
        Fields::open(section, value)
    }

    /// Names of the operator's choice below `key`, in the file's order.
    pub(crate) fn names(&mut self, key: &'static str) -> Vec<(String, Reader<'a>)> {
        self.value(key).and_then(|reader| reader.map_of(Some)).unwrap_or_default()
    }

    /// The things listed below `key`.
    pub(crate) fn items(&mut self, key: &'static str) -> Vec<Reader<'a>> {
        self.value(key).and_then(|reader| reader.one_or_many(Some)).unwrap_or_default()
    }

    /// Whatever was not asked for is either to come or unknown; both are errors.
    pub(crate) fn finish(mut self) {
        for field in self.section.fields {
            if !matches!(field.is, Is::Later) {
                debug_assert!(
                    self.asked.contains(&field.key),
                    "{}.{} is not read",
                    self.section.name,
                    field.key
                );
                continue;
            }
            if let Some(reader) = self.value(field.key) {
                let message = format!("`{}` comes in a later version of Windlass", field.key);
                reader.problems().error(reader.path(), reader.key_span(), message);
            }
        }
        if let Some(map) = self.map {
            map.finish();
        }
    }

    fn field(&mut self, key: &'static str) -> Option<&'static Field> {
        let field = self.section.field(key);
        debug_assert!(field.is_some(), "{key} is not in the table of {}", self.section.name);
        self.asked.push(key);
        field
    }

    fn default(&self, key: &str) -> Option<&'static str> {
        match self.section.field(key)?.default {
            Default::Is(text) => Some(text),
            Default::Unset(_) | Default::Required => None,
        }
    }
}

/// A secret from a value. Digits only are a text, too: keys may look like that.
pub(crate) fn secret(reader: &Reader<'_>) -> Option<Secret> {
    if reader.node().is_interpolated() && reader.node().raw().trim().is_empty() {
        reader.error("must not be empty");
        return None;
    }
    let text = reader.clone().nonempty_text()?;
    if text.trim().bytes().any(|byte| byte.is_ascii_control()) {
        reader.error("must not have line breaks or control characters");
        return None;
    }
    Some(Secret::new(text.trim()))
}

fn parse_share(text: &str) -> Option<f64> {
    let share = match text.trim().strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().ok()? / 100.0,
        None => text.trim().parse().ok()?,
    };
    (0.0..=1.0).contains(&share).then_some(share)
}

fn parse_address(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix("localhost:") {
        Some(port) => Some(SocketAddr::from(([127, 0, 0, 1], port.parse().ok()?))),
        None => text.parse().ok(),
    }
}

//! Reads the tree into types, noting every problem and going on.
//!
//! A reader that returns `None` has noted why. So a parser asks for all it wants, builds its value from the
//! options at the end, and the caller sees all problems at once.

use std::fmt;

use crate::suggest::help_among;
use crate::{Diagnostic, Entry, Node, Problems, Span, Value};

/// A node to be read, the path to it and where its problems go. The typed readers are in `leaf`.
#[derive(Clone)]
pub struct Reader<'a> {
    pub(crate) problems: &'a Problems<'a>,
    pub(crate) node: &'a Node,
    path: String,
    key: Option<Span>,
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("path", &self.path).finish_non_exhaustive()
    }
}

impl<'a> Reader<'a> {
    /// A reader of the root.
    pub const fn new(problems: &'a Problems<'a>, root: &'a Node) -> Self {
        Self { problems, node: root, path: String::new(), key: None }
    }

    /// The node itself.
    pub const fn node(&self) -> &'a Node {
        self.node
    }

    /// `routes.assistant.retry`, `models[2]`; empty for the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where the value stands.
    pub const fn span(&self) -> Span {
        self.node.span
    }

    /// Where the value's key stands; the value itself if it has none.
    pub fn key_span(&self) -> Span {
        self.key.unwrap_or(self.node.span)
    }

    /// Where problems go.
    pub const fn problems(&self) -> &'a Problems<'a> {
        self.problems
    }

    /// Notes an error at the value.
    pub fn error(&self, message: impl Into<String>) {
        self.problems.error(&self.path, self.node.span, message);
    }

    /// Notes an error at the value and says what to do.
    pub fn error_with_help(&self, message: impl Into<String>, help: impl Into<String>) {
        let diagnostic = Diagnostic::error(self.problems.code(), message).with_help(help);
        self.problems.add(diagnostic.with_path(&*self.path).with_span(self.node.span));
    }

    /// Notes a warning at the key.
    pub fn warn(&self, message: impl Into<String>) {
        let diagnostic = Diagnostic::warning(self.problems.code(), message);
        self.problems.add(diagnostic.with_path(&*self.path).with_span(self.key_span()));
    }

    /// “expected …, found …”.
    pub(crate) fn mismatch(&self, expected: &str) {
        self.error(format!("expected {expected}, found {}", self.node.kind()));
    }

    /// The value as a map.
    pub fn map(self) -> Option<MapReader<'a>> {
        let Value::Map(entries) = &self.node.value else {
            self.mismatch("a map");
            return None;
        };
        Some(MapReader { entries, seen: vec![false; entries.len()], asked: Vec::new(), reader: self })
    }

    /// The value as a list.
    pub fn list(&self) -> Option<Vec<Reader<'a>>> {
        let Value::List(items) = &self.node.value else {
            self.mismatch("a list");
            return None;
        };
        Some(items.iter().enumerate().map(|(index, node)| self.item(node, index)).collect())
    }

    /// A list of things that are read alike. `None` if it is no list; bad items are noted and left out.
    pub fn list_of<T>(self, mut read: impl FnMut(Reader<'a>) -> Option<T>) -> Option<Vec<T>> {
        Some(self.list()?.into_iter().filter_map(&mut read).collect())
    }

    /// A list, or one thing without the list around it.
    pub fn one_or_many<T>(self, mut read: impl FnMut(Reader<'a>) -> Option<T>) -> Option<Vec<T>> {
        match self.node.value {
            Value::List(_) => self.list_of(read),
            _ => read(self).map(|one| vec![one]),
        }
    }

    /// A map whose keys are names, its values read alike; in the file's order. Bad values are noted and
    /// left out.
    pub fn map_of<T>(self, mut read: impl FnMut(Reader<'a>) -> Option<T>) -> Option<Vec<(String, T)>> {
        let map = self.map()?;
        let entries = map.entries.iter();
        Some(entries.filter_map(|e| Some((e.key.clone(), read(map.reader.entry(e))?))).collect())
    }

    fn item(&self, node: &'a Node, index: usize) -> Self {
        Self { problems: self.problems, node, path: format!("{}[{index}]", self.path), key: None }
    }

    fn entry(&self, entry: &'a Entry) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        let path = format!("{}{dot}{}", self.path, entry.key);
        Self { problems: self.problems, node: &entry.value, path, key: Some(entry.key_span) }
    }
}

/// A map to be read key by key. Ask for every key it may have, then [`finish`](Self::finish).
#[derive(Debug)]
pub struct MapReader<'a> {
    reader: Reader<'a>,
    entries: &'a [Entry],
    seen: Vec<bool>,
    asked: Vec<&'static str>,
}

impl<'a> MapReader<'a> {
    /// The map as a whole.
    pub const fn reader(&self) -> &Reader<'a> {
        &self.reader
    }

    /// The reader of a key's value, if it is there; null counts as there.
    pub fn take(&mut self, key: &'static str) -> Option<Reader<'a>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        let index = self.entries.iter().position(|entry| entry.key == key)?;
        if let Some(seen) = self.seen.get_mut(index) {
            *seen = true;
        }
        self.entries.get(index).map(|entry| self.reader.entry(entry))
    }

    /// A value that must be there. `None`: it is missing or wrong, and that has been noted.
    pub fn required<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(Reader<'a>) -> Option<T>,
    ) -> Option<T> {
        let Some(reader) = self.take(key) else {
            self.missing(key);
            return None;
        };
        read(reader)
    }

    /// A value that may be missing or null. `None`: it is, or it is wrong, and that has been noted.
    pub fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(Reader<'a>) -> Option<T>,
    ) -> Option<T> {
        self.take(key).filter(|reader| !reader.node.is_null()).and_then(read)
    }

    /// A value under one of several names, the first being its own and the others aliases of it. More than
    /// one at once is an error.
    pub fn optional_any<T>(
        &mut self,
        keys: &[&'static str],
        read: impl FnOnce(Reader<'a>) -> Option<T>,
    ) -> Option<T> {
        let mut found: Vec<_> = keys.iter().filter_map(|key| Some((*key, self.take(key)?))).collect();
        if let [(first, _), (second, reader), ..] = found.as_slice() {
            let message = format!("`{second}` and `{first}` are the same setting; keep one");
            self.reader.problems.error(reader.path(), reader.key_span(), message);
        }
        let (_, reader) = (!found.is_empty()).then(|| found.swap_remove(0))?;
        if reader.node.is_null() { None } else { read(reader) }
    }

    /// Notes that a key is missing.
    pub fn missing(&self, key: &str) {
        let reader = &self.reader;
        reader.problems.error(reader.path(), reader.key_span(), format!("`{key}` is missing"));
    }

    /// Whether the map has a key.
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    /// Every key that was asked for has been; the rest are unknown, and that is an error each.
    pub fn finish(self) {
        for (entry, _) in self.entries.iter().zip(&self.seen).filter(|(_, seen)| !**seen) {
            let reader = self.reader.entry(entry);
            let message = format!("unknown field `{}`", entry.key);
            let mut diagnostic = Diagnostic::error(reader.problems.code(), message);
            diagnostic.help = help_among(&entry.key, &self.asked);
            reader.problems.add(diagnostic.with_path(reader.path()).with_span(entry.key_span));
        }
    }
}

//! YAML's events to the tree. Bounded in size, depth and what aliases may blow up to; never panics.
//!
//! Left alone: what the values mean. Merge keys (`<<`) are supported, custom tags and more than one
//! document are not.

use std::collections::{HashMap, HashSet};

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use crate::source::number;
use crate::{Diagnostic, Entry, Node, Problems, Report, Source, Span, Value, scalar};

/// Greatest size of a text, in bytes.
pub const MAX_BYTES: usize = 8 << 20;
/// Greatest depth of lists and maps in each other.
pub const MAX_DEPTH: usize = 64;
/// Greatest number of values, aliases counted as what they stand for.
pub const MAX_NODES: usize = 500_000;

/// A text that is not what it should be, and what can be read of it all the same, so that the rest of its problems
/// need not wait until these are mended.
#[derive(Debug)]
pub struct Broken {
    /// What is wrong.
    pub report: Report,
    /// What was read. Of a text whose syntax ends in the middle, the entries that are whole.
    pub rest: Option<Node>,
    /// Whether the text was read to its end.
    pub to_the_end: bool,
}

/// Reads one YAML document. `code` is what its errors are called by.
pub fn parse(source: &Source<'_>, code: &'static str) -> Result<Node, Report> {
    parse_what_there_is(source, code).map_err(|broken| broken.report)
}

/// As [`parse`]; of a text that has problems, with what can be read of it.
pub fn parse_what_there_is(source: &Source<'_>, code: &'static str) -> Result<Node, Box<Broken>> {
    let problems = Problems::new(*source, code);
    let (root, to_the_end) = if source.text.len() > MAX_BYTES {
        let message = format!("the text has more than {} MiB", MAX_BYTES >> 20);
        problems.add(Diagnostic::error(code, message));
        (None, false)
    } else {
        Builder::new(&problems).run()
    };
    if problems.errors() > 0 {
        return Err(Box::new(Broken { report: problems.into_report(), rest: root, to_the_end }));
    }
    Ok(root.unwrap_or_else(|| Node::new(Value::Null, Span { line: 1, column: 1, ..Span::default() })))
}

/// A list or map that is not finished yet.
struct Frame {
    span: Span,
    anchor: usize,
    kind: Kind,
}

enum Kind {
    List(Vec<Node>),
    /// `merged`: whether `<<` brought in entries that keys of the map's own may still replace.
    Map {
        entries: Vec<Entry>,
        seen: HashSet<String>,
        key: Key,
        merged: bool,
    },
}

/// Where a map stands: before a key, or before the value of one.
enum Key {
    Expected,
    Read {
        text: String,
        span: Span,
        merge: bool,
    },
    /// A key that was reported: its value is read and dropped.
    Bad,
}

struct Builder<'p, 's> {
    problems: &'p Problems<'s>,
    stack: Vec<Frame>,
    anchors: HashMap<usize, (Node, Cost)>,
    spent: Cost,
    root: Option<Node>,
    documents: usize,
}

/// What a value costs to copy.
#[derive(Clone, Copy, Default)]
struct Cost {
    nodes: usize,
    bytes: usize,
}

/// An error that makes the rest of the text unreadable; it has been noted.
struct Stop;

impl<'p, 's> Builder<'p, 's> {
    fn new(problems: &'p Problems<'s>) -> Self {
        let (stack, anchors) = (Vec::new(), HashMap::new());
        Self { problems, stack, anchors, spent: Cost::default(), root: None, documents: 0 }
    }

    /// What was read, and whether that is all.
    fn run(mut self) -> (Option<Node>, bool) {
        for event in Parser::new_from_str(self.problems.source().text) {
            let step = match event {
                Ok((event, span)) => self.event(event, &span),
                Err(error) => {
                    self.scan_error(&error);
                    Err(Stop)
                }
            };
            if step.is_err() {
                return (self.whole_entries(), false);
            }
        }
        (self.root, true)
    }

    /// What is whole of a text that cannot be read any further: the outermost map's entries that had ended.
    fn whole_entries(self) -> Option<Node> {
        let outermost = self.stack.into_iter().next()?;
        match outermost.kind {
            Kind::Map { entries, .. } => Some(Node::new(Value::Map(entries), outermost.span)),
            Kind::List(_) => None,
        }
    }

    fn event(&mut self, event: Event<'_>, at: &granit_parser::Span) -> Result<(), Stop> {
        let span = place(at);
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.problems.error("", span, "only one document is read from a file");
                    return Err(Stop);
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let node = self.scalar(text.into_owned(), style, tag.as_deref(), span);
                self.spend(Cost { nodes: 1, bytes: node.raw().len() }, span)?;
                self.complete(node, anchor)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.no_tag(tag.as_deref(), "seq", span);
                self.open(Frame { span, anchor, kind: Kind::List(Vec::new()) })?;
            }
            Event::MappingStart(_, anchor, tag) => {
                self.no_tag(tag.as_deref(), "map", span);
                let kind = Kind::Map {
                    entries: Vec::new(),
                    seen: HashSet::new(),
                    key: Key::Expected,
                    merged: false,
                };
                self.open(Frame { span, anchor, kind })?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(frame) = self.stack.pop() {
                    let mut span = frame.span;
                    span.len = at.end.byte_offset().unwrap_or(span.offset).saturating_sub(span.offset);
                    let value = match frame.kind {
                        Kind::List(items) => Value::List(items),
                        Kind::Map { entries, .. } => Value::Map(entries),
                    };
                    self.complete(Node::new(value, span), frame.anchor)?;
                }
            }
            Event::Alias(id) => {
                let Some((node, cost)) = self.anchors.get(&id) else {
                    self.problems.error("", span, "an alias inside of what it stands for");
                    return Err(Stop);
                };
                let (node, cost) = (node, *cost);
                if self.spent.nodes + cost.nodes <= MAX_NODES
                    && self.spent.bytes + cost.bytes <= MAX_BYTES * 2
                {
                    let node = node.clone();
                    self.spend(cost, span)?;
                    self.complete(node, 0)?;
                } else {
                    self.spend(cost, span)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn scalar(&self, text: String, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Node {
        let core = tag.and_then(Tag::core_suffix);
        if tag.is_some() && !matches!(core, Some("str" | "int" | "float" | "bool" | "null")) {
            self.problems.error("", span, "tags are not supported here");
        }
        let plain = style == ScalarStyle::Plain;
        let value = if plain && core != Some("str") || core.is_some_and(|tag| tag != "str") {
            scalar::resolve(&text)
        } else {
            Value::Text(text.clone())
        };
        let raw = if matches!(value, Value::Text(_)) { String::new() } else { text };
        Node { value, span, raw: raw.into(), plain, interpolated: false }
    }

    fn no_tag(&self, tag: Option<&Tag>, own: &str, span: Span) {
        if tag.is_some_and(|tag| tag.core_suffix() != Some(own)) {
            self.problems.error("", span, "tags are not supported here");
        }
    }

    fn open(&mut self, frame: Frame) -> Result<(), Stop> {
        self.spend(Cost { nodes: 1, bytes: 0 }, frame.span)?;
        if self.stack.len() >= MAX_DEPTH {
            let message = format!("lists and maps are nested more than {MAX_DEPTH} deep");
            self.problems.error("", frame.span, message);
            return Err(Stop);
        }
        self.stack.push(frame);
        Ok(())
    }

    fn spend(&mut self, cost: Cost, span: Span) -> Result<(), Stop> {
        self.spent.nodes += cost.nodes;
        self.spent.bytes += cost.bytes;
        if self.spent.nodes <= MAX_NODES && self.spent.bytes <= MAX_BYTES * 2 {
            return Ok(());
        }
        let message = format!("more than {MAX_NODES} values or {} MiB, aliases spelled out", MAX_BYTES >> 19);
        self.problems.error("", span, message);
        Err(Stop)
    }

    /// A whole value has been read: it goes into what is open, as an item, a key or a key's value.
    fn complete(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        if anchor > 0 {
            // The copy for later aliases counts too: anchors around anchors copy their inside again.
            let cost = cost(&node);
            self.spend(cost, node.span)?;
            self.anchors.insert(anchor, (node.clone(), cost));
        }
        let problems = self.problems;
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut frame.kind {
            Kind::List(items) => items.push(node),
            Kind::Map { entries, seen, key, merged } => match std::mem::replace(key, Key::Expected) {
                Key::Expected => *key = read_key(problems, node, seen),
                Key::Bad => {}
                Key::Read { merge: true, span, .. } => {
                    *merged = true;
                    merge(problems, entries, seen, node, span);
                }
                Key::Read { text, span, merge: false } => {
                    if *merged {
                        // What was merged in gives way to what is written here.
                        entries.retain(|entry| entry.key != text);
                    }
                    entries.push(Entry { key: text, key_span: span, value: node });
                }
            },
        }
        Ok(())
    }

    fn scan_error(&self, error: &ScanError) {
        let marker = error.marker();
        let offset = marker.byte_offset().unwrap_or(0);
        let (line, column) = (number(marker.line()), number(marker.col() + 1));
        let span = Span { line, column, offset, len: 0 };
        let info = error.info();
        let mut diagnostic =
            Diagnostic::error(self.problems.code(), format!("not valid YAML: {info}")).with_span(span);
        let text = self.problems.source().line(line);
        let indent = &text[..text.len() - text.trim_start().len()];
        if indent.contains('\t') {
            diagnostic = diagnostic.with_help("YAML is indented with spaces, not with tabs");
        } else if info.contains("mapping values") {
            diagnostic = diagnostic.with_help("a text with a colon in it goes into quotes");
        } else if text.contains("{{") && !text.contains('"') && !text.contains('\'') {
            diagnostic = diagnostic.with_help("a text that begins with {{ goes into quotes");
        }
        self.problems.add(diagnostic);
    }
}

/// The node that stands where a key is expected.
fn read_key(problems: &Problems<'_>, node: Node, seen: &mut HashSet<String>) -> Key {
    if matches!(node.value, Value::List(_) | Value::Map(_)) {
        let mut diagnostic = Diagnostic::error(problems.code(), "a key must be text").with_span(node.span);
        let around = node.span.offset.saturating_sub(1);
        if problems.source().text.get(around..).is_some_and(|text| text.starts_with("{{")) {
            diagnostic = diagnostic.with_help("a text that begins with {{ goes into quotes: \"{{ … }}\"");
        }
        problems.add(diagnostic);
        return Key::Bad;
    }
    let merge = node.plain && node.raw() == "<<";
    let text = match node.value {
        Value::Text(text) => text,
        _ => node.raw.into_string(),
    };
    if merge {
        return Key::Read { text, span: node.span, merge };
    }
    if !seen.insert(text.clone()) {
        problems.error(&text, node.span, format!("`{text}` is there twice"));
        return Key::Bad;
    }
    Key::Read { text, span: node.span, merge }
}

/// `<<: *other`: the other map's entries, unless they are there already.
fn merge(problems: &Problems<'_>, entries: &mut Vec<Entry>, seen: &HashSet<String>, node: Node, span: Span) {
    let maps = match node.value {
        Value::List(items) => items,
        _ => vec![node],
    };
    for map in maps {
        let Value::Map(merged) = map.value else {
            problems.error("<<", span, "`<<` merges maps and lists of maps only");
            continue;
        };
        for entry in merged {
            if !seen.contains(&entry.key) && !entries.iter().any(|there| there.key == entry.key) {
                entries.push(entry);
            }
        }
    }
}

fn cost(node: &Node) -> Cost {
    let children = |cost: Cost, child: &Node, key: usize| {
        let inner = self::cost(child);
        Cost { nodes: cost.nodes + inner.nodes, bytes: cost.bytes + inner.bytes + key }
    };
    let own = Cost { nodes: 1, bytes: node.raw().len() };
    match &node.value {
        Value::List(items) => items.iter().fold(own, |cost, item| children(cost, item, 0)),
        Value::Map(entries) => entries.iter().fold(own, |cost, e| children(cost, &e.value, e.key.len())),
        _ => own,
    }
}

fn place(span: &granit_parser::Span) -> Span {
    let offset = span.start.byte_offset().unwrap_or(0);
    let len = span.end.byte_offset().unwrap_or(offset).saturating_sub(offset);
    Span { line: number(span.start.line()), column: number(span.start.col() + 1), offset, len }
}

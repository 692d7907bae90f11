//! `${NAME}` without quotes, also inside `{ … }` and `[ … ]`, where YAML has other uses for braces.
//!
//! Before YAML is read, the brackets and commas of every `${…}` are exchanged for letters of Unicode's private
//! use area; afterwards they are put back, and places are moved to where they are in the text that the
//! operator wrote. Nothing is looked up here.

use document::{Node, Report, Span, Value};

/// What is exchanged, and for what.
const PAIRS: [(char, char); 5] =
    [('{', '\u{f6d1}'), ('}', '\u{f6d2}'), (',', '\u{f6d3}'), ('[', '\u{f6d4}'), (']', '\u{f6d5}')];
/// Bytes that one exchange adds.
const GROWTH: usize = '\u{f6d1}'.len_utf8() - 1;

/// A text as YAML may read it.
pub(crate) struct Shielded {
    /// The text. Lines and columns are those of the original.
    pub(crate) text: String,
    /// Where exchanged letters begin, in `text`.
    exchanged: Vec<usize>,
}

impl Shielded {
    /// Exchanges what is inside of `${…}`; such a thing ends on its line.
    pub(crate) fn new(original: &str) -> Self {
        let mut shielded = Self { text: String::with_capacity(original.len()), exchanged: Vec::new() };
        let mut rest = original;
        while let Some(at) = rest.find("${") {
            let (before, from) = rest.split_at(at + 1);
            shielded.text.push_str(before);
            let line = from.lines().next().unwrap_or_default();
            let (inside, after) = from.split_at(line.find('}').map_or(0, |end| end + 1));
            inside.chars().for_each(|c| shielded.push(c));
            rest = after;
        }
        shielded.text.push_str(rest);
        shielded
    }

    fn push(&mut self, c: char) {
        let stand_in = PAIRS.iter().find(|pair| pair.0 == c).map(|pair| pair.1);
        if stand_in.is_some() {
            self.exchanged.push(self.text.len());
        }
        self.text.push(stand_in.unwrap_or(c));
    }

    /// Puts everything back in a tree that was read from the text.
    pub(crate) fn restore(&self, node: &mut Node) {
        if self.exchanged.is_empty() {
            return;
        }
        self.move_back(&mut node.span);
        match &mut node.value {
            Value::Text(text) => put_back(text),
            Value::List(items) => items.iter_mut().for_each(|item| self.restore(item)),
            Value::Map(entries) => {
                for entry in entries {
                    put_back(&mut entry.key);
                    self.move_back(&mut entry.key_span);
                    self.restore(&mut entry.value);
                }
            }
            _ => {}
        }
    }

    /// Puts everything back in a report about the text.
    pub(crate) fn restore_report(&self, report: &mut Report) {
        for problem in &mut report.problems {
            let texts = [Some(&mut problem.message), Some(&mut problem.path)];
            let more = [problem.excerpt.as_mut(), problem.help.as_mut()];
            texts.into_iter().chain(more).flatten().for_each(put_back);
            if let Some(span) = &mut problem.span {
                self.move_back(span);
            }
        }
    }

    fn move_back(&self, span: &mut Span) {
        let before = |offset: usize| self.exchanged.partition_point(|at| *at < offset) * GROWTH;
        let end = span.offset + span.len;
        let end = end - before(end);
        span.offset -= before(span.offset);
        span.len = end.saturating_sub(span.offset);
    }
}

fn put_back(text: &mut String) {
    let original = |c: char| PAIRS.iter().find(|pair| pair.1 == c).map(|pair| pair.0);
    if text.contains(|c: char| original(c).is_some()) {
        *text = text.chars().map(|c| original(c).unwrap_or(c)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use document::{Source, parse};

    #[test]
    fn everything_comes_back_where_it_was() {
        let text = "a: { b: ${X}, c: '${Y:-[1, 2]}', d: ${Z:-{é, ]} } # ${open\ne: $${z} ${f\n";
        let shielded = Shielded::new(text);
        let mut root = parse(&Source { name: "x", text: &shielded.text }, "WL6001").unwrap();
        shielded.restore(&mut root);
        let a = root.get("a").unwrap();
        for (key, value, written) in [
            ("b", "${X}", "${X}"),
            ("c", "${Y:-[1, 2]}", "'${Y:-[1, 2]}'"),
            ("d", "${Z:-{é, ]}", "${Z:-{é, ]}"),
        ] {
            let node = a.get(key).unwrap();
            assert_eq!(node.value, Value::Text(value.to_owned()));
            assert_eq!(&text[node.span.offset..][..node.span.len], written);
        }
        let e = root.get("e").unwrap();
        assert_eq!((e.raw(), &text[e.span.offset..][..e.span.len]), ("$${z} ${f", "$${z} ${f"));
        assert_eq!(e.span.line, 2);
    }
}

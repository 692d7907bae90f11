//! From a place in a template to its place in the file.

use std::ops::Range;

use document::{Source, Span};

use crate::template::TemplateError;

/// Where a template's problem stands in the file.
pub(super) fn in_template(source: &Source<'_>, span: Span, template: &str, error: &TemplateError) -> Span {
    let lines = || {
        let line = error.line?.checked_sub(1)?;
        let start: usize = template.split_inclusive('\n').take(line).map(str::len).sum();
        let text = template.get(start..)?.lines().next()?;
        Some(start..start + text.len())
    };
    match error.range.clone().or_else(lines) {
        Some(range) => of(source, span, template, range),
        None => span,
    }
}

/// Where a range of a template stands in the file: exactly where the file has the template's text as it is, or
/// its line as it is (block scalars); the whole template's place otherwise (escapes, folded lines).
pub(super) fn of(source: &Source<'_>, span: Span, template: &str, range: Range<usize>) -> Span {
    let Some(rest) = source.text.get(span.offset..) else { return span };
    let range = range.start.min(template.len())..range.end.clamp(range.start, template.len());
    let written = source.text.get(span.offset..span.offset + span.len).unwrap_or("");
    if let Some(at) = written.find(template) {
        return source.span_at(span.offset + at + range.start, range.len());
    }
    let Some(head) = template.get(..range.start) else { return span };
    let start = head.rfind('\n').map_or(0, |at| at + 1);
    let Some(line) = template.get(start..).and_then(|tail| tail.lines().next()) else { return span };
    // A block scalar's span may end early; its lines cannot be further away than it is long.
    let window = rest.get(..span.len.max(template.len() * 2).min(rest.len())).unwrap_or(rest);
    match window.find(line.trim_end()).filter(|_| !line.trim().is_empty()) {
        Some(at) => source.span_at(span.offset + at + range.start - start, range.len()),
        None => span,
    }
}

//! Around a section whose syntax is broken: the others are read as if it were not there, so that their problems
//! need not wait until it is mended.

use document::{Broken, Node, Severity, Source, Value, parse_what_there_is};

/// Sections whose names others use: without them right names would be told as unknown.
const NAMED: [&str; 3] = ["keys", "tasks", "profiles"];
/// Sections that are tried: the one with the mistake stands at the place that is told, or shortly before it.
const TRIED: usize = 16;

/// A key of the outermost map, and the bytes from there to the next one.
struct Section<'t> {
    key: &'t str,
    begin: usize,
    end: usize,
    line: u32,
}

/// As [`parse_what_there_is`]. Where leaving out one section makes the rest of the text one that can be read, what
/// there is is that rest, also behind the mistake.
pub(crate) fn parse(source: &Source<'_>, code: &'static str) -> Result<Node, Box<Broken>> {
    let mut broken = match parse_what_there_is(source, code) {
        Err(broken) if !broken.to_the_end => broken,
        read => return read,
    };
    let told = broken.report.problems.iter().filter_map(|problem| problem.span).map(|span| span.line).max();
    let sections = sections(source.text);
    let near = sections.iter().rev().filter(|section| told.is_some_and(|line| section.line <= line));
    for left_out in near.take(TRIED) {
        let text = without(source.text, left_out);
        let read = parse_what_there_is(&Source { text: &text, ..*source }, code);
        let (rest, report) = match read {
            Ok(rest) => (rest, None),
            Err(again) if again.to_the_end => match again.rest {
                Some(rest) => (rest, Some(again.report)),
                None => continue,
            },
            Err(_) => continue,
        };
        // Else the mistake is elsewhere, and has swallowed what stands behind it.
        let whole = |section: &Section<'_>| section.key == left_out.key || rest.get(section.key).is_some();
        if !matches!(rest.value, Value::Map(_)) || !sections.iter().all(whole) {
            continue;
        }
        if NAMED.contains(&left_out.key) {
            break;
        }
        if let Some(mut more) = report {
            more.problems.retain(|problem| !broken.report.problems.contains(problem));
            more.errors = more.problems.iter().filter(|problem| problem.severity == Severity::Error).count();
            broken.report = broken.report.and(more);
        }
        broken.rest = Some(rest);
        break;
    }
    Err(broken)
}

fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    let (mut offset, mut number) = (0, 0);
    for line in text.split_inclusive('\n') {
        number += 1;
        if line.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            let key = line.split(':').next().unwrap_or_default().trim();
            sections.push(Section { key, begin: offset, end: offset, line: number });
        }
        offset += line.len();
        if let Some(last) = sections.last_mut() {
            last.end = offset;
        }
    }
    sections
}

/// The text with blanks where the section stands, so that all places stay.
fn without(text: &str, section: &Section<'_>) -> String {
    let (before, from) = text.split_at(section.begin);
    let (inside, after) = from.split_at(section.end - section.begin);
    let blank = |c: char| std::iter::repeat_n(if c == '\n' { c } else { ' ' }, c.len_utf8());
    before.chars().chain(inside.chars().flat_map(blank)).chain(after.chars()).collect()
}

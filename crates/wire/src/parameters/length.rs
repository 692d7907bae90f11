//! How much a request says: what `adaptive` profiles look at.

use crate::tape::{Json, Tape};

/// Parts within parts within turns: no dialect nests deeper.
const DEPTH: usize = 6;

/// The characters of all texts in a request's conversation, its instructions included; in any dialect that callers
/// speak. What is not JSON has none.
pub fn text_length(body: &[u8]) -> usize {
    let tape = std::str::from_utf8(body).ok().and_then(|text| Tape::of(text).ok());
    tape.map_or(0, |tape| within(tape.root(), &["messages", "input", "system", "instructions"], DEPTH))
}

fn within(object: Json<'_>, names: &[&str], depth: usize) -> usize {
    let counts = |(name, _): &(Json<'_>, Json<'_>)| name.text().is_some_and(|name| names.contains(&&*name));
    object.members().filter(counts).map(|(_, value)| characters(value, depth)).sum()
}

fn characters(value: Json<'_>, depth: usize) -> usize {
    match value.first() {
        b'"' => value.text().map_or(0, |text| text.chars().count()),
        b'[' if depth > 0 => value.items().map(|item| characters(item, depth - 1)).sum(),
        b'{' if depth > 0 => within(value, &["content", "text"], depth - 1),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_of_every_dialect_are_counted_in_characters() {
        let cases = [
            (r#"{"model":"m","messages":[{"role":"user","content":"häß"}]}"#, 3),
            (
                r#"{"messages":[{"role":"system","content":"ab"},{"role":"user","content":[{"type":"text","text":"cde"},{"type":"image_url","image_url":{"url":"data:xxxxxxxx"}}]}]}"#,
                5,
            ),
            (
                r#"{"system":[{"type":"text","text":"ab"}],"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"cdef"}]}]}]}"#,
                6,
            ),
            (r#"{"instructions":"ab","input":"cde","user":"not this"}"#, 5),
            (r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"abc"}]}]}"#, 3),
            (r#"{"messages":7}"#, 0),
            ("not json", 0),
        ];
        for (body, expected) in cases {
            assert_eq!(text_length(body.as_bytes()), expected, "{body}");
        }
        let deep = format!(
            "{}{}",
            r#"{"messages":[{"content":"#.to_owned() + &r#"[{"content":"#.repeat(50),
            "\"x\""
        );
        let deep = format!("{deep}{}}}]}}", "}]".repeat(50));
        assert_eq!(text_length(deep.as_bytes()), 0, "nothing nests so deep");
    }
}

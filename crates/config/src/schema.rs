//! The JSON Schema of the configuration, for editors, out of the tables that also read it.
//!
//! It knows shapes, not meanings: that a route's models exist is only known to [`load`](crate::load).
//! Wherever something else than text belongs, text with `${NAME}` in it is accepted as well.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::read::ROOT;
use crate::table::{Default, Field, Is, Section};

/// The schema (draft 2020-12).
pub fn json_schema() -> Value {
    let mut sections = vec![&ROOT];
    let mut defs = Map::new();
    let mut known = BTreeSet::new();
    let mut root = Value::Null;
    while let Some(section) = sections.pop() {
        if !known.insert(section.name) {
            continue;
        }
        let schema = object(section, &mut sections);
        if section.name.is_empty() {
            root = schema;
        } else {
            defs.insert(slug(section), schema);
        }
    }
    defs.sort_keys();
    if let Value::Object(root) = &mut root {
        root.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
        root.insert("title".to_owned(), "windlass.yaml".into());
        root.insert("$defs".to_owned(), Value::Object(defs));
    }
    root
}

fn object(section: &'static Section, more: &mut Vec<&'static Section>) -> Value {
    let now = section.fields.iter().filter(|field| !matches!(field.is, Is::Later));
    let properties: Map<_, _> = now.map(|field| (field.key.to_owned(), property(field, more))).collect();
    let required: Vec<_> = section
        .fields
        .iter()
        .filter(|field| matches!(field.default, Default::Required))
        .map(|field| field.key)
        .collect();
    let kind = if required.is_empty() { json!(["object", "null"]) } else { json!("object") };
    json!({
        "type": kind,
        "description": section.doc,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn property(field: &Field, more: &mut Vec<&'static Section>) -> Value {
    let mut schema = value(&field.is, more);
    if !matches!(field.default, Default::Required) {
        schema = json!({ "anyOf": [schema, { "type": "null" }] });
    }
    if let Value::Object(object) = &mut schema {
        object.insert("description".to_owned(), field.doc.into());
        if let Default::Is(default) = field.default {
            let plain = matches!(field.is, Is::Integer(..) | Is::Number(..) | Is::Bool);
            let parsed = serde_json::from_str(default).ok().filter(|_| plain);
            object.insert("default".to_owned(), parsed.unwrap_or_else(|| default.into()));
        }
    }
    schema
}

fn value(is: &Is, more: &mut Vec<&'static Section>) -> Value {
    let variable = json!({ "type": "string", "pattern": "\\$\\{" });
    match is {
        Is::Bool => json!({ "anyOf": [{ "type": "boolean" }, variable] }),
        Is::Text | Is::Secret | Is::Path => json!({ "type": "string", "minLength": 1 }),
        Is::Url => json!({ "type": "string", "pattern": "^https?://|\\$\\{" }),
        Is::Address => json!({ "type": "string", "pattern": ":[0-9]+$|\\$\\{" }),
        Is::Duration | Is::Wait => json!({
            "type": "string",
            "pattern": "^\\s*([0-9]+(\\.[0-9]+)?\\s*(ns|us|ms|s|m|h|d)\\s*)+$|\\$\\{",
        }),
        Is::Size => json!({ "anyOf": [
            { "type": "integer", "minimum": 1 },
            { "type": "string", "pattern": "^\\s*[0-9]+(\\.[0-9]+)?\\s*([KkMmGg]?[Ii]?[Bb])?\\s*$|\\$\\{" },
        ] }),
        Is::Integer(least, most) => json!({ "anyOf": [
            { "type": "integer", "minimum": least, "maximum": most },
            variable,
        ] }),
        Is::Number(least, most) => json!({ "anyOf": [
            { "type": "number", "minimum": least, "maximum": most },
            variable,
        ] }),
        Is::Share => json!({ "anyOf": [
            { "type": "number", "minimum": 0, "maximum": 1 },
            { "type": "string", "pattern": "^\\s*[0-9]+(\\.[0-9]+)?\\s*%\\s*$|\\$\\{" },
        ] }),
        Is::Rate => json!({ "anyOf": [
            { "type": "number", "minimum": 0 },
            { "type": "string", "pattern": "^[0-9]*\\.?[0-9]+([eE][+-]?[0-9]+)?$|\\$\\{" },
        ] }),
        Is::Words(words) => json!({ "anyOf": [{ "enum": words.now }, variable] }),
        Is::Section(section) => reference(section, more),
        Is::Map(inner) => json!({ "type": "object", "additionalProperties": value(inner, more) }),
        Is::List(inner) => {
            let item = value(inner, more);
            json!({ "anyOf": [{ "type": "array", "items": item }, item] })
        }
        Is::Either(forms) => {
            let forms: Vec<_> = forms.iter().map(|form| value(form, more)).collect();
            json!({ "anyOf": forms })
        }
        Is::Kinds(kinds) => {
            let forms: Vec<_> = kinds
                .iter()
                .map(|(word, section)| {
                    let words = match section.field("kind").map(|field| field.is) {
                        Some(Is::Words(words)) => words.now.to_vec(),
                        _ => vec![*word],
                    };
                    json!({ "allOf": [
                        { "properties": { "kind": { "enum": words } }, "required": ["kind"] },
                        reference(section, more),
                    ] })
                })
                .collect();
            json!({ "oneOf": forms })
        }
        Is::Later => json!(false),
    }
}

fn reference(section: &'static Section, more: &mut Vec<&'static Section>) -> Value {
    more.push(section);
    json!({ "$ref": format!("#/$defs/{}", slug(section)) })
}

/// `providers.NAME.pool` as one word.
fn slug(section: &Section) -> String {
    let words = section.name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("_")
}

//! The published JSON Schema of chain files, for editors and for people who write them with programs.

use serde_json::Value as Json;

/// JSON Schema (draft 2020-12) of a chain file. It describes shape and types; what only the whole file tells
/// (names that exist, circles, templates) is [`crate::parse`]'s to find.
pub fn json_schema() -> Json {
    // The file is part of the program and a test reads it.
    serde_json::from_str(include_str!("schema.json")).unwrap_or(Json::Null)
}

//! Long texts in JSON, stored once by their content.
//!
//! Before a value is stored, each text longer than [`LONG`] bytes becomes `{"$text": "<BLAKE3 hash>"}` and its
//! bytes go to the table `contents`; on the way out it is put back. A value that looks like such a reference
//! by itself is wrapped (`{"$plain": …}`), so any JSON comes back as it went in.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};
use sqlx::{SqliteConnection, SqlitePool};

use crate::StoreError;
use crate::journal::Entry;

/// Texts of more bytes than this are stored by content.
const LONG: usize = 1_024;
const REFERENCE: &str = "$text";
const PLAIN: &str = "$plain";

pub(super) type Hash = [u8; 32];

/// Long texts on their way to the table.
#[derive(Debug, Default)]
pub(super) struct Texts(HashMap<Hash, String>);

impl Texts {
    /// The JSON of these, with commas between and their long texts taken out. What has none is not even read.
    pub(super) fn packed_json<'a>(
        &mut self,
        entries: impl IntoIterator<Item = &'a dyn Entry>,
    ) -> Result<String, serde_json::Error> {
        let mut json = Vec::with_capacity(LONG);
        for entry in entries {
            if !json.is_empty() {
                json.push(b',');
            }
            let start = json.len();
            entry.write_json(&mut json)?;
            if let Some(written) = json.get(start..).filter(|written| !is_plain(written)) {
                let value: Value = serde_json::from_slice(written)?;
                json.truncate(start);
                serde_json::to_writer(&mut json, &self.packed(&value))?;
            }
        }
        String::from_utf8(json).map_err(serde::ser::Error::custom)
    }

    /// Whether all of them are among `known`.
    pub(super) fn are_in(&self, known: &HashSet<Hash>) -> bool {
        self.0.keys().all(|hash| known.contains(hash))
    }

    /// Takes those of `other`, too.
    pub(super) fn join(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The hash under which this text will be found, however short it is.
    pub(super) fn keep(&mut self, text: &str) -> Hash {
        let hash = *blake3::hash(text.as_bytes()).as_bytes();
        self.0.entry(hash).or_insert_with(|| text.to_owned());
        hash
    }

    fn packed(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) if text.len() > LONG => {
                let hash = self.keep(text);
                Value::Object(Map::from_iter([(REFERENCE.to_owned(), hex(&hash).into())]))
            }
            Value::Array(items) => items.iter().map(|item| self.packed(item)).collect(),
            Value::Object(fields) => {
                let packed = fields.iter().map(|(name, value)| (name.clone(), self.packed(value))).collect();
                let packed = Value::Object(packed);
                if is_ours(fields) {
                    Value::Object(Map::from_iter([(PLAIN.to_owned(), packed)]))
                } else {
                    packed
                }
            }
            other => other.clone(),
        }
    }

    /// Stores those that are not `known` to be there.
    pub(super) async fn store(
        &self,
        to: &mut SqliteConnection,
        known: &HashSet<Hash>,
    ) -> Result<(), StoreError> {
        for (hash, body) in self.0.iter().filter(|(hash, _)| !known.contains(*hash)) {
            let insert =
                sqlx::query("INSERT INTO contents (hash, body) VALUES (?, ?) ON CONFLICT DO NOTHING");
            let insert = insert.bind(hash.to_vec()).bind(body);
            insert.execute(&mut *to).await.map_err(StoreError::database("store a text"))?;
        }
        Ok(())
    }
}

/// Whether JSON is stored as it is: it has no text or name of more than [`LONG`] bytes, as it is written, and
/// none that begins like the two that stand for something else.
fn is_plain(bytes: &[u8]) -> bool {
    // Too short for a long text, and without a letter that stands for something else or could be one.
    if bytes.len() <= LONG && memchr::memchr2(b'$', b'\\', bytes).is_none() {
        return true;
    }
    let mut at = 0;
    while let Some(open) = find(bytes, at) {
        let begin = open + 1;
        let mut end = begin;
        let close = loop {
            let Some(quote) = find(bytes, end) else { return false };
            let slashes = bytes[begin..quote].iter().rev().take_while(|byte| **byte == b'\\').count();
            if slashes % 2 == 0 {
                break quote;
            }
            end = quote + 1;
        };
        let text = &bytes[begin..close];
        // `$` may be written as an escape.
        if text.len() > LONG || text.first().is_some_and(|first| matches!(first, b'$' | b'\\')) {
            return false;
        }
        at = close + 1;
    }
    true
}

/// The next quotation mark from `at` on.
fn find(json: &[u8], at: usize) -> Option<usize> {
    memchr::memchr(b'"', json.get(at..)?).map(|place| at + place)
}

/// Whether an object looks like one of the two that stand for something else.
fn is_ours(fields: &Map<String, Value>) -> bool {
    fields.len() == 1 && (fields.contains_key(REFERENCE) || fields.contains_key(PLAIN))
}

/// Puts the long texts back into values that were packed.
pub(super) async fn unpack(pool: &SqlitePool, values: &mut [Value]) -> Result<(), StoreError> {
    let mut wanted = HashSet::new();
    for value in values.iter() {
        collect(value, &mut wanted)?;
    }
    let mut texts = HashMap::new();
    if !wanted.is_empty() {
        let mut connection = pool.acquire().await.map_err(StoreError::database("read a text"))?;
        for hash in wanted {
            texts.insert(hash, text(&mut connection, &hash).await?);
        }
    }
    for value in values {
        *value = restore(std::mem::take(value), &texts)?;
    }
    Ok(())
}

/// The text with this hash.
pub(super) async fn text(connection: &mut SqliteConnection, hash: &Hash) -> Result<String, StoreError> {
    let query = sqlx::query_scalar("SELECT body FROM contents WHERE hash = ?").bind(hash.to_vec());
    let text: Option<String> =
        query.fetch_optional(connection).await.map_err(StoreError::database("read a text"))?;
    text.ok_or_else(|| StoreError::unreadable("text", format!("no text has the hash {}", hex(hash))))
}

fn collect(value: &Value, wanted: &mut HashSet<Hash>) -> Result<(), StoreError> {
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| collect(item, wanted)),
        Value::Object(fields) if is_ours(fields) => match fields.iter().next() {
            Some((name, reference)) if name == REFERENCE => {
                wanted.insert(unhex(reference)?);
                Ok(())
            }
            Some((_, Value::Object(plain))) => plain.values().try_for_each(|value| collect(value, wanted)),
            _ => Err(StoreError::unreadable("value", "a wrapped value that is no object")),
        },
        Value::Object(fields) => fields.values().try_for_each(|value| collect(value, wanted)),
        _ => Ok(()),
    }
}

fn restore(value: Value, texts: &HashMap<Hash, String>) -> Result<Value, StoreError> {
    Ok(match value {
        Value::Array(items) => {
            items.into_iter().map(|item| restore(item, texts)).collect::<Result<_, _>>()?
        }
        Value::Object(fields) if is_ours(&fields) => match fields.into_iter().next() {
            Some((name, reference)) if name == REFERENCE => {
                texts.get(&unhex(&reference)?).cloned().unwrap_or_default().into()
            }
            Some((_, Value::Object(plain))) => Value::Object(restore_fields(plain, texts)?),
            _ => Value::Null,
        },
        Value::Object(fields) => Value::Object(restore_fields(fields, texts)?),
        other => other,
    })
}

fn restore_fields(
    fields: Map<String, Value>,
    texts: &HashMap<Hash, String>,
) -> Result<Map<String, Value>, StoreError> {
    fields.into_iter().map(|(name, value)| Ok((name, restore(value, texts)?))).collect()
}

fn hex(hash: &Hash) -> String {
    blake3::Hash::from_bytes(*hash).to_hex().to_string()
}

fn unhex(reference: &Value) -> Result<Hash, StoreError> {
    let hash = reference.as_str().and_then(|text| blake3::Hash::from_hex(text).ok());
    hash.map(|hash| *hash.as_bytes()).ok_or_else(|| StoreError::unreadable("reference", "not a hash"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_json() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            Just(REFERENCE.to_owned()),
            Just(PLAIN.to_owned()),
            "[a-zé]{0,4}",
            "[a-zé]{0,4}".prop_map(|text| format!("{text}{}", "long".repeat(300))),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            text.clone().prop_map(Value::from)
        ];
        leaf.prop_recursive(5, 40, 4, move |inner| {
            let key = prop_oneof![Just(REFERENCE.to_owned()), Just(PLAIN.to_owned()), "[a-c]"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((key, inner), 0..3)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_json_comes_back_as_it_went_in(value in any_json()) {
            let mut texts = Texts::default();
            let stored = texts.packed_json([&value as &dyn Entry]).unwrap();
            prop_assert!(!stored.contains("longlonglong"));
            let packed: Value = serde_json::from_str(&stored).unwrap();
            let mut wanted = HashSet::new();
            collect(&packed, &mut wanted).unwrap();
            prop_assert!(wanted.iter().all(|hash| texts.0.contains_key(hash)));
            prop_assert_eq!(restore(packed, &texts.0).unwrap(), value);
        }
    }
}

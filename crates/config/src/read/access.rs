//! `keys`.

use document::Reader;

use crate::access::{Allowed, Digest, Key, digest};
use crate::fields::{Fields, secret};
use crate::table::{Is, Section, field, option};

/// Shorter keys can be guessed.
const SHORTEST: usize = 16;

pub(crate) static KEY: Section = Section {
    name: "keys.NAME",
    doc: "A key that a caller shows as `Authorization: Bearer …` or `x-api-key`. Without any, whoever reaches the \
          socket may call.",
    fields: &[
        option(
            "key",
            Is::Secret,
            "`hash` is needed",
            "The key itself, 16 characters or more, usually `${VARIABLE}`.",
        ),
        option(
            "hash",
            Is::Text,
            "`key` is needed",
            "Its BLAKE3 digest: `blake3:` and 64 hexadecimal digits.",
        ),
        option(
            "models",
            Is::List(&Is::Text),
            "all",
            "The models, routes and aliases that it may use; a `*` at the end stands for any rest.",
        ),
        option("tenant", Is::Text, "the key's name", "Whose calls these are."),
        field("admin", Is::Bool, "false", "May it use the administration?"),
    ],
};

pub(crate) fn key(name: String, reader: &Reader<'_>) -> Key {
    let mut fields = Fields::open(&KEY, Some(reader.clone()));
    if reader.node().is_null() {
        reader.error("a key needs `key` or `hash`");
    }
    let plain = fields.value("key");
    let hash = fields.value("hash");
    let digest = match (plain, hash) {
        (Some(plain), None) => from_plain(&plain),
        (None, Some(hash)) => from_hash(hash),
        (Some(_), Some(_)) => {
            fields.error("`key` and `hash` say the same; keep one");
            None
        }
        (None, None) => {
            fields.error("`key` or `hash` is missing");
            None
        }
    };
    let models = match fields.value("models") {
        Some(_) => {
            Allowed::These(fields.items("models").into_iter().filter_map(Reader::nonempty_text).collect())
        }
        None => Allowed::All,
    };
    let key = Key {
        digest: digest.unwrap_or_default(),
        models,
        tenant: fields.text("tenant").unwrap_or_else(|| name.clone()),
        admin: fields.bool("admin"),
        name,
    };
    fields.finish();
    key
}

fn from_plain(reader: &Reader<'_>) -> Option<Digest> {
    let key = secret(reader)?;
    if key.expose().len() < SHORTEST {
        reader.error_with_help(
            format!("shorter than {SHORTEST} characters"),
            "take a long random text, for example wl_ and 32 letters and digits",
        );
    }
    Some(digest(key.expose()))
}

fn from_hash(reader: Reader<'_>) -> Option<Digest> {
    let at = reader.clone();
    let text = reader.nonempty_text()?;
    let hash = text.strip_prefix("blake3:").and_then(|hex| blake3::Hash::from_hex(hex).ok());
    if hash.is_none() {
        at.error("not `blake3:` and 64 hexadecimal digits");
    }
    hash.map(|hash| *hash.as_bytes())
}

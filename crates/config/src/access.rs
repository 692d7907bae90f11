//! Who may call: virtual keys, what each may use, and whose it is.
//!
//! Only a key's BLAKE3 digest is kept. Keys are long random texts, so a fast hash is enough: there is
//! nothing to guess. Comparing in constant time is the server's business.

use std::fmt;

/// The digest of a key.
pub type Digest = [u8; 32];

/// One entry of `keys`.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// Its name in the ledger and in logs.
    pub name: String,
    /// BLAKE3 of the key.
    pub digest: Digest,
    /// The models, routes and aliases that it may use.
    pub models: Allowed,
    /// Whose calls these are; the key's own name where none is given.
    pub tenant: String,
    /// May it use the administration?
    pub admin: bool,
}

/// Which models a key may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// All.
    All,
    /// These names, as callers write them or in full; a `*` at the end stands for any rest.
    These(Vec<String>),
}

/// The digest under which `key` is known.
pub fn digest(key: &str) -> Digest {
    *blake3::hash(key.as_bytes()).as_bytes()
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("name", &self.name)
            .field("models", &self.models)
            .field("tenant", &self.tenant)
            .field("admin", &self.admin)
            .finish_non_exhaustive()
    }
}

//! A text that must not be seen: API keys, passwords, header values.
//!
//! It can be read only by asking for it by name ([`Secret::expose`]); every other way to print it shows a
//! placeholder. It does not protect memory: whoever can read the process can read the key.

use std::fmt;

use serde::{Serialize, Serializer};

/// What is printed in place of a secret.
const HIDDEN: &str = "[secret]";

/// A secret text.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Keeps `text` from being printed.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_way_of_printing_shows_it() {
        let secret = Secret::new("sk-very-secret");
        assert_eq!(format!("{secret:?} {secret:#?}"), "[secret] [secret]");
        assert_eq!(serde_json::to_string(&Some(&secret)).unwrap(), "\"[secret]\"");
        assert_eq!(secret.expose(), "sk-very-secret");
    }
}

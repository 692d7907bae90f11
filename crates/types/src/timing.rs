//! Where the time of one attempt went (A8).

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Durations of one attempt's stages. `None` means that the stage did not happen: a reused connection has
/// no DNS look-up, no connect and no TLS handshake; a call that failed before its first byte has no transfer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timing {
    /// Name to addresses.
    #[serde(with = "micros", skip_serializing_if = "Option::is_none")]
    pub dns: Option<Duration>,
    /// TCP connect.
    #[serde(with = "micros", skip_serializing_if = "Option::is_none")]
    pub connect: Option<Duration>,
    /// TLS handshake.
    #[serde(with = "micros", skip_serializing_if = "Option::is_none")]
    pub tls: Option<Duration>,
    /// From the request's first byte written to the answer's head.
    #[serde(with = "micros", skip_serializing_if = "Option::is_none")]
    pub first_byte: Option<Duration>,
    /// From the request's first byte written to the first content event of a stream.
    #[serde(with = "micros", skip_serializing_if = "Option::is_none")]
    pub first_token: Option<Duration>,
    /// From the answer's head to its last byte.
    #[serde(with = "micros", skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Duration>,
    /// The whole attempt.
    #[serde(with = "micros", skip_serializing_if = "Option::is_none")]
    pub total: Option<Duration>,
}

/// Durations as whole microseconds.
mod micros {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "the signature that serde asks for")]
    pub(super) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(|d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX)).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_micros))
    }
}

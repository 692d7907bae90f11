//! The 8 bytes that name a span.

use std::fmt;

use types::{CallId, RunId};

/// A W3C span id: 8 bytes, shown as 16 hexadecimal digits; never all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId([u8; 8]);

impl SpanId {
    /// The span id with these bytes; `None` if all are zero, which the standard forbids.
    pub fn from_bytes(bytes: [u8; 8]) -> Option<Self> {
        (bytes != [0; 8]).then_some(Self(bytes))
    }

    /// The bytes.
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0
    }

    /// The id of this span's `index`th child: the attempts of a call by their numbers, the steps of a run by
    /// their places in the plan. The same arguments give the same id.
    #[must_use]
    pub const fn child(self, index: u32) -> Self {
        // SplitMix64's output function (Steele, Lea and Flood 2014): a bijection, so children differ.
        let mut bits = u64::from_be_bytes(self.0)
            .wrapping_add((index as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        // One value in 2⁶⁴ is mapped to the forbidden zero.
        Self(if bits == 0 { [0xff; 8] } else { bits.to_be_bytes() })
    }
}

/// The second half of an id of ours: two fixed bits, which are not zero, and 62 random ones.
fn random_half(id: &[u8; 16]) -> [u8; 8] {
    id.last_chunk().map_or([0xff; 8], |half| *half)
}

impl From<CallId> for SpanId {
    /// The span of a call has half of the call's own bits.
    fn from(call: CallId) -> Self {
        Self(random_half(call.as_bytes()))
    }
}

impl From<RunId> for SpanId {
    /// The span of a run has half of the run's own bits.
    fn from(run: RunId) -> Self {
        Self(random_half(run.as_bytes()))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

//! W3C Trace Context: the header `traceparent`, read strictly and written.
//!
//! Source: <https://www.w3.org/TR/trace-context/>, level 1, section 3.2. The headers `tracestate` and
//! `baggage` are not looked into: the call path passes the first on as it came, and the second where it is told to.

use types::TraceId;

use super::SpanId;

/// The header that names the trace and the caller's span.
pub const TRACEPARENT: &str = "traceparent";
/// The header with vendors' own data about the trace; forwarded as it is, if `traceparent` was valid.
pub const TRACESTATE: &str = "tracestate";
/// The header with the application's own data; forwarded as it is where the operator wants that.
pub const BAGGAGE: &str = "baggage";

/// The bit of the flags that says that the caller records the trace.
const SAMPLED: u8 = 1;
/// Bytes of version 00.
const LENGTH: usize = 55;

/// Where something stands in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The trace.
    pub trace: TraceId,
    /// The span that this one belongs under; `None` at the root.
    pub parent_span: Option<SpanId>,
    /// The caller's decision whether the trace is recorded; `None` where nobody decided yet.
    pub sampled: Option<bool>,
}

/// A value for the header `traceparent`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Traceparent([u8; LENGTH]);

impl Context {
    /// The beginning of a trace: no parent, nothing decided.
    pub const fn root(trace: TraceId) -> Self {
        Self { trace, parent_span: None, sampled: None }
    }

    /// Reads the value of a header `traceparent`; `None` if it is not valid, and then the trace begins here.
    ///
    /// Versions after 00 are read as far as 00 goes, as the standard asks for.
    pub fn parse(header: &[u8]) -> Option<Self> {
        let (fixed, rest) = header.split_at_checked(LENGTH)?;
        if fixed[2] != b'-' || fixed[35] != b'-' || fixed[52] != b'-' {
            return None;
        }
        let [version] = hex(&fixed[..2])?;
        let well_ended = match version {
            0 => rest.is_empty(),
            0xff => false,
            _ => rest.is_empty() || rest[0] == b'-',
        };
        if !well_ended {
            return None;
        }
        let trace = TraceId::from_bytes(hex(&fixed[3..35])?)?;
        let parent = SpanId::from_bytes(hex(&fixed[36..52])?)?;
        let [flags] = hex(&fixed[53..])?;
        Some(Self { trace, parent_span: Some(parent), sampled: Some(flags & SAMPLED != 0) })
    }

    /// The context of what happens inside the span `span` of this trace.
    #[must_use]
    pub const fn under(self, span: SpanId) -> Self {
        Self { parent_span: Some(span), ..self }
    }

    /// The header for a request that is sent inside the span `span`: version 00.
    pub fn traceparent(&self, span: SpanId, sampled: bool) -> Traceparent {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write_hex(&mut text[3..35], &self.trace.to_bytes());
        write_hex(&mut text[36..52], &span.to_bytes());
        write_hex(&mut text[53..], &[if sampled { SAMPLED } else { 0 }]);
        Traceparent(text)
    }
}

impl Traceparent {
    /// The header's value: lower-case hexadecimal digits and hyphens.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The header's value.
    pub fn as_str(&self) -> &str {
        // Only ever ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl std::fmt::Display for Traceparent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Debug for Traceparent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `N` bytes from 2 × `N` digits; lower case only, as the standard has it.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn write_hex(digits: &mut [u8], bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

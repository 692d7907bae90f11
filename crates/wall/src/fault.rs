//! The faults by name.

use std::fmt;

/// A way in which a provider fails, or one in which it is well but hard to bear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// No fault.
    Well,
    /// 429 with `Retry-After: 1` to the first request; then well.
    ThrottledOnce,
    /// 429 with `Retry-After: 3600`, always.
    ThrottledLong,
    /// 429 without `Retry-After`, always.
    ThrottledBare,
    /// 500 to the first request; then well.
    ErrorOnce,
    /// 503, always.
    Unavailable,
    /// Well and 500 in turns, by the number of the request.
    Flapping,
    /// The connection is reset when the request is there.
    Reset,
    /// The connection is closed when the request is there.
    Closed,
    /// No answer; the connection stays open.
    Silence,
    /// One second passes before the answer, of a stream before its first token.
    SlowStart,
    /// The answer comes in fours of bytes, with a pause before each.
    SlowBytes,
    /// The answer comes in single bytes.
    OneByte,
    /// The connection is closed in the middle of the answer, of a stream after an event.
    Cut,
    /// The connection is closed in the middle of an event.
    CutInside,
    /// Nothing more comes after the middle of the answer; the connection stays open.
    Stall,
    /// `content-length` says less than comes.
    ShortLength,
    /// The answer never ends.
    Endless,
    /// JSON that is broken: a plain answer's body, or one event in the middle of a stream.
    Malformed,
    /// A stream that ends in good order in the middle of the answer: no reason to stop, no end mark.
    NoEnd,
    /// A stream that says why it stopped and ends without the end mark.
    NoMark,
    /// A good answer whose content type is `text/plain`.
    WrongType,
    /// 200 with a web page, as proxies and portals send it.
    Html,
    /// 200, and an error in the body: of a stream in the first event.
    ErrorFirst,
    /// A stream with an error in the middle of the answer, and then an end mark.
    ErrorMidway,
    /// 200 with an empty body.
    Empty,
    /// 200 with `{}`, of a stream in an event before the end mark.
    Braces,
    /// A good answer with a header of one MiB.
    HugeHeader,
}

/// How an answer is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// At once.
    Plain,
    /// As a stream of server-sent events.
    Streamed,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 28] = [
        Self::Well,
        Self::ThrottledOnce,
        Self::ThrottledLong,
        Self::ThrottledBare,
        Self::ErrorOnce,
        Self::Unavailable,
        Self::Flapping,
        Self::Reset,
        Self::Closed,
        Self::Silence,
        Self::SlowStart,
        Self::SlowBytes,
        Self::OneByte,
        Self::Cut,
        Self::CutInside,
        Self::Stall,
        Self::ShortLength,
        Self::Endless,
        Self::Malformed,
        Self::NoEnd,
        Self::NoMark,
        Self::WrongType,
        Self::Html,
        Self::ErrorFirst,
        Self::ErrorMidway,
        Self::Empty,
        Self::Braces,
        Self::HugeHeader,
    ];

    /// The model by which it is asked for.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::ThrottledOnce => "throttled-once",
            Self::ThrottledLong => "throttled-long",
            Self::ThrottledBare => "throttled-bare",
            Self::ErrorOnce => "error-once",
            Self::Unavailable => "unavailable",
            Self::Flapping => "flapping",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::Silence => "silence",
            Self::SlowStart => "slow-start",
            Self::SlowBytes => "slow-bytes",
            Self::OneByte => "one-byte",
            Self::Cut => "cut",
            Self::CutInside => "cut-inside",
            Self::Stall => "stall",
            Self::ShortLength => "short-length",
            Self::Endless => "endless",
            Self::Malformed => "malformed",
            Self::NoEnd => "no-end",
            Self::NoMark => "no-mark",
            Self::WrongType => "wrong-type",
            Self::Html => "html",
            Self::ErrorFirst => "error-first",
            Self::ErrorMidway => "error-midway",
            Self::Empty => "empty",
            Self::Braces => "braces",
            Self::HugeHeader => "huge-header",
        }
    }

    /// The fault with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }

    /// The ways of asking in which there is such a fault.
    pub const fn ways(self) -> &'static [Way] {
        match self {
            Self::CutInside | Self::NoEnd | Self::NoMark | Self::ErrorMidway => &[Way::Streamed],
            _ => &[Way::Plain, Way::Streamed],
        }
    }
}

impl Way {
    /// `plain` or `streamed`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Streamed => "streamed",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

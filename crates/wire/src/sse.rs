//! Server-sent events: bytes in whatever pieces the network delivers, whole events out.
//!
//! Follows the event stream format of the HTML standard: byte order mark, lines ended by CR, LF or CRLF,
//! `data` over several lines, comments. What the data means is the dialects' business; reconnection (`id`,
//! `retry`) concerns nobody here. An event that lies whole in the piece at hand is not copied.

use std::mem;

use memchr::memchr2;
use types::{Code, Fault, Kind};

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SseEvent<'a> {
    /// The event's name, if it has one.
    pub event: Option<&'a str>,
    /// Its data, lines joined by LF. Not checked to be UTF-8.
    pub data: &'a [u8],
}

/// The end of a block: what stood between two blank lines.
pub(crate) struct Block<'a> {
    /// The event; `None` for a block of comments or of nothing.
    pub(crate) event: Option<SseEvent<'a>>,
    /// Where the next block begins in the present piece.
    pub(crate) end: usize,
}

/// Finds events in a stream of bytes, however it is cut.
#[derive(Clone, Debug)]
pub struct Scanner {
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    /// Data of the present event that came in earlier pieces or on earlier lines.
    data: Vec<u8>,
    has_data: bool,
    /// Name of the present event that came in earlier pieces.
    name: Vec<u8>,
    has_name: bool,
    /// Bytes of the present block so far, the unfinished line not counted.
    block: usize,
    limit: usize,
    first_line: bool,
    /// The last piece ended in CR: a LF at the start of the next belongs to it.
    swallow_lf: bool,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::with_limit(Self::LIMIT)
    }
}

#[derive(Clone, Copy)]
enum Field<'l> {
    Blank,
    Data(&'l [u8]),
    Name(&'l [u8]),
    Other,
}

fn field(line: &[u8]) -> Field<'_> {
    fn value<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
        match line.strip_prefix(name)? {
            [] => Some(&[]),
            [b':', b' ', rest @ ..] | [b':', rest @ ..] => Some(rest),
            _ => None,
        }
    }
    if line.is_empty() {
        Field::Blank
    } else if let Some(data) = value(line, b"data") {
        Field::Data(data)
    } else if let Some(name) = value(line, b"event") {
        Field::Name(name)
    } else {
        Field::Other
    }
}

impl Scanner {
    /// Greatest size of one event, in bytes. Images come inline, so it is not small.
    pub const LIMIT: usize = 16 << 20;

    /// A scanner at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// A scanner that refuses events of more than `limit` bytes.
    pub fn with_limit(limit: usize) -> Self {
        Self {
            line: Vec::new(),
            data: Vec::new(),
            has_data: false,
            name: Vec::new(),
            has_name: false,
            block: 0,
            limit,
            first_line: true,
            swallow_lf: false,
        }
    }

    /// Takes the next piece of the stream and calls `on` for each event that it completes.
    ///
    /// Fails with `BadAnswer` on an event beyond the limit.
    pub fn push(&mut self, chunk: &[u8], mut on: impl FnMut(SseEvent<'_>)) -> Result<(), Fault> {
        self.scan(chunk, |block| {
            if let Some(event) = block.event {
                on(event);
            }
            Ok(())
        })
    }

    /// Whether the stream so far ends inside an event: it was cut if nothing more comes.
    pub fn is_mid_event(&self) -> bool {
        !self.line.is_empty() || self.has_data || self.has_name
    }

    /// Whether a LF at the start of the next piece belongs to the CR that ended the last one.
    pub(crate) fn is_after_cr(&self) -> bool {
        self.swallow_lf
    }

    /// The stream has ended: hands over an event that lacks only its blank line. The standard drops it; here
    /// the reader decides, because some servers close right after `data: [DONE]`.
    pub fn finish(&mut self, on: impl FnOnce(SseEvent<'_>)) {
        let line = mem::take(&mut self.line);
        self.keep(field(self.unmarked(&line)));
        if mem::take(&mut self.has_data) {
            let named = mem::take(&mut self.has_name);
            on(SseEvent { event: text(named.then_some(&self.name[..])), data: &self.data });
        }
    }

    /// [`Self::push`] for readers that need the ends of blocks and may fail.
    pub(crate) fn scan(
        &mut self,
        chunk: &[u8],
        mut on: impl FnMut(Block<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut at = usize::from(!chunk.is_empty() && mem::take(&mut self.swallow_lf) && chunk[0] == b'\n');
        let (mut data, mut name): (Option<&[u8]>, Option<&[u8]>) = (None, None);
        while let Some(length) = memchr2(b'\n', b'\r', &chunk[at..]) {
            let end = at + length;
            let mut next = end + 1;
            if chunk[end] == b'\r' {
                match chunk.get(next) {
                    Some(b'\n') => next += 1,
                    Some(_) => {}
                    None => self.swallow_lf = true,
                }
            }
            self.grow(self.line.len() + next - at)?;
            let found = if self.line.is_empty() {
                let line = self.unmarked(&chunk[at..end]);
                self.first_line = false;
                field(line)
            } else {
                self.line.extend_from_slice(&chunk[at..end]);
                let mut line = mem::take(&mut self.line);
                let found = field(self.unmarked(&line));
                self.first_line = false;
                let blank = matches!(found, Field::Blank);
                if matches!(found, Field::Data(_)) {
                    self.spill(data.take());
                }
                if matches!(found, Field::Name(_)) {
                    name = None;
                }
                self.keep(found);
                line.clear();
                self.line = line;
                if blank { Field::Blank } else { Field::Other }
            };
            at = next;
            match found {
                Field::Data(more) if self.has_data || data.is_some() => {
                    self.spill(data.take());
                    self.keep(Field::Data(more));
                }
                Field::Data(only) => data = Some(only),
                Field::Name(new) => name = Some(new),
                Field::Other => {}
                Field::Blank => {
                    let data = if self.has_data { Some(&self.data[..]) } else { data.take() };
                    let name = name.take().or(self.has_name.then_some(&self.name[..]));
                    let event = data.map(|data| SseEvent { event: text(name), data });
                    let verdict = on(Block { event, end: at });
                    (self.has_data, self.has_name, self.block) = (false, false, 0);
                    verdict?;
                }
            }
        }
        self.spill(data);
        if let Some(name) = name {
            self.keep(Field::Name(name));
        }
        self.line.extend_from_slice(&chunk[at..]);
        if self.block + self.line.len() > self.limit { Err(self.too_long()) } else { Ok(()) }
    }

    /// The line without the byte order mark that may open the stream.
    fn unmarked<'l>(&self, line: &'l [u8]) -> &'l [u8] {
        if self.first_line { line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line) } else { line }
    }

    fn grow(&mut self, by: usize) -> Result<(), Fault> {
        self.block += by;
        if self.block > self.limit { Err(self.too_long()) } else { Ok(()) }
    }

    fn too_long(&self) -> Fault {
        let message = format!("the provider sent an event of more than {} bytes", self.limit);
        Fault::new(Kind::InvalidResponse, Code::BadAnswer, message)
    }

    /// Keeps data that was only borrowed from the piece.
    fn spill(&mut self, data: Option<&[u8]>) {
        if let Some(data) = data {
            self.keep(Field::Data(data));
        }
    }

    fn keep(&mut self, field: Field<'_>) {
        match field {
            Field::Data(more) => {
                if mem::replace(&mut self.has_data, true) {
                    self.data.push(b'\n');
                } else {
                    self.data.clear();
                }
                self.data.extend_from_slice(more);
            }
            Field::Name(name) => {
                self.has_name = true;
                self.name.clear();
                self.name.extend_from_slice(name);
            }
            Field::Blank | Field::Other => {}
        }
    }
}

fn text(name: Option<&[u8]>) -> Option<&str> {
    name.and_then(|name| std::str::from_utf8(name).ok())
}

//! How a row lies in a segment, and how rows are found again in bytes that may be damaged.
//!
//! One record is one line, readable with `tail`:
//!
//! ```text
//! W1 0000025f 9ae0b1c2 {"call":"call_0192…",…}
//! ```
//!
//! the format's version, the JSON's length and the CRC-32 of length and JSON, both as eight lower-case
//! hexadecimal digits. The length finds the next record where a line's end was damaged, the line's end where
//! the length was: damage loses only the records that it lies in.

use std::ops::Range;

/// The bytes before the JSON.
const HEAD: usize = 21;
const VERSION: &[u8; 3] = b"W1 ";

/// Makes one record in `buffer`, in place of what was there, of the line of JSON that `write` appends.
pub(super) fn encode(write: impl FnOnce(&mut Vec<u8>), buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.extend_from_slice(&[b' '; HEAD]);
    write(buffer);
    let length = hex(u32::try_from(buffer.len() - HEAD).unwrap_or(u32::MAX));
    let crc = hex(checksum(length, &buffer[HEAD..]));
    buffer[..3].copy_from_slice(VERSION);
    buffer[3..11].copy_from_slice(&length);
    buffer[12..20].copy_from_slice(&crc);
    buffer.push(b'\n');
}

fn checksum(length: [u8; 8], json: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&length);
    crc.update(json);
    crc.finalize()
}

fn hex(value: u32) -> [u8; 8] {
    let mut digits = [0; 8];
    for (i, digit) in digits.iter_mut().enumerate() {
        let nibble = (value >> (28 - 4 * i)) & 0xf;
        *digit = b"0123456789abcdef"[nibble as usize];
    }
    digits
}

fn unhex(digits: [u8; 8]) -> Option<u32> {
    digits.into_iter().try_fold(0_u32, |value, digit| {
        let nibble = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u32::from(nibble))
    })
}

/// A stretch of a segment, as offsets into the bytes that were scanned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A whole record: where its JSON lies.
    Record {
        /// The JSON.
        json: Range<usize>,
        /// Where the next piece begins.
        end: usize,
    },
    /// Damaged bytes, up to the next line's beginning.
    Damage(Range<usize>),
}

impl Piece {
    /// Where the next piece begins.
    pub(super) fn end(&self) -> usize {
        match self {
            Self::Record { end, .. } => *end,
            Self::Damage(range) => range.end,
        }
    }
}

/// Reads pieces one after the other.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Whether more bytes follow behind these: then the last piece may be cut short, and is left out.
    more: bool,
}

impl<'a> Scan<'a> {
    /// Scans all that there is.
    pub(super) fn whole(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, more: false }
    }

    /// Scans the beginning of something longer; stops before a piece that may go on behind `bytes`.
    pub(super) fn beginning(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, more: true }
    }
}

impl Iterator for Scan<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        let piece = match record(rest) {
            Found::Record(json) if self.more && json == rest.len() => return None,
            Found::Record(json) => Piece::Record {
                json: self.at + HEAD..self.at + json,
                end: (self.at + json + 1).min(self.bytes.len()),
            },
            Found::Short if self.more => return None,
            Found::Short | Found::Nothing => {
                let line = rest.iter().position(|&byte| byte == b'\n');
                let length = line.map(|at| at + 1).or((!self.more).then_some(rest.len()))?;
                Piece::Damage(self.at..self.at + length)
            }
        };
        self.at = piece.end();
        Some(piece)
    }
}

enum Found {
    /// A record whose JSON ends here.
    Record(usize),
    /// Perhaps a record, but its end is behind the bytes.
    Short,
    /// No record.
    Nothing,
}

fn record(bytes: &[u8]) -> Found {
    let Some((head, _)) = bytes.split_at_checked(HEAD) else { return Found::Short };
    let (Some(length), Some(crc)) =
        (head[3..].first_chunk::<8>().copied(), head[12..].first_chunk::<8>().copied())
    else {
        return Found::Nothing;
    };
    if head[..3] != *VERSION || head[11] != b' ' || head[20] != b' ' {
        return Found::Nothing;
    }
    let (Some(size), Some(crc)) = (unhex(length), unhex(crc)) else { return Found::Nothing };
    let Some(end) = usize::try_from(size).ok().and_then(|size| size.checked_add(HEAD)) else {
        return Found::Nothing;
    };
    match bytes.get(HEAD..end) {
        None => Found::Short,
        Some(json) if checksum(length, json) == crc => Found::Record(end),
        Some(_) => Found::Nothing,
    }
}

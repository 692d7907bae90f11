//! Content codings: gzip, Brotli and Zstandard, in both directions. Which message is coded, and what a
//! header may ask for, is decided by who sends and who listens.
//!
//! Reading goes in bounded steps: a few bytes can unfold into gigabytes, so nobody gets more output at once
//! than it has made room for, and windows are bounded as RFC 9659 and RFC 7932 have them.
//!
//! Sources: RFC 9110 §8.4.1 (codings), RFC 1952 (gzip), RFC 7932 (Brotli), RFC 8878 and 9659 (Zstandard).

use std::fmt;
use std::io::Write as _;

use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState, CompressorWriter};
use flate2::{Compression, Decompress, FlushDecompress, Status, write::GzEncoder};
use zstd::stream::raw::{Decoder as ZstdDecoder, Operation as _};
use zstd::zstd_safe::DParameter;

/// How a body is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// `gzip`.
    Gzip,
    /// `br`.
    Brotli,
    /// `zstd`.
    Zstd,
}

impl Coding {
    /// All of them, as `accept-encoding` says it.
    pub const ALL: &'static str = "gzip, br, zstd";

    /// The coding of this name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        match () {
            () if is("gzip") || is("x-gzip") => Some(Self::Gzip),
            () if is("br") => Some(Self::Brotli),
            () if is("zstd") => Some(Self::Zstd),
            () => None,
        }
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// gzip's and Zstandard's fastest levels, and Brotli's fastest that is worth its name.
const GZIP_LEVEL: Compression = Compression::fast();
const ZSTD_LEVEL: i32 = 1;
const BROTLI_LEVEL: u32 = 3;
/// Brotli's window when writing: 2^18 bytes.
const BROTLI_WINDOW: u32 = 18;
/// The largest window that Zstandard may ask for when reading: 2^23 bytes, RFC 9659.
const ZSTD_WINDOW: u32 = 23;

/// Codes a body at a fast level. `None` if the coder itself fails, which it has no reason to.
pub fn encode<'p>(coding: Coding, pieces: impl IntoIterator<Item = &'p [u8]> + Clone) -> Option<Vec<u8>> {
    match coding {
        Coding::Gzip => {
            let mut coder = GzEncoder::new(Vec::new(), GZIP_LEVEL);
            pieces.into_iter().try_for_each(|piece| coder.write_all(piece)).ok()?;
            coder.finish().ok()
        }
        Coding::Brotli => {
            let mut coder = CompressorWriter::new(Vec::new(), 0, BROTLI_LEVEL, BROTLI_WINDOW);
            pieces.into_iter().try_for_each(|piece| coder.write_all(piece)).ok()?;
            Some(coder.into_inner())
        }
        Coding::Zstd => {
            let mut coder = zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL).ok()?;
            // With the size known its tables are no larger than they have to be.
            let size: usize = pieces.clone().into_iter().map(<[u8]>::len).sum();
            coder.set_pledged_src_size(Some(size as u64)).ok()?;
            pieces.into_iter().try_for_each(|piece| coder.write_all(piece)).ok()?;
            coder.finish().ok()
        }
    }
}

/// The bytes are not what their coding says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {} coding is broken", .0.as_str())]
pub struct Broken(pub Coding);

/// Reads one coded body, step by step.
pub struct Decoder {
    coding: Coding,
    state: State,
    /// Whether the input may end here.
    whole: bool,
}

enum State {
    Gzip(Box<Decompress>),
    Brotli(Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>),
    Zstd(ZstdDecoder<'static>),
}

impl Decoder {
    /// A decoder at the beginning of a body. Fails only if there is no memory for it.
    pub fn new(coding: Coding) -> Result<Self, Broken> {
        let state = match coding {
            Coding::Gzip => State::Gzip(Box::new(gzip())),
            Coding::Brotli => {
                let alloc = StandardAlloc::default;
                // Strict: windows beyond RFC 7932's 16 MB are no part of `br`.
                State::Brotli(Box::new(BrotliState::new_strict(alloc(), alloc(), alloc())))
            }
            Coding::Zstd => {
                let mut decoder = ZstdDecoder::new().map_err(|_| Broken(coding))?;
                let bounded = decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW));
                bounded.map_err(|_| Broken(coding))?;
                State::Zstd(decoder)
            }
        };
        // No bytes at all are taken for an empty body: some servers say `gzip` of nothing.
        Ok(Self { coding, state, whole: true })
    }

    /// Whether the input may end here, provided that [`Self::step`] has no more to give.
    pub const fn is_whole(&self) -> bool {
        self.whole
    }

    /// Takes from `input` and puts into `out`; says how much was taken and how much was put. Nothing of
    /// either: it has given all that the input so far has in it.
    pub fn step(&mut self, input: &[u8], out: &mut [u8]) -> Result<(usize, usize), Broken> {
        let broken = Broken(self.coding);
        match &mut self.state {
            State::Gzip(inflate) => {
                if self.whole && input.is_empty() {
                    return Ok((0, 0));
                }
                if self.whole && inflate.total_in() > 0 {
                    // Another member: RFC 1952 §2.2 lets them follow each other.
                    **inflate = gzip();
                }
                self.whole = false;
                let before = (inflate.total_in(), inflate.total_out());
                let status = inflate.decompress(input, out, FlushDecompress::None).map_err(|_| broken)?;
                self.whole = status == Status::StreamEnd;
                let taken = usize::try_from(inflate.total_in() - before.0).map_err(|_| broken)?;
                let put = usize::try_from(inflate.total_out() - before.1).map_err(|_| broken)?;
                Ok((taken, put))
            }
            State::Brotli(state) => {
                if self.whole && input.is_empty() {
                    return Ok((0, 0));
                }
                let (mut input_left, mut taken) = (input.len(), 0);
                let (mut room, mut put, mut total) = (out.len(), 0, 0);
                let result = BrotliDecompressStream(
                    &mut input_left,
                    &mut taken,
                    input,
                    &mut room,
                    &mut put,
                    out,
                    &mut total,
                    state,
                );
                self.whole = match result {
                    BrotliResult::ResultSuccess => true,
                    BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => false,
                    BrotliResult::ResultFailure => return Err(broken),
                };
                // What follows the end belongs to nothing.
                if self.whole && taken < input.len() { Err(broken) } else { Ok((taken, put)) }
            }
            State::Zstd(decoder) => {
                if self.whole && input.is_empty() {
                    return Ok((0, 0));
                }
                let status = decoder.run_on_buffers(input, out).map_err(|_| broken)?;
                self.whole = status.remaining == 0;
                Ok((status.bytes_read, status.bytes_written))
            }
        }
    }
}

/// Reads gzip with its header and checksum; its window is at most 2^15 bytes.
fn gzip() -> Decompress {
    Decompress::new_gzip(15)
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("coding", &self.coding)
            .field("whole", &self.whole)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

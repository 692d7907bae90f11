//! What several fuzz targets need: the same bytes, cut into other pieces.

/// Cuts `bytes` into pieces of lengths that follow from `seed`.
pub fn pieces(bytes: &[u8], seed: u8) -> Vec<&[u8]> {
    let mut state = u32::from(seed) | 0x9E37_0100;
    let mut rest = bytes;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        // Short ones mostly: cuts inside lines and characters are what is looked for.
        let length = if state % 5 == 0 { 40 } else { 1 + state as usize % 7 };
        let (piece, more) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = more;
    }
    pieces
}

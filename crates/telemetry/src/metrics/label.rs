//! Values of labels that come from outside: bounded in length, and where there are too many, one name.

/// The value that stands for all beyond the cap.
pub(super) const OTHER: &str = "other";
/// Bytes of a value; longer ones are cut.
const LONGEST: usize = 128;

/// The value, cut at a border of characters.
pub(super) fn cut(value: &str) -> &str {
    let mut end = value.len().min(LONGEST);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    &value[..end]
}

//! Made-up text and its made-up tokens. A token is four bytes, more where a character would be cut; the mark
//! that made-up text begins with is one token.

use super::dice::Dice;

/// How made-up text begins.
const MARK: &str = "[simulated]";

const WORDS: [&str; 48] = [
    " the", " sea", " was", " low", " and", " old", " men", " sat", " out", " all", " day", " for", " one",
    " big", " cod", " but", " got", " two", " wet", " hats", " so", " they", " had", " tea", " and", " pie",
    " with", " jam", " then", " the", " fog", " came", " by", " the", " bay", " bell", " rang", " ten",
    " as", " the", " tug", " went", " home", " in", " the", " red", " sun", " set",
];

/// Longer answers than this are not made up.
const MOST: u32 = 1 << 20;

/// Text of exactly `tokens` tokens, or of [`MOST`].
pub(super) fn made_up(tokens: u32, dice: &mut Dice) -> String {
    let tokens = usize::try_from(tokens.min(MOST)).unwrap_or(0);
    let mut text = String::with_capacity(MARK.len() + 4 * tokens + 8);
    if tokens > 0 {
        text.push_str(MARK);
        let length = MARK.len() + 4 * (tokens - 1);
        while text.len() < length {
            text.push_str(dice.pick(&WORDS).copied().unwrap_or(" the"));
        }
        text.truncate(length);
    }
    text
}

/// A text's tokens, one after the other.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    let mut first = true;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end =
            if std::mem::take(&mut first) && rest.starts_with(MARK) { MARK.len() } else { boundary(rest) };
        let (token, after) = rest.split_at(end);
        rest = after;
        Some(token)
    })
}

/// How many tokens a text of this many bytes has, about.
pub(super) const fn estimate(bytes: usize) -> u64 {
    bytes.div_ceil(4) as u64
}

/// The end of a non-empty text's first token.
fn boundary(text: &str) -> usize {
    (4..text.len()).find(|end| text.is_char_boundary(*end)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_text_has_the_tokens_that_were_asked_for() {
        for count in [0, 1, 2, 16, 1000] {
            let text = made_up(count, &mut Dice::new(1, 2));
            assert_eq!(tokens(&text).count(), count as usize);
            assert_eq!(tokens(&text).collect::<String>(), text);
        }
        assert_eq!(made_up(1, &mut Dice::new(1, 2)), MARK);
    }

    #[test]
    fn tokens_do_not_cut_characters() {
        let text = "aé日本語🦀🦀z";
        assert_eq!(tokens(text).collect::<String>(), text);
        assert!(tokens(text).all(|token| token.len() <= 7));
    }
}

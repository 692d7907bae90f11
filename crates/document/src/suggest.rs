//! Did you mean …?

/// The candidate that is most like `word`, if one is like it at all.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    // Bounded, because words and candidates may come from a stranger.
    if lower.len() > 100 {
        return None;
    }
    let (mut best, mut best_score) = (None, 0.0);
    for candidate in candidates.into_iter().take(2_000).filter(|c| c.len() <= 100) {
        let score = strsim::jaro_winkler(&lower, &candidate.to_lowercase());
        if score > best_score {
            (best, best_score) = (Some(candidate), score);
        }
    }
    best.filter(|_| best_score >= 0.8)
}

/// “did you mean `x`?” if something is like it, else the list of what there is, if it is short.
pub(crate) fn help_among(word: &str, known: &[&str]) -> Option<String> {
    if let Some(best) = closest(word, known.iter().copied()) {
        return Some(format!("did you mean `{best}`?"));
    }
    (1..=12).contains(&known.len()).then(|| format!("known here: {}", known.join(", ")))
}

//! What a model's name tells of it. Gemini's models differ in what they take and say so nowhere else.

/// A model of which only the name is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Model<'a> {
    name: &'a str,
    /// `2.5` of `gemini-2.5-flash`; `None` where the name has no number (`gemini-flash-latest`).
    version: Option<(u32, u32)>,
}

impl<'a> Model<'a> {
    /// From `gemini-3.1-pro-preview`, `models/gemini-2.5-flash` and the like.
    pub(crate) fn of(name: &'a str) -> Self {
        let name = name.rsplit('/').next().unwrap_or(name);
        let version = name.strip_prefix("gemini-").and_then(|rest| {
            let number = rest.split('-').next().unwrap_or(rest);
            let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
            Some((major.parse().ok()?, minor.parse().ok()?))
        });
        Self { name, version }
    }

    /// Version 3 or later: thinks by level, wants its signatures back, takes pictures in a tool's result.
    pub(super) fn is_third(self) -> bool {
        self.version.is_some_and(|(major, _)| major >= 3)
    }

    /// The first of the third generation, which has only two levels of thinking.
    pub(super) fn is_first_third_pro(self) -> bool {
        self.is_pro() && self.version == Some((3, 0))
    }

    /// Before 2.5, and Gemma: these do not think.
    pub(crate) fn is_thoughtless(self) -> bool {
        self.version.is_some_and(|version| version < (2, 5)) || self.name.starts_with("gemma")
    }

    pub(super) fn is_pro(self) -> bool {
        self.has("pro")
    }

    pub(super) fn is_lite(self) -> bool {
        self.has("lite")
    }

    pub(super) fn is_flash(self) -> bool {
        self.has("flash")
    }

    fn has(self, word: &str) -> bool {
        self.name.split('-').any(|part| part == word)
    }
}

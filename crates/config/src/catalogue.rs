//! What is publicly known about models: prices, context, capabilities, end of life (A13).
//!
//! The embedded list is one text, sorted by model name, one model a line. A look-up is a binary search over
//! its bytes that decodes the one line it finds: nothing is read at start, and pages that nobody asks for
//! never leave the file. [`pack`](pack::pack) writes that text from the published table.
//!
//! A model that is not there has no [`Entry`], and an entry without a price has an unknown price. A price
//! of zero that the list prints is a known zero.

pub mod pack;
pub mod row;
pub mod vendor;

pub use row::{Capabilities, Entry, Mode};
pub use vendor::Vendor;

/// The list that ships with this version.
static EMBEDDED: Catalogue = Catalogue { text: include_str!("../data/models.txt") };

/// A list of models.
#[derive(Clone, Copy, Debug)]
pub struct Catalogue {
    text: &'static str,
}

impl Catalogue {
    /// The list that ships with this version.
    pub fn embedded() -> &'static Self {
        &EMBEDDED
    }

    /// The row for a vendor's model.
    ///
    /// `model` is looked for as it is; then with the vendor's prefix in front (`groq/…`); then without it.
    /// If none of these is listed and it ends in a date or in `-latest`, all is tried again without that
    /// end: a dated version that is not listed costs what its model costs. With [`Vendor::Unknown`] the
    /// name as it is must be listed by anybody, and its row's vendor is believed; with [`Vendor::None`]
    /// there is never a row.
    pub fn find(&self, vendor: &Vendor, model: &str) -> Option<Entry> {
        if *vendor == Vendor::None {
            return None;
        }
        let undated = vendor::without_date(model);
        std::iter::once(model).chain(undated).find_map(|name| self.find_name(vendor, name)).map(Entry::read)
    }

    /// Is `model` listed for `vendor`, under this very name or with the vendor's prefix?
    pub fn lists(&self, vendor: &Vendor, model: &str) -> bool {
        matches!(vendor, Vendor::Named(_)) && self.find_name(vendor, model).is_some()
    }

    /// Does any row belong to the vendor of this name? Looks at every row.
    pub fn has_vendor(&self, name: &str) -> bool {
        self.lines().any(|line| vendor::covers(name, row::provider(line)))
    }

    /// All rows, by name.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        self.lines().map(Entry::read)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.lines().count()
    }

    /// Is there no row?
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    fn lines(&self) -> std::str::Lines<'static> {
        self.text.lines()
    }

    fn find_name(&self, vendor: &Vendor, name: &str) -> Option<&'static str> {
        let Vendor::Named(vendor) = vendor else { return self.line(name) };
        let of_vendor = |line: &&str| vendor::covers(vendor, row::provider(line));
        let prefixed = || self.line(&format!("{vendor}/{name}")).filter(of_vendor);
        let bare = || self.line(name.strip_prefix(vendor.as_ref())?.strip_prefix('/')?).filter(of_vendor);
        self.line(name).filter(of_vendor).or_else(prefixed).or_else(bare)
    }

    /// The line of exactly this model.
    fn line(&self, name: &str) -> Option<&'static str> {
        let text: &'static str = self.text;
        let (mut low, mut high) = (0, text.len());
        // Both are starts of lines (or the end of the text).
        while low < high {
            let middle = low + (high - low) / 2;
            let start = text.as_bytes()[low..middle].iter().rposition(|byte| *byte == b'\n');
            let start = start.map_or(low, |at| low + at + 1);
            let end = text.as_bytes()[start..].iter().position(|byte| *byte == b'\n');
            let end = end.map_or(text.len(), |at| start + at);
            let line = &text[start..end];
            match row::model(line).cmp(name) {
                std::cmp::Ordering::Equal => return Some(line),
                std::cmp::Ordering::Less => low = (end + 1).min(high),
                std::cmp::Ordering::Greater => high = start,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(vendor: &str, model: &str) -> Option<String> {
        Catalogue::embedded().find(&Vendor::named(vendor), model).map(|entry| entry.model)
    }

    #[test]
    fn a_name_is_found_with_and_without_its_vendor() {
        for (vendor, model, row) in [
            ("openai", "gpt-4o-mini", Some("gpt-4o-mini")),
            ("openai", "openai/gpt-4o-mini", Some("gpt-4o-mini")),
            ("groq", "openai/gpt-oss-20b", Some("groq/openai/gpt-oss-20b")),
            ("anthropic", "claude-haiku-4-5", Some("claude-haiku-4-5")),
            // Listed dates are their own rows, others stand for their model.
            ("openai", "gpt-4o-2024-05-13", Some("gpt-4o-2024-05-13")),
            ("openai", "gpt-4o-2031-01-01", Some("gpt-4o")),
            ("anthropic", "claude-haiku-4-5-20310101", Some("claude-haiku-4-5")),
            ("anthropic", "claude-haiku-4-5-latest", Some("claude-haiku-4-5")),
            // Another vendor's model is not ours.
            ("openai", "claude-haiku-4-5", None),
            ("groq", "gpt-4o-mini", None),
            ("openai", "no-such-model", None),
            ("openai", "", None),
        ] {
            assert_eq!(found(vendor, model).as_deref(), row, "{vendor} {model}");
        }
    }

    #[test]
    fn an_unknown_vendor_needs_the_whole_name() {
        let find = |vendor: &Vendor, model: &str| Catalogue::embedded().find(vendor, model);
        assert_eq!(find(&Vendor::Unknown, "gpt-4o-mini").unwrap().provider, "openai");
        assert_eq!(find(&Vendor::Unknown, "groq/openai/gpt-oss-20b").unwrap().provider, "groq");
        assert_eq!(find(&Vendor::Unknown, "openai/gpt-oss-20b"), None);
        assert_eq!(find(&Vendor::None, "gpt-4o-mini"), None);
        assert!(!Catalogue::embedded().lists(&Vendor::Unknown, "gpt-4o-mini"));
    }

    #[test]
    fn every_line_is_found_by_its_own_name() {
        let catalogue = Catalogue::embedded();
        assert!(catalogue.len() > 3_000);
        for line in catalogue.lines() {
            assert_eq!(catalogue.line(row::model(line)), Some(line));
        }
    }
}

//! Rust source as the tidy rules see it: comments and literals blanked out, tests marked. It is a scanner,
//! not a parser: it knows where texts and braces end, and nothing of what the code means.

/// One Rust file. Blanking keeps every line where it was.
pub(crate) struct Source {
    /// The text with comments, strings and character literals replaced by blanks.
    code: Vec<char>,
    /// For each line, from 0: does it belong to an item under `#[cfg(test)]`?
    test_lines: Vec<bool>,
    /// Modules that are declared here for tests only and live in a file of their own.
    test_modules: Vec<String>,
}

impl Source {
    /// Scans `text`.
    pub(crate) fn new(text: &str) -> Self {
        let code = blank(text);
        let mut source =
            Self { test_lines: vec![false; text.lines().count()], code, test_modules: Vec::new() };
        source.mark_tests();
        source
    }

    /// Names from `#[cfg(test)] mod NAME;`.
    pub(crate) fn test_modules(&self) -> &[String] {
        &self.test_modules
    }

    /// How many lines are not tests.
    pub(crate) fn production_lines(&self) -> usize {
        self.test_lines.iter().filter(|test| !**test).count()
    }

    /// Is the line, counted from 1, part of a test?
    pub(crate) fn is_test(&self, line: usize) -> bool {
        line.checked_sub(1).and_then(|index| self.test_lines.get(index)).copied().unwrap_or(false)
    }

    /// The lines of code outside tests, each with its number from 1.
    pub(crate) fn production(&self) -> Vec<(usize, String)> {
        let text: String = self.code.iter().collect();
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.to_owned()));
        lines.filter(|(line, _)| !self.is_test(*line)).collect()
    }

    /// Every path that a `use` outside tests brings in, written out, with its line:
    /// `use std::{fs, net::TcpStream}` gives `std::fs` and `std::net::TcpStream`.
    pub(crate) fn imports(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(start) = self.find(at, "use ") {
            at = start + 4;
            let line = self.line_of(start);
            if start > 0 && is_word(self.code[start - 1]) || self.is_test(line) {
                continue;
            }
            let end = self.code[at..].iter().position(|c| *c == ';').map_or(self.code.len(), |n| at + n);
            let tree: String = self.code[at..end].iter().filter(|c| !c.is_whitespace()).collect();
            expand(&tree, "", &mut |path| found.push((line, path)));
            at = end;
        }
        found
    }

    fn mark_tests(&mut self) {
        let mut at = 0;
        while let Some(start) = self.find(at, "#[cfg(") {
            at = start + 6;
            let condition: String = self.code[at..].iter().take_while(|c| **c != ']').collect();
            if !words(&condition).any(|word| word == "test") || condition.contains("not(test") {
                continue;
            }
            let end = self.end_of_item(start);
            let item: String = self.code[start..end].iter().collect();
            if let Some(name) = declared_module(&item) {
                self.test_modules.push(name);
            }
            let (first, last) = (self.line_of(start), self.line_of(end.saturating_sub(1)));
            for line in first..=last {
                if let Some(mark) = self.test_lines.get_mut(line - 1) {
                    *mark = true;
                }
            }
            at = end;
        }
    }

    /// Past the `}` or `;` that ends the item whose attributes start at `start`.
    fn end_of_item(&self, start: usize) -> usize {
        let (mut round, mut curly) = (0_usize, 0_usize);
        for (index, c) in self.code.iter().enumerate().skip(start) {
            match c {
                '(' | '[' => round += 1,
                ')' | ']' => round = round.saturating_sub(1),
                '{' => curly += 1,
                '}' => {
                    curly = curly.saturating_sub(1);
                    if curly == 0 {
                        return index + 1;
                    }
                }
                ';' if round == 0 && curly == 0 => return index + 1,
                _ => {}
            }
        }
        self.code.len()
    }

    fn find(&self, from: usize, needle: &str) -> Option<usize> {
        let needle: Vec<char> = needle.chars().collect();
        let rest = self.code.get(from..)?;
        rest.windows(needle.len()).position(|window| window == needle).map(|found| from + found)
    }

    fn line_of(&self, index: usize) -> usize {
        1 + self.code[..index].iter().filter(|c| **c == '\n').count()
    }
}

/// Is `c` part of a name?
pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !is_word(c)).filter(|word| !word.is_empty())
}

/// The name in `#[cfg(test)] mod NAME;`, if that is what the item is.
fn declared_module(item: &str) -> Option<String> {
    let rest = item.trim_end().strip_suffix(';')?;
    let mut words = words(rest).skip_while(|word| *word != "mod");
    words.next()?;
    let name = words.next()?;
    words.next().is_none().then(|| name.to_owned())
}

/// Writes out one tree of a `use`, blanks already removed.
fn expand(tree: &str, prefix: &str, give: &mut dyn FnMut(String)) {
    let Some(open) = tree.find('{') else {
        let path = tree.split(" as ").next().unwrap_or(tree);
        return give(format!("{prefix}{path}"));
    };
    let prefix = format!("{prefix}{}", &tree[..open]);
    let (mut depth, mut start) = (0_usize, open + 1);
    for (index, c) in tree.char_indices().skip(open) {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 1 => {
                expand(&tree[start..index], &prefix, give);
                start = index + 1;
            }
            _ => {}
        }
        if depth == 0 {
            if start < index {
                expand(&tree[start..index], &prefix, give);
            }
            return;
        }
    }
}

/// Replaces comments and literals by blanks, newlines kept.
fn blank(text: &str) -> Vec<char> {
    let text: Vec<char> = text.chars().collect();
    let mut code = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let end = literal(&text, at);
        if end == at {
            code.push(text[at]);
            at += 1;
        } else {
            code.extend(text[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    code
}

/// Where the comment or literal that starts at `at` ends; `at` itself when none starts there.
fn literal(text: &[char], at: usize) -> usize {
    let here = &text[at..];
    match here {
        ['/', '/', ..] => at + here.iter().position(|c| *c == '\n').unwrap_or(here.len()),
        ['/', '*', ..] => at + block_comment(here),
        ['"', ..] => at + quoted(here, '"'),
        ['r', '"' | '#', ..] if at == 0 || !is_word(text[at - 1]) || matches!(text[at - 1], 'b' | 'c') => {
            at + raw_string(here)
        }
        ['\'', '\\', ..] => at + quoted(here, '\''),
        ['\'', _, '\'', ..] => at + 3,
        _ => at,
    }
}

fn block_comment(text: &[char]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        match text[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth.saturating_sub(1), at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(text: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            '\\' => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

/// `r"…"`, `r#"…"#`; 0 when it is a raw name such as `r#type`.
fn raw_string(text: &[char]) -> usize {
    let hashes = text[1..].iter().take_while(|c| **c == '#').count();
    let open = 1 + hashes;
    if text.get(open) != Some(&'"') {
        return 0;
    }
    let closed =
        |index: usize| text[index] == '"' && text[index + 1..].iter().take(hashes).all(|c| *c == '#');
    let end = (open + 1..text.len()).find(|index| closed(*index));
    end.map_or(text.len(), |index| (index + 1 + hashes).min(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        blank(text).into_iter().collect()
    }

    #[test]
    fn comments_and_literals_are_blanked() {
        for text in [
            "// tokio",
            "/* a /* tokio */ b */",
            "\"tok\\\"io\"",
            "r#\"tokio\" \"#",
            "br\"tokio\"",
            "'\"'",
            "'\\''",
        ] {
            let left = code(text);
            assert_eq!(left.trim().trim_start_matches('b'), "", "{text} left {left:?}");
            assert_eq!(left.chars().count(), text.chars().count(), "{text}");
        }
        assert_eq!(code("fn f<'a>(x: &'a str, r#type: u8) {}"), "fn f<'a>(x: &'a str, r#type: u8) {}");
        assert_eq!(code("'{' + \"\n\" + b'}'"), "    +  \n  + b   ");
    }

    #[test]
    fn tests_are_marked_to_their_last_line() {
        let source = Source::new("fn a() {}\n#[cfg(test)]\nmod t {\n  fn b() { \"}\" }\n}\nfn c() {}\n");
        let tests: Vec<bool> = (1..=6).map(|line| source.is_test(line)).collect();
        assert_eq!(tests, [false, true, true, true, true, false]);
        assert_eq!(source.production_lines(), 2);
    }

    #[test]
    fn a_test_module_in_its_own_file_is_named() {
        let source = Source::new("#[cfg(test)]\n#[path = \"x.rs\"]\nmod tests;\nmod real;\n");
        assert_eq!(source.test_modules(), ["tests"]);
        assert!(!source.is_test(4));
        assert!(Source::new("#[cfg(not(test))]\nmod real;\n").test_modules().is_empty());
    }

    #[test]
    fn imports_are_written_out() {
        let source =
            Source::new("use std::{fs, net::{TcpStream, self}};\n#[cfg(test)]\nuse std::env;\npub use a::b;");
        let paths: Vec<String> = source.imports().into_iter().map(|(_, path)| path).collect();
        assert_eq!(paths, ["std::fs", "std::net::TcpStream", "std::net::self", "a::b"]);
    }
}

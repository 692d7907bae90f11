//! From the `OpenMetrics` text that the library writes to the older Prometheus text exposition, 0.0.4.
//!
//! Every scraper reads the older one, and `promtool check metrics` reads only that. The difference: a counter
//! is described by the name that its samples have, `…_total`; there is no `# UNIT` and no `# EOF`.

/// `openmetrics` in the form `text/plain; version=0.0.4`.
pub(super) fn prometheus(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    let mut help = "";
    for line in openmetrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest;
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let suffix = if kind == "counter" { "_total" } else { "" };
            let help = help.strip_prefix(name).unwrap_or_default();
            for part in ["# HELP ", name, suffix, help, "\n# TYPE ", name, suffix, " ", kind, "\n"] {
                text.push_str(part);
            }
        } else if !line.starts_with('#') {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

//! The embedded list against the published table, by arithmetic of its own: decimal digits straight from the
//! table's text, nothing of `types::price`.

use std::collections::HashMap;

use config::Catalogue;
use config::catalogue::{Entry, Mode, Vendor, pack};
use types::Usage;

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/model-prices.csv");

fn table() -> String {
    std::fs::read_to_string(TABLE).unwrap_or_else(|error| {
        panic!("the published table of prices is needed at {TABLE} ({error}): put the shared data beside the repository")
    })
}

fn rows(table: &str) -> Vec<HashMap<&str, &str>> {
    let mut lines = table.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    lines.map(|line| names.iter().copied().zip(line.split(',')).collect()).collect()
}

#[test]
fn the_committed_list_is_the_published_table() {
    let packed = pack::pack(&table()).unwrap();
    let committed = include_str!("../../data/models.txt");
    assert!(
        packed == committed,
        "crates/config/data/models.txt is not what the table packs to: \
         cargo run -p windlass-config --example pack_catalogue < {TABLE} > crates/config/data/models.txt"
    );
    assert!(committed.len() < 400_000);
}

#[test]
fn every_row_says_what_the_table_says() {
    let table = table();
    let rows = rows(&table);
    assert_eq!(Catalogue::embedded().len(), rows.len());
    for row in rows {
        let entry = Catalogue::embedded().find(&Vendor::named(row["provider"]), row["model"]).unwrap();
        assert_eq!((entry.model.as_str(), entry.provider.as_str()), (row["model"], row["provider"]));
        let number = |column: &str| row[column].parse::<u64>().ok();
        assert_eq!(entry.context_tokens, number("context_tokens"), "{}", entry.model);
        assert_eq!(entry.max_output_tokens, number("max_output_tokens"), "{}", entry.model);
        assert_eq!(entry.mode.as_str(), row["mode"]);
        assert_eq!(entry.deprecation.as_deref().unwrap_or_default(), row["deprecation"]);
        let known = &entry.capabilities;
        for (has, column) in [
            (known.tools, "tools"),
            (known.parallel_tools, "parallel_tools"),
            (known.vision, "vision"),
            (known.audio_in, "audio_in"),
            (known.pdf_in, "pdf_in"),
            (known.json_schema, "json_schema"),
            (known.reasoning, "reasoning"),
            (known.prompt_cache, "prompt_cache"),
            (known.assistant_prefill, "assistant_prefill"),
        ] {
            assert_eq!(has, row[column] == "1", "{} {column}", entry.model);
        }
        let half = row["output"].is_empty() && entry.mode != Mode::Embedding || row["input"].is_empty();
        assert_eq!(entry.price.is_none(), half, "{}: half a price is no price", entry.model);
    }
}

/// A decimal text as a whole number of 10⁻¹⁸, by shifting its digits.
fn digits(text: &str) -> u128 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    assert!(
        part.len() <= 18 && !text.contains(['e', 'E', '-']),
        "the table has a new way of writing: {text}"
    );
    format!("{whole}{part:0<18}").parse().unwrap()
}

/// The cost in pico-dollars: rate per million × tokens, summed, rounded once.
fn expected(parts: &[(u128, u64)]) -> i128 {
    // 10⁻¹⁸ dollars per 10⁶ tokens: the sum counts 10⁻²⁴ dollars; 10¹² of them are a pico-dollar.
    let sum: u128 = parts.iter().map(|(rate, tokens)| rate * u128::from(*tokens)).sum();
    let (whole, rest) = (sum / 1_000_000_000_000, sum % 1_000_000_000_000);
    i128::try_from(whole).unwrap() + i128::from(rest >= 500_000_000_000)
}

#[test]
fn costs_are_exact_for_every_model_and_six_shapes_of_usage() {
    let table = table();
    let mut models = 0;
    for row in rows(&table) {
        let cell = |name: &str| Some(row[name]).filter(|cell| !cell.is_empty()).map(digits);
        let entry: Entry = Catalogue::embedded().find(&Vendor::Unknown, row["model"]).unwrap();
        let Some(price) = entry.price else { continue };
        models += 1;
        let (input, output) = (cell("input").unwrap(), cell("output").unwrap_or(0));
        let read = cell("cache_read").unwrap_or(input);
        let write = cell("cache_write").unwrap_or(input);
        let write_1h = cell("cache_write_1h").unwrap_or(write);
        let reasoning = cell("reasoning_output").unwrap_or(output);
        let (hear, speak) = (cell("audio_input").unwrap_or(input), cell("audio_output").unwrap_or(output));
        let check = |shape: &str, usage: Usage, parts: &[(u128, u64)]| {
            assert_eq!(price.cost(&usage).as_pico(), expected(parts), "{} {shape}", row["model"]);
        };
        check("plain", Usage::plain(1_234, 567), &[(input, 1_234), (output, 567)]);
        check(
            "cached read",
            Usage { cache_read: 1_003, ..Usage::plain(1_234, 7) },
            &[(input, 231), (read, 1_003), (output, 7)],
        );
        check(
            "cache write",
            Usage { cache_write: 1_111, cache_write_1h: 101, cache_read: 7, ..Usage::plain(1_301, 1) },
            &[(input, 82), (write, 1_111), (write_1h, 101), (read, 7), (output, 1)],
        );
        check(
            "reasoning",
            Usage { reasoning: 4_001, ..Usage::plain(99, 4_321) },
            &[(input, 99), (output, 320), (reasoning, 4_001)],
        );
        check(
            "audio",
            Usage { audio_input: 333, audio_output: 444, ..Usage::plain(1_000, 501) },
            &[(input, 667), (hear, 333), (output, 57), (speak, 444)],
        );
        for tokens in [200_000, 200_001, 272_000, 272_001, 999_999] {
            let tier = |base: u128, name: &str| {
                let of = |above: &str| cell(&format!("{name}_above_{above}"));
                let long = (tokens > 272_000).then(|| of("272k")).flatten();
                long.or_else(|| (tokens > 200_000).then(|| of("200k")).flatten()).unwrap_or(base)
            };
            let parts = [
                (tier(input, "input"), tokens - 50_000),
                (read_or(cell("cache_read"), tier(input, "input")), 50_000),
                (tier(output, "output"), 4_097),
            ];
            check("long context", Usage { cache_read: 50_000, ..Usage::plain(tokens, 4_097) }, &parts);
        }
    }
    assert!(models >= 3_400, "only {models} models have a price");
}

/// Without a rate of its own, cached input costs what input costs at this length.
fn read_or(own: Option<u128>, input: u128) -> u128 {
    own.unwrap_or(input)
}

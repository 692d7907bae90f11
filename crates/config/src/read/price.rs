//! Prices that the operator sets, under the names that the published table has.

use document::Reader;
use types::Price;
use types::price::{Rate, Tier};

use crate::fields::Fields;
use crate::table::{Is, Section, option, required};

/// What a missing rate means.
const AS_INPUT: &str = "as `input`";
const AS_OUTPUT: &str = "as `output`";

pub(crate) static PRICE: Section = Section {
    name: "prices.MODEL",
    doc: "What a model charges: US dollars per million tokens, as exact decimals. It replaces the list price as a \
          whole.",
    fields: &[
        required("input", Is::Rate, "Tokens read."),
        required("output", Is::Rate, "Tokens written."),
        option("cache_read", Is::Rate, AS_INPUT, "Tokens read from the provider's prompt cache."),
        option("cache_write", Is::Rate, AS_INPUT, "Tokens written to the provider's prompt cache."),
        option(
            "cache_write_1h",
            Is::Rate,
            "as `cache_write`",
            "Tokens written to its one-hour prompt cache.",
        ),
        option("reasoning_output", Is::Rate, AS_OUTPUT, "Reasoning tokens."),
        option("audio_input", Is::Rate, AS_INPUT, "Audio tokens read."),
        option("audio_output", Is::Rate, AS_OUTPUT, "Audio tokens written."),
        option("batch_input", Is::Rate, "unknown", "Tokens read in the provider's batch endpoint."),
        option("batch_output", Is::Rate, "unknown", "Tokens written in the provider's batch endpoint."),
        option("input_above_200k", Is::Rate, AS_INPUT, "Tokens read, when they are more than 200,000."),
        option("output_above_200k", Is::Rate, AS_OUTPUT, "Tokens written, when more than 200,000 are read."),
        option("input_above_272k", Is::Rate, AS_INPUT, "Tokens read, when they are more than 272,000."),
        option("output_above_272k", Is::Rate, AS_OUTPUT, "Tokens written, when more than 272,000 are read."),
    ],
};

/// A price; `None` where there is none or a basic rate is missing, which has been noted then.
pub(crate) fn price(reader: Option<Reader<'_>>) -> Option<Price> {
    let mut fields = Fields::open(&PRICE, reader);
    let (input, output) = (fields.rate("input"), fields.rate("output"));
    let tier = |above, input: Option<Rate>, output: Option<Rate>| {
        (input.is_some() || output.is_some()).then_some(Tier { above, input, output })
    };
    let price = Price {
        input: input.unwrap_or_default(),
        output: output.unwrap_or_default(),
        cache_read: fields.rate("cache_read"),
        cache_write: fields.rate("cache_write"),
        cache_write_1h: fields.rate("cache_write_1h"),
        reasoning: fields.rate("reasoning_output"),
        audio_input: fields.rate("audio_input"),
        audio_output: fields.rate("audio_output"),
        batch_input: fields.rate("batch_input"),
        batch_output: fields.rate("batch_output"),
        tiers: [
            tier(200_000, fields.rate("input_above_200k"), fields.rate("output_above_200k")),
            tier(272_000, fields.rate("input_above_272k"), fields.rate("output_above_272k")),
        ]
        .into_iter()
        .flatten()
        .collect(),
    };
    fields.finish();
    input.and(output).map(|_| price)
}

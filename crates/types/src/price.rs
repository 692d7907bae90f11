//! What a model charges, and what a usage costs. Exact integers throughout.
//!
//! Rates are atto-dollars (10⁻¹⁸ USD) per *million* tokens. Price lists quote dollars per million tokens, a
//! few of them with eighteen decimals, so every published price is an integer, and a cost is rounded once,
//! to a pico-dollar, at its end, half away from zero.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::money::{ParseMoneyError, parse_decimal};
use crate::{Money, Usage};

/// Decimal places of a rate.
const PLACES: u32 = 18;
/// Atto-dollars per million tokens that make one pico-dollar per token.
const PER: u128 = 1_000_000_000_000;

/// Atto-dollars per million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(u128);

impl Rate {
    /// Nothing is charged.
    pub const FREE: Self = Self(0);

    /// `pico` pico-dollars per million tokens.
    pub const fn from_pico_per_million(pico: u64) -> Self {
        Self(pico as u128 * 1_000_000)
    }

    fn times(self, tokens: u64) -> u128 {
        self.0.saturating_mul(u128::from(tokens))
    }
}

impl FromStr for Rate {
    type Err = ParseMoneyError;

    /// Dollars per million tokens: `"0.15"`.
    fn from_str(text: &str) -> Result<Self, ParseMoneyError> {
        let atto = parse_decimal(text, PLACES).map_err(|error| match error {
            ParseMoneyError::TooFine => ParseMoneyError::TooFineRate,
            other => other,
        })?;
        u128::try_from(atto).map(Self).map_err(|_| ParseMoneyError::NotDecimal)
    }
}

impl fmt::Display for Rate {
    /// Dollars per million tokens with as many decimals as needed: `0.15`, `3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dollar = 10_u128.pow(PLACES);
        let (whole, part) = (self.0 / dollar, self.0 % dollar);
        if part == 0 {
            return write!(f, "{whole}");
        }
        write!(f, "{whole}.{}", format!("{part:018}").trim_end_matches('0'))
    }
}

impl Serialize for Rate {
    /// Dollars per million tokens as a decimal string, so that no JSON reader turns it into a float.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A model's list price. What is `None` is not published, and falls back as its field says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Price {
    /// Tokens read.
    pub input: Rate,
    /// Tokens written.
    pub output: Rate,
    /// Cached tokens read; `None`: as `input`.
    pub cache_read: Option<Rate>,
    /// Tokens written to the prompt cache; `None`: as `input`.
    pub cache_write: Option<Rate>,
    /// Tokens written to the one-hour prompt cache; `None`: as `cache_write`.
    pub cache_write_1h: Option<Rate>,
    /// Reasoning tokens; `None`: as `output`.
    pub reasoning: Option<Rate>,
    /// Audio read; `None`: as `input`.
    pub audio_input: Option<Rate>,
    /// Audio written; `None`: as `output`.
    pub audio_output: Option<Rate>,
    /// Tokens read through the provider's batch endpoint.
    pub batch_input: Option<Rate>,
    /// Tokens written through the provider's batch endpoint.
    pub batch_output: Option<Rate>,
    /// Long-context tiers, by rising threshold.
    pub tiers: Vec<Tier>,
}

/// Rates for a call whose *input* is longer than a threshold; they hold for the whole call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    /// The tier holds when `usage.input` is greater than this.
    pub above: u64,
    /// Tokens read; `None`: the base rate.
    pub input: Option<Rate>,
    /// Tokens written; `None`: the base rate.
    pub output: Option<Rate>,
}

impl Price {
    /// What `usage` costs at list price.
    ///
    /// The parts of `input` (cache, audio) are charged at their own rates and taken out of the plain input;
    /// likewise for `output`. Parts that add up to more than their total (a provider's slip) are charged
    /// as reported, and the plain remainder is zero, never negative.
    pub fn cost(&self, usage: &Usage) -> Money {
        let (input, output) = self.base_rates(usage.input);
        let cache_write = self.cache_write.unwrap_or(input);
        let input_parts = [
            (self.cache_read.unwrap_or(input), usage.cache_read),
            (cache_write, usage.cache_write),
            (self.cache_write_1h.unwrap_or(cache_write), usage.cache_write_1h),
            (self.audio_input.unwrap_or(input), usage.audio_input),
        ];
        let output_parts = [
            (self.reasoning.unwrap_or(output), usage.reasoning),
            (self.audio_output.unwrap_or(output), usage.audio_output),
        ];
        let read = side(input, usage.input, &input_parts);
        let sum = read.saturating_add(side(output, usage.output, &output_parts));
        // The quotient of a u128 by 10¹² fits an i128.
        Money::from_pico(i128::try_from(sum.saturating_add(PER / 2) / PER).unwrap_or(i128::MAX))
    }

    /// The input and output rates for a call that reads `input` tokens.
    fn base_rates(&self, input: u64) -> (Rate, Rate) {
        let tier = self.tiers.iter().rfind(|tier| input > tier.above);
        (
            tier.and_then(|tier| tier.input).unwrap_or(self.input),
            tier.and_then(|tier| tier.output).unwrap_or(self.output),
        )
    }
}

fn side(plain: Rate, total: u64, parts: &[(Rate, u64)]) -> u128 {
    let special = parts.iter().fold(0_u64, |sum, (_, tokens)| sum.saturating_add(*tokens));
    let rest = plain.times(total.saturating_sub(special));
    parts.iter().fold(rest, |sum, (rate, tokens)| sum.saturating_add(rate.times(*tokens)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> Rate {
        text.parse().unwrap()
    }

    #[test]
    fn parts_are_charged_once_at_their_own_rate() {
        let price = Price {
            input: rate("3"),
            output: rate("15"),
            cache_read: Some(rate("0.3")),
            cache_write: Some(rate("3.75")),
            ..Price::default()
        };
        let usage = Usage { cache_read: 1_000, cache_write: 500, ..Usage::plain(2_000, 100) };
        // 500 × 3 + 1000 × 0.3 + 500 × 3.75 + 100 × 15 dollars per million
        assert_eq!(price.cost(&usage), "0.005175".parse().unwrap());
    }

    #[test]
    fn a_long_call_pays_the_tier_for_all_of_it() {
        let tier = Tier { above: 200_000, input: Some(rate("6")), output: Some(rate("22.5")) };
        let price = Price { input: rate("3"), output: rate("15"), tiers: vec![tier], ..Price::default() };
        assert_eq!(price.cost(&Usage::plain(200_000, 0)), "0.6".parse().unwrap());
        assert_eq!(price.cost(&Usage::plain(200_001, 0)), "1.200006".parse().unwrap());
    }

    #[test]
    fn a_rate_is_shown_as_it_was_read() {
        for text in ["0", "3", "0.15", "2.9999900000000002", "0.032857142857142855", "9710"] {
            assert_eq!(rate(text).to_string(), text);
            assert_eq!(serde_json::from_str::<Rate>(&format!("\"{text}\"")).unwrap(), rate(text));
        }
        assert_eq!(rate("0.15"), Rate::from_pico_per_million(150_000_000_000));
        assert_eq!("0.0000000000000000001".parse::<Rate>(), Err(ParseMoneyError::TooFineRate));
        assert_eq!("-1".parse::<Rate>(), Err(ParseMoneyError::NotDecimal));
    }

    #[test]
    fn absurd_amounts_saturate() {
        let price = Price { input: rate("100000000000000000"), output: rate("1"), ..Price::default() };
        assert!(price.cost(&Usage::plain(u64::MAX, u64::MAX)) > Money::from_pico(i64::MAX.into()));
    }

    #[test]
    fn more_parts_than_total_is_never_a_refund() {
        let price = Price { input: rate("1"), cache_read: Some(rate("0.1")), ..Price::default() };
        let usage = Usage { cache_read: 10, ..Usage::plain(5, 0) };
        assert_eq!(price.cost(&usage), Money::from_pico(1_000_000));
    }
}

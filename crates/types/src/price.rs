//! What a model charges, and what a usage costs. Exact integers throughout.
//!
//! Rates are pico-dollars per *million* tokens, as price lists quote dollars per million: every published
//! price is then an integer, and a cost is rounded once, at its end, half away from zero.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::money::{ParseMoneyError, parse_decimal};
use crate::{Money, Usage};

/// Tokens that a list price is quoted for.
const PER: i128 = 1_000_000;

/// Pico-dollars per million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(u64);

impl Rate {
    /// `pico` pico-dollars per million tokens.
    pub const fn from_pico_per_million(pico: u64) -> Self {
        Self(pico)
    }

    /// Pico-dollars per million tokens.
    pub const fn pico_per_million(self) -> u64 {
        self.0
    }

    fn times(self, tokens: u64) -> i128 {
        i128::from(self.0) * i128::from(tokens)
    }
}

impl FromStr for Rate {
    type Err = ParseMoneyError;

    /// Dollars per million tokens: `"0.15"`.
    fn from_str(text: &str) -> Result<Self, ParseMoneyError> {
        let pico = parse_decimal(text, 12)?;
        if pico < 0 {
            return Err(ParseMoneyError::NotDecimal);
        }
        u64::try_from(pico).map(Self).map_err(|_| ParseMoneyError::TooLarge)
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
        let sum = side(input, usage.input, &input_parts) + side(output, usage.output, &output_parts);
        Money::from_pico((sum + PER / 2) / PER)
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

fn side(plain: Rate, total: u64, parts: &[(Rate, u64)]) -> i128 {
    let special = parts.iter().fold(0_u64, |sum, (_, tokens)| sum.saturating_add(*tokens));
    let rest = plain.times(total.saturating_sub(special));
    parts.iter().fold(rest, |sum, (rate, tokens)| sum + rate.times(*tokens))
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
    fn more_parts_than_total_is_never_a_refund() {
        let price = Price { input: rate("1"), cache_read: Some(rate("0.1")), ..Price::default() };
        let usage = Usage { cache_read: 10, ..Usage::plain(5, 0) };
        assert_eq!(price.cost(&usage), Money::from_pico(1_000_000));
    }
}

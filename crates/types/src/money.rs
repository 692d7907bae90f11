//! Money as an integer number of pico-dollars (10⁻¹² USD). Never a float.
//!
//! A pico-dollar is one millionth of a micro-dollar: small enough for one token of the cheapest model,
//! and an `i128` of them is large enough for any sum.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Decimal places that one pico-dollar has.
const PLACES: u32 = 12;
/// Pico-dollars in one dollar.
const DOLLAR: i128 = 10_i128.pow(PLACES);
const DOLLAR_64: u64 = 10_u64.pow(PLACES);

/// An amount of USD, exact to one pico-dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i128);

/// Why a text is not an amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseMoneyError {
    /// Not `digits[.digits]`, with an optional sign.
    #[error("not a decimal number of dollars, for example 0.25")]
    NotDecimal,
    /// A digit below one pico-dollar is not zero.
    #[error("finer than one pico-dollar (12 decimal places)")]
    TooFine,
    /// As [`TooFine`](Self::TooFine), of a price per million tokens.
    #[error("finer than one atto-dollar per million tokens (18 decimal places)")]
    TooFineRate,
    /// More than about 10²⁶ dollars.
    #[error("too large")]
    TooLarge,
}

impl Money {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// `pico` pico-dollars.
    pub const fn from_pico(pico: i128) -> Self {
        Self(pico)
    }

    /// The number of pico-dollars.
    pub const fn as_pico(self) -> i128 {
        self.0
    }

    /// Dollars as a float: for gauges and graphs only, never for sums or comparisons.
    #[expect(clippy::cast_precision_loss, reason = "for display on a graph")]
    pub fn as_dollars_lossy(self) -> f64 {
        self.0 as f64 / DOLLAR as f64
    }

    /// The sum, or `None` where it does not fit.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }
}

/// An amount as a text of its own: what goes into a row or a header with every call is written without the
/// machinery of formatting.
#[derive(Clone, Copy, Debug)]
pub struct MoneyText {
    /// A sign, up to 27 digits, a point, and twelve places.
    bytes: [u8; 44],
    start: usize,
    end: usize,
}

impl MoneyText {
    /// The text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(self.bytes.get(self.start..self.end).unwrap_or_default()).unwrap_or_default()
    }
}

impl Money {
    /// Dollars with as many decimals as needed and at least two: `0.25`, `0.000001875`.
    pub fn text(self) -> MoneyText {
        const POINT: usize = 30;
        let mut bytes = [b'0'; 44];
        bytes[POINT] = b'.';
        let pico = self.0.unsigned_abs();
        // Hardly ever more than 18 million dollars: 64 bits are divided much faster than 128.
        let (mut whole, mut part) = if let Ok(pico) = u64::try_from(pico) {
            (u128::from(pico / DOLLAR_64), pico % DOLLAR_64)
        } else {
            let dollar = u128::from(DOLLAR_64);
            // Below 10¹², which fits.
            (pico / dollar, u64::try_from(pico % dollar).unwrap_or_default())
        };
        let mut end = POINT + 3;
        for at in (POINT + 1..=POINT + PLACES as usize).rev() {
            if part == 0 {
                break;
            }
            let digit = (part % 10) as u8;
            part /= 10;
            bytes[at] = b'0' + digit;
            if digit != 0 {
                end = end.max(at + 1);
            }
        }
        let mut start = POINT - 1;
        while whole > 0 {
            bytes[start] = b'0' + (whole % 10) as u8;
            whole /= 10;
            start -= usize::from(whole > 0);
        }
        if self.0 < 0 {
            start -= 1;
            bytes[start] = b'-';
        }
        MoneyText { bytes, start, end }
    }
}

impl fmt::Display for Money {
    /// As [`Money::text`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
}

impl FromStr for Money {
    type Err = ParseMoneyError;

    fn from_str(text: &str) -> Result<Self, ParseMoneyError> {
        parse_decimal(text, PLACES).map(Self)
    }
}

/// Reads a decimal text as an integer with `places` implied decimals: `parse_decimal("0.15", 6)` is
/// `150_000`. Accepts an exponent (`7.5e-07`), because price lists have them.
pub(crate) fn parse_decimal(text: &str, places: u32) -> Result<i128, ParseMoneyError> {
    use ParseMoneyError::{NotDecimal, TooFine, TooLarge};
    let text = text.trim();
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| NotDecimal)?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && part.is_empty() {
        return Err(NotDecimal);
    }
    let mut value: i128 = 0;
    for byte in whole.bytes().chain(part.bytes()) {
        if !byte.is_ascii_digit() {
            return Err(NotDecimal);
        }
        value = value.checked_mul(10).and_then(|v| v.checked_add(i128::from(byte - b'0'))).ok_or(TooLarge)?;
    }
    // The value stands for `value × 10^(exponent - part.len())`; bring it to 10^-places.
    let shift = i64::from(places) + i64::from(exponent) - i64::try_from(part.len()).map_err(|_| TooLarge)?;
    let power = |by: u64| u32::try_from(by).ok().and_then(|by| 10_i128.checked_pow(by));
    if shift >= 0 {
        if value != 0 {
            value = power(shift.unsigned_abs()).and_then(|by| value.checked_mul(by)).ok_or(TooLarge)?;
        }
    } else {
        match power(shift.unsigned_abs()) {
            Some(by) if value % by == 0 => value /= by,
            _ if value == 0 => {}
            _ => return Err(TooFine),
        }
    }
    Ok(if negative { -value } else { value })
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Money {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for Money {
    type Output = Self;

    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl Serialize for Money {
    /// A decimal string, so that no JSON reader turns it into a float.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_shows_the_same_amount() {
        for (text, shown) in [
            ("0", "0.00"),
            ("1", "1.00"),
            ("0.25", "0.25"),
            ("-3.5", "-3.50"),
            ("0.000000000001", "0.000000000001"),
            ("7.5e-07", "0.00000075"),
            ("12e2", "1200.00"),
            (".5", "0.50"),
            ("-170141183460469231731687303.715884105727", "-170141183460469231731687303.715884105727"),
        ] {
            let money: Money = text.parse().unwrap();
            assert_eq!(money.to_string(), shown, "{text}");
            assert_eq!(shown.parse::<Money>().unwrap(), money);
        }
    }

    #[test]
    fn refuses_what_is_not_money() {
        for (text, error) in [
            ("", ParseMoneyError::NotDecimal),
            (".", ParseMoneyError::NotDecimal),
            ("1,5", ParseMoneyError::NotDecimal),
            ("0x1", ParseMoneyError::NotDecimal),
            ("1e", ParseMoneyError::NotDecimal),
            ("0.0000000000001", ParseMoneyError::TooFine),
            ("1e99", ParseMoneyError::TooLarge),
            ("1e2147483647", ParseMoneyError::TooLarge),
        ] {
            assert_eq!(text.parse::<Money>(), Err(error), "{text}");
        }
    }
}

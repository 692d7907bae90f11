//! Between whole numbers and floating point, in one place: what is lost is said once.

use std::time::Duration;

/// A count as a float. Exact up to 2⁵³; beyond, a rate or a load does not need the last digit.
#[expect(clippy::cast_precision_loss, reason = "rates and loads need 15 digits, not 20")]
pub(crate) const fn float(count: u64) -> f64 {
    count as f64
}

/// A float as a count, rounded down; negative and NaN are 0, too much is the greatest count.
#[cfg(test)]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, which is meant")]
pub(crate) const fn whole(value: f64) -> u64 {
    value as u64
}

/// A float as a count, rounded down; negative and NaN are 0, too much is the greatest count.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, which is meant")]
pub(crate) const fn small(value: f64) -> u32 {
    value as u32
}

/// Nanoseconds of a duration; the greatest number for one beyond 584 years.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// `amount × by ÷ over`, rounded up, without overflow on the way; `over` 0 counts as 1.
pub(crate) fn scale_up(amount: u64, by: u64, over: u64) -> u64 {
    // Dividing 128 bits takes ten times as long, and hardly any limit needs it.
    if let Some(product) = amount.checked_mul(by) {
        return product.div_ceil(over.max(1));
    }
    let exact = (u128::from(amount) * u128::from(by)).div_ceil(u128::from(over.max(1)));
    u64::try_from(exact).unwrap_or(u64::MAX)
}

/// `amount × by ÷ over`, rounded down.
pub(crate) fn scale_down(amount: u64, by: u64, over: u64) -> u64 {
    if let Some(product) = amount.checked_mul(by) {
        return product / over.max(1);
    }
    let exact = u128::from(amount) * u128::from(by) / u128::from(over.max(1));
    u64::try_from(exact).unwrap_or(u64::MAX)
}

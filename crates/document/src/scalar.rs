//! What an unquoted scalar means: YAML 1.2's core schema (spec section 10.3.2).

use crate::Value;

/// The value of a plain scalar.
pub(crate) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    integer(text).or_else(|| float(text)).unwrap_or_else(|| Value::Text(text.to_owned()))
}

fn integer(text: &str) -> Option<Value> {
    let (digits, radix) = match text.get(..2) {
        Some("0x") => (&text[2..], 16),
        Some("0o") => (&text[2..], 8),
        _ => (text.strip_prefix(['-', '+']).unwrap_or(text), 10),
    };
    if digits.is_empty() || !digits.bytes().all(|b| char::from(b).is_digit(radix)) {
        return None;
    }
    let signed = if radix == 10 { text } else { digits };
    i128::from_str_radix(signed, radix).ok().map(Value::Integer)
}

fn float(text: &str) -> Option<Value> {
    let (negative, bare) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    match bare {
        ".inf" | ".Inf" | ".INF" => {
            return Some(Value::Float(if negative { f64::NEG_INFINITY } else { f64::INFINITY }));
        }
        ".nan" | ".NaN" | ".NAN" => return Some(Value::Float(f64::NAN)),
        _ => {}
    }
    let (mantissa, exponent) = match bare.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (bare, None),
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let exponent_fits = exponent.is_none_or(|text| {
        let bare = text.strip_prefix(['-', '+']).unwrap_or(text);
        !bare.is_empty() && digits(bare)
    });
    if whole.is_empty() && part.is_empty() || !digits(whole) || !digits(part) || !exponent_fits {
        return None;
    }
    text.parse().ok().map(Value::Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_by_the_core_schema() {
        let text = |text: &str| Value::Text(text.to_owned());
        for (written, value) in [
            ("", Value::Null),
            ("~", Value::Null),
            ("True", Value::Bool(true)),
            ("yes", text("yes")),
            ("0", Value::Integer(0)),
            ("-12", Value::Integer(-12)),
            ("+3", Value::Integer(3)),
            ("0x1F", Value::Integer(31)),
            ("0o17", Value::Integer(15)),
            ("0x", text("0x")),
            ("1_000", text("1_000")),
            ("0.5", Value::Float(0.5)),
            (".5", Value::Float(0.5)),
            ("5.", Value::Float(5.0)),
            ("1e3", Value::Float(1000.0)),
            ("1e", text("1e")),
            (".", text(".")),
            ("e3", text("e3")),
            ("-.inf", Value::Float(f64::NEG_INFINITY)),
            ("inf", text("inf")),
            ("nan", text("nan")),
            ("30s", text("30s")),
            ("127.0.0.1:8080", text("127.0.0.1:8080")),
            ("é", text("é")),
            ("99999999999999999999999999999999999999999", Value::Float(1e41)),
        ] {
            assert_eq!(resolve(written), value, "{written}");
        }
    }
}

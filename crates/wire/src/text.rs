//! Writes JSON: what the encoders of all dialects end in.
//!
//! The same text as `serde_json` makes, at a fraction of the cost: strings, most of what there is to write, are
//! looked through in vector code and copied in one piece where nothing has to be escaped. What is already JSON
//! goes through as it stands, by [`Raw`].

use std::borrow::Cow;

use bytes::{BufMut, BytesMut};
use serde::Serialize;
use serde::de::value::Error;
use serde::ser::{self, Error as _, Serializer};
use types::RawJson;

use crate::scan::plain;

/// Text that is JSON already. Only for values that [`append`] writes: to any other serializer it is a string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Raw<'a>(pub(crate) Cow<'a, str>);

impl<'a> From<&'a RawJson> for Raw<'a> {
    fn from(json: &'a RawJson) -> Self {
        Self(Cow::Borrowed(json.get()))
    }
}

const RAW: &str = "windlass raw JSON";

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(RAW, &*self.0)
    }
}

/// Appends the value. Our own values always serialize: of one that does not, nothing is appended.
pub(crate) fn append(value: &(impl Serialize + ?Sized), out: &mut BytesMut) {
    let before = out.len();
    if value.serialize(Writer { out, raw: false }).is_err() {
        out.truncate(before);
    }
}

struct Writer<'o> {
    out: &'o mut BytesMut,
    /// The next string is JSON and goes as it stands.
    raw: bool,
}

/// An array or object that is being written.
struct Open<'o> {
    out: &'o mut BytesMut,
    empty: bool,
    close: &'static [u8],
}

fn string(text: &str, out: &mut BytesMut) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.put_u8(b'"');
    let mut from = 0;
    loop {
        let mut at = from;
        plain(bytes, &mut at);
        out.put_slice(&bytes[from..at]);
        let Some(&byte) = bytes.get(at) else { break };
        let short = match byte {
            b'"' => b'"',
            b'\\' => b'\\',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            _ => 0,
        };
        if short == 0 {
            out.put_slice(b"\\u00");
            out.put_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        } else {
            out.put_slice(&[b'\\', short]);
        }
        from = at + 1;
    }
    out.put_u8(b'"');
}

fn whole(mut number: u64, out: &mut BytesMut) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.put_slice(&digits[at..]);
}

impl<'o> Writer<'o> {
    fn open(self, open: u8, close: &'static [u8]) -> Open<'o> {
        self.out.put_u8(open);
        Open { out: self.out, empty: true, close }
    }

    /// The one member of an object that says which variant it is.
    fn variant(self, name: &str) -> &'o mut BytesMut {
        self.out.put_u8(b'{');
        string(name, self.out);
        self.out.put_u8(b':');
        self.out
    }
}

impl Open<'_> {
    fn next(&mut self) {
        if !std::mem::replace(&mut self.empty, false) {
            self.out.put_u8(b',');
        }
    }

    fn value(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        value.serialize(Writer { out: self.out, raw: false })
    }

    fn member(&mut self, key: &str, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        self.next();
        string(key, self.out);
        self.out.put_u8(b':');
        self.value(value)
    }

    fn close(self) {
        self.out.put_slice(self.close);
    }
}

impl<'o> Serializer for Writer<'o> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Open<'o>;
    type SerializeTuple = Open<'o>;
    type SerializeTupleStruct = Open<'o>;
    type SerializeTupleVariant = Open<'o>;
    type SerializeMap = Open<'o>;
    type SerializeStruct = Open<'o>;
    type SerializeStructVariant = Open<'o>;

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.out.put_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), Error> {
        if value < 0 {
            self.out.put_u8(b'-');
        }
        whole(value.unsigned_abs(), self.out);
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Error> {
        whole(value, self.out);
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        let text = serde_json::to_vec(&value).map_err(Error::custom)?;
        self.out.put_slice(&text);
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        let text = serde_json::to_vec(&value).map_err(Error::custom)?;
        self.out.put_slice(&text);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        if self.raw {
            self.out.put_slice(value.as_bytes());
        } else {
            string(value, self.out);
        }
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.out.put_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(Self { raw: name == RAW, ..self })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let out = self.variant(variant);
        value.serialize(Writer { out, raw: false })?;
        out.put_u8(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Open<'o>, Error> {
        Ok(self.open(b'[', b"]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Open<'o>, Error> {
        Ok(self.open(b'[', b"]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Open<'o>, Error> {
        Ok(self.open(b'[', b"]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Open<'o>, Error> {
        Ok(Writer { out: self.variant(variant), raw: false }.open(b'[', b"]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Open<'o>, Error> {
        Ok(self.open(b'{', b"}"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Open<'o>, Error> {
        Ok(self.open(b'{', b"}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Open<'o>, Error> {
        Ok(Writer { out: self.variant(variant), raw: false }.open(b'{', b"}}"))
    }
}

impl ser::SerializeSeq for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.next();
        self.value(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl ser::SerializeTuple for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        ser::SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<(), Error> {
        ser::SerializeSeq::end(self)
    }
}

impl ser::SerializeTupleStruct for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        ser::SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<(), Error> {
        ser::SerializeSeq::end(self)
    }
}

impl ser::SerializeTupleVariant for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        ser::SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<(), Error> {
        ser::SerializeSeq::end(self)
    }
}

/// Keys are strings: every map of ours has such.
impl ser::SerializeMap for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.next();
        self.value(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.out.put_u8(b':');
        self.value(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl ser::SerializeStruct for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.member(key, value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl ser::SerializeStructVariant for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.member(key, value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn written(value: &impl Serialize) -> String {
        let mut out = BytesMut::new();
        append(value, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    enum Shape<'a> {
        Nothing,
        One(&'a str),
        Two(i8, f32),
        Named { some_field: Option<char>, other: [(); 0] },
    }

    #[test]
    fn shapes_are_written_as_serde_json_writes_them() {
        let shapes = [
            Shape::Nothing,
            Shape::One("a\u{8}\u{c}\u{1f}\u{7f}\"\\/\n\r\té🦀"),
            Shape::Two(-128, 0.1),
            Shape::Named { some_field: Some('"'), other: [] },
            Shape::Named { some_field: None, other: [] },
        ];
        assert_eq!(written(&shapes), serde_json::to_string(&shapes).unwrap());
        let numbers =
            json!([0, -1, u64::MAX, i64::MIN, 1.0, 0.5, -1e300, 1e-7, true, null, {}, [], {"": {"a": []}}]);
        assert_eq!(written(&numbers), numbers.to_string());
        assert_eq!(written(&[Raw(Cow::Borrowed("{ \"n\": 1e999 }"))]), "[{ \"n\": 1e999 }]");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn texts_are_escaped_as_serde_json_escapes_them(text in any::<String>(), plain in "[ -~\n]{0,90}") {
            prop_assert_eq!(written(&(&text, &plain)), serde_json::to_string(&(&text, &plain)).unwrap());
        }
    }
}

//! JSON in which no member stands twice: two readers would understand it differently.

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};
use core::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Parses a value, or says what is wrong with it without repeating it: it may hold a secret.
pub(super) fn value(text: &str) -> Result<Value, String> {
    let mut json = serde_json::Deserializer::from_str(text);
    let parsed = Strict.deserialize(&mut json);
    parsed.map_err(|error| match error.to_string().split_once(" at line ") {
        // The place counts from the beginning of the entry, and would mislead.
        Some((what, _)) => what.into(),
        None => error.to_string(),
    })
}

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut values: S) -> Result<Value, S::Error> {
        let mut all = Vec::new();
        while let Some(value) = values.next_element_seed(Self)? {
            all.push(value);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<Value, M::Error> {
        let mut all = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if all.contains_key(&name) {
                return Err(M::Error::custom(format!(
                    "its member {name:?} is there twice"
                )));
            }
            let value = members.next_value_seed(Self)?;
            all.insert(name, value);
        }
        Ok(Value::Object(all))
    }
}

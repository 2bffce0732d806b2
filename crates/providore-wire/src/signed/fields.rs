//! The fields that this profile looks at, and our signature among all of a message.

use super::HeadError;
use crate::{ParseError, ParseErrorKind, original::trim};
#[cfg(feature = "any-spelling")]
use crate::{
    Signature,
    message_signatures::SignatureParameters,
    structured::{BareItem, Dictionary, Member, find_only},
};

/// The fields that a request's signature covers if the request has them.
pub const REQUEST_FIELDS: [&str; 7] = [
    "content-type",
    "content-digest",
    "x-firmware-version",
    super::CHALLENGE_FIELD,
    "range",
    "if-range",
    "if-none-match",
];

/// The fields that a response's signature covers if the response has them.
pub const RESPONSE_FIELDS: [&str; 9] = [
    "content-type",
    "content-encoding",
    "content-digest",
    "repr-digest",
    "content-range",
    "etag",
    "location",
    "retry-after",
    super::CHALLENGE_FIELD,
];

/// The fields of a profile that a message has, in the order of the profile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found<'a, const N: usize> {
    names: &'static [&'static str; N],
    values: [Option<&'a [u8]>; N],
}

impl<'a, const N: usize> Found<'a, N> {
    /// Finds them among all fields. One that is repeated is refused: to its reader the first may
    /// count and to another the last.
    pub(crate) fn among<'f: 'a>(
        names: &'static [&'static str; N],
        fields: impl IntoIterator<Item = (&'f str, &'f [u8])>,
    ) -> Result<Self, HeadError> {
        let mut found = Self::none(names);
        for (field, value) in fields {
            found.note(field, value)?;
        }
        Ok(found)
    }

    /// Before any field was looked at.
    pub(super) const fn none(names: &'static [&'static str; N]) -> Self {
        Self {
            names,
            values: [None; N],
        }
    }

    /// Keeps a field that is one of them.
    pub(super) fn note(&mut self, field: &str, value: &'a [u8]) -> Result<(), HeadError> {
        match note(self.names, &mut self.values, field, value) {
            None => Ok(()),
            Some(name) => {
                let cause = ParseError::new(ParseErrorKind::Duplicate, 0);
                Err(HeadError::Field { name, cause })
            }
        }
    }

    /// Those that have a value.
    pub(super) fn of_values(
        names: &'static [&'static str; N],
        values: &[Option<&'a str>; N],
    ) -> Self {
        let mut found = Self::none(names);
        for (slot, value) in found.values.iter_mut().zip(values) {
            *slot = value.map(|value| trim(value.as_bytes()));
        }
        found
    }

    /// Names and values of those that are there: one type for any number of fields.
    pub(crate) fn iter(&self) -> There<'_> {
        There {
            names: self.names,
            values: &self.values,
        }
    }

    /// Names of those that are there.
    #[cfg(feature = "any-spelling")]
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static &'static str> + Clone {
        let pairs = self.names.iter().zip(&self.values);
        pairs.filter_map(|(name, value)| value.map(|_| name))
    }

    /// All values, in the order of the profile.
    pub(super) const fn values(&self) -> &[Option<&'a [u8]>; N] {
        &self.values
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a [u8]> {
        get(self.names, &self.values, name)
    }

    /// Parses a field if it is there.
    pub(crate) fn parse<T>(
        &self,
        name: &'static &'static str,
        parse: impl FnOnce(&'a [u8]) -> Result<T, ParseError>,
    ) -> Result<Option<T>, HeadError> {
        let parsed = self.get(name).map(parse).transpose();
        parsed.map_err(|cause| HeadError::Field { name, cause })
    }
}

/// Puts a field into its place, for any number of fields: the name of one that is repeated, of
/// which the first counts.
#[cfg_attr(not(feature = "any-spelling"), inline(never))]
fn note<'a>(
    names: &'static [&'static str],
    values: &mut [Option<&'a [u8]>],
    field: &str,
    value: &'a [u8],
) -> Option<&'static &'static str> {
    for (name, slot) in names.iter().zip(values) {
        if field.eq_ignore_ascii_case(name) {
            if slot.is_some() {
                return Some(name);
            }
            *slot = Some(trim(value));
            return None;
        }
    }
    None
}

#[cfg_attr(not(feature = "any-spelling"), inline(never))]
fn get<'a>(names: &[&str], values: &[Option<&'a [u8]>], name: &str) -> Option<&'a [u8]> {
    let mut pairs = names.iter().zip(values);
    *pairs.find(|(field, _)| **field == name)?.1
}

/// Fields that a message has.
#[derive(Debug, Clone)]
pub(crate) struct There<'a> {
    names: &'a [&'static str],
    values: &'a [Option<&'a [u8]>],
}

impl<'a> Iterator for There<'a> {
    type Item = (&'a str, &'a [u8]);

    #[cfg_attr(not(feature = "any-spelling"), inline(never))]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (name, names) = self.names.split_first()?;
            let (value, values) = self.values.split_first()?;
            *self = Self { names, values };
            if let Some(value) = value {
                return Some((name, value));
            }
        }
    }
}

/// Our signature among those of a message.
#[cfg(feature = "any-spelling")]
#[derive(Debug, Clone, Copy)]
pub(super) struct Ours<'a> {
    pub(super) label: &'a str,
    pub(super) parameters: SignatureParameters<'a>,
    pub(super) signature: Signature,
}

#[cfg(feature = "any-spelling")]
impl<'a> Ours<'a> {
    /// Finds the one signature with this tag, whatever others there are.
    pub(super) fn find(
        tag: &str,
        fields: &(impl IntoIterator<Item = (&'a str, &'a [u8])> + Clone),
    ) -> Result<Self, HeadError> {
        let lines = |name: &'static str| {
            let fields = fields.clone().into_iter();
            let lines = fields.filter(move |(field, _)| field.eq_ignore_ascii_case(name));
            lines.map(|(_, value)| trim(value))
        };
        let malformed = |name: &'static &'static str| move |cause| HeadError::Field { name, cause };
        let mut found = None;
        let mut twice = false;
        let mut inputs = 0_usize;
        for line in lines(INPUT) {
            let line = Dictionary::visit(line, &mut |label, member| {
                let Member::InnerList(list) = member else {
                    return;
                };
                let parameters = SignatureParameters::read(*list);
                if parameters.tag().and_then(|tag| tag.as_plain()) == Some(tag) {
                    twice |= found.replace((label, parameters)).is_some();
                }
            });
            let line = line.map_err(malformed(&INPUT))?;
            if twice || line.repeated_key().is_some() {
                return Err(HeadError::SignedTwice);
            }
            inputs = inputs.saturating_add(1);
        }
        let (label, parameters) = found.ok_or(HeadError::Unsigned)?;
        // Another line may have the label once more, for a signature of another tag.
        if inputs > 1 && find_only(lines(INPUT), label).is_err() {
            return Err(HeadError::SignedTwice);
        }
        let parameters = parameters.check().map_err(malformed(&INPUT))?;
        let signature = match find_only(lines(SIGNATURE), label) {
            Ok(Some(Member::Item(item))) => item,
            Ok(_) => return Err(HeadError::Unsigned),
            Err(error) if error.kind() == ParseErrorKind::Duplicate => {
                return Err(HeadError::SignedTwice);
            }
            Err(error) => return Err(malformed(&SIGNATURE)(error)),
        };
        let bad = ParseError::new(ParseErrorKind::InvalidBytes, signature.offset());
        let BareItem::Bytes(bytes) = signature.bare() else {
            return Err(malformed(&SIGNATURE)(bad));
        };
        // A changed bit is a changed signature, also where RFC 9651 does not mind.
        let signature = bytes.to_exact_array().map(Signature::new);
        Ok(Self {
            label,
            parameters,
            signature: signature.ok_or(malformed(&SIGNATURE)(bad))?,
        })
    }

    /// That as many components are covered as there are `names`. None is covered twice and only
    /// known ones are, so that which one is missing matters only for telling it.
    pub(super) fn check_covered(
        &self,
        covered: usize,
        mut names: impl Iterator<Item = &'static &'static str> + Clone,
    ) -> Result<(), HeadError> {
        if covered == names.clone().count() {
            return Ok(());
        }
        let covers = |wanted: &str| {
            let mut components = self.parameters.components();
            components.any(|component| component.name().as_str() == wanted)
        };
        let component = names.find(|name| !covers(name)).unwrap_or(&"");
        Err(HeadError::NotCovered { component })
    }

    /// The parameters that both directions have: the algorithm must be ours, and nothing unknown
    /// may stand there.
    pub(super) fn check_parameters(&self) -> Result<(), HeadError> {
        let algorithm = self.parameters.algorithm().and_then(|it| it.as_plain());
        if algorithm != Some(super::ALGORITHM) {
            return Err(HeadError::Parameter { name: &"alg" });
        }
        match self.parameters.unknown_parameter() {
            Some(_) => Err(HeadError::UnknownParameter),
            None => Ok(()),
        }
    }
}

pub(super) const INPUT: &str = "signature-input";
pub(super) const SIGNATURE: &str = "signature";

//! Component identifiers (RFC 9421 section 2).
//!
//! ```text
//! component-identifier = component-name parameters
//! component-name       = sf-string        ; a field name in lower case, or "@" and a word
//! ```

use crate::{
    ParseError, ParseErrorKind,
    structured::{BareItem, FIELD_NAME, Item, QuotedString, is, is_key},
};

/// A component that is derived from a message rather than being a field of it (section 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Derived {
    /// `@method`: the method, in the case in which it was sent.
    Method,
    /// `@target-uri`: scheme, authority, path and query.
    TargetUri,
    /// `@authority`: host and port, in lower case, without the default port.
    Authority,
    /// `@scheme`: `http` or `https`.
    Scheme,
    /// `@request-target`: path and query. Only the origin form of RFC 9112 is supported.
    RequestTarget,
    /// `@path`: the path, `/` if it is empty.
    Path,
    /// `@query`: the query with its question mark; a question mark alone if there is none.
    Query,
    /// `@query-param`: the value of one parameter of the query.
    QueryParam,
    /// `@status`: the status code of a response.
    Status,
}

impl Derived {
    const ALL: [Self; 9] = [
        Self::Method,
        Self::TargetUri,
        Self::Authority,
        Self::Scheme,
        Self::RequestTarget,
        Self::Path,
        Self::Query,
        Self::QueryParam,
        Self::Status,
    ];

    /// The name of the component, with its `@`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Method => "@method",
            Self::TargetUri => "@target-uri",
            Self::Authority => "@authority",
            Self::Scheme => "@scheme",
            Self::RequestTarget => "@request-target",
            Self::Path => "@path",
            Self::Query => "@query",
            Self::QueryParam => "@query-param",
            Self::Status => "@status",
        }
    }
}

/// What a component is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "section 2 has fields and derived components, nothing else"
)]
pub enum ComponentName<'a> {
    /// A derived component.
    Derived(Derived),
    /// A field, by its name in lower case.
    Field(&'a str),
}

impl<'a> ComponentName<'a> {
    /// The name as it is signed.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        match self {
            Self::Derived(derived) => derived.name(),
            Self::Field(name) => name,
        }
    }
}

/// One component of a message, and the parameters that narrow it down.
///
/// Two are equal if they name the same part of a message, whatever the order of the parameters.
#[derive(Debug, Clone, Copy)]
pub struct Component<'a> {
    name: ComponentName<'a>,
    of_request: bool,
    /// Of `key` or `name`, whichever suits the name.
    argument: Option<&'a str>,
    /// The order is kept: the identifier is signed as it was sent.
    argument_first: bool,
    offset: usize,
}

impl<'a> Component<'a> {
    /// A derived component, other than a query parameter.
    #[must_use]
    pub const fn derived(derived: Derived) -> Self {
        Self::named(ComponentName::Derived(derived), None)
    }

    /// A field. Its name is in lower case; [`Draft::to_text`](super::Draft::to_text) refuses
    /// another.
    #[must_use]
    pub const fn field(name: &'a str) -> Self {
        Self::named(ComponentName::Field(name), None)
    }

    /// One member of a field that is a dictionary: `;key`.
    #[must_use]
    pub const fn member(field: &'a str, key: &'a str) -> Self {
        Self::named(ComponentName::Field(field), Some(key))
    }

    /// One parameter of the query, its name percent-encoded as section 2.2.8 says: `;name`.
    #[must_use]
    pub const fn query_param(name: &'a str) -> Self {
        Self::named(ComponentName::Derived(Derived::QueryParam), Some(name))
    }

    /// The same component of the request that a response answers: `;req`.
    #[must_use]
    pub const fn of_request(mut self) -> Self {
        self.of_request = true;
        self
    }

    /// What it is called.
    #[must_use]
    pub const fn name(&self) -> ComponentName<'a> {
        self.name
    }

    /// Whether it is taken from the request that a response answers.
    #[must_use]
    pub const fn is_of_request(&self) -> bool {
        self.of_request
    }

    /// The dictionary key of a field, or the name of a query parameter.
    #[must_use]
    pub const fn argument(&self) -> Option<&'a str> {
        self.argument
    }

    const fn named(name: ComponentName<'a>, argument: Option<&'a str>) -> Self {
        Self {
            name,
            of_request: false,
            argument,
            argument_first: false,
            offset: 0,
        }
    }

    pub(super) const fn fails(&self, kind: ParseErrorKind) -> ParseError {
        ParseError::new(kind, self.offset)
    }

    /// Reads a covered component. [`Self::check`] is yet to come.
    pub(super) fn read(item: &Item<'a>) -> Result<Self, ParseError> {
        let fails = |kind| ParseError::new(kind, item.offset());
        let BareItem::String(name) = item.bare() else {
            return Err(fails(ParseErrorKind::WrongType));
        };
        let name = name
            .as_plain()
            .ok_or(fails(ParseErrorKind::UnexpectedByte))?;
        let mut derived = Derived::ALL.iter().filter(|_| name.starts_with('@'));
        let name = match derived.find(|derived| derived.name() == name) {
            Some(derived) => ComponentName::Derived(*derived),
            None => ComponentName::Field(name),
        };
        let mut component = Self::named(name, None);
        component.offset = item.offset();
        if item.parameters().repeated_key().is_some() {
            return Err(fails(ParseErrorKind::Duplicate));
        }
        for (parameter, value) in item.parameters() {
            component.take(parameter, value)?;
        }
        Ok(component)
    }

    fn take(&mut self, parameter: &str, value: BareItem<'a>) -> Result<(), ParseError> {
        let wanted = match self.name {
            ComponentName::Derived(_) => "name",
            ComponentName::Field(_) => "key",
        };
        match value {
            BareItem::Boolean(true) if parameter == "req" => self.of_request = true,
            BareItem::String(argument) if parameter == wanted => {
                let plain = argument.as_plain();
                self.argument = Some(plain.ok_or(self.fails(ParseErrorKind::UnexpectedByte))?);
                self.argument_first = !self.of_request;
            }
            _ if parameter == "req" || parameter == wanted => {
                return Err(self.fails(ParseErrorKind::WrongType));
            }
            _ => return Err(self.fails(ParseErrorKind::UnsupportedParameter)),
        }
        Ok(())
    }

    /// What holds for every component, read or drafted.
    pub(super) fn check(&self) -> Result<(), ParseError> {
        match (self.name, self.argument) {
            (ComponentName::Derived(Derived::Status), _) if self.of_request => {
                Err(self.fails(ParseErrorKind::UnsupportedParameter))
            }
            (ComponentName::Derived(Derived::QueryParam), Some(name)) => {
                let plain = QuotedString::plain(name).map(|_| ());
                plain.map_err(|error| self.fails(error.kind()))
            }
            (ComponentName::Derived(Derived::QueryParam), None) => {
                Err(self.fails(ParseErrorKind::Missing))
            }
            (ComponentName::Derived(_), Some(_)) => {
                Err(self.fails(ParseErrorKind::UnsupportedParameter))
            }
            (ComponentName::Field(name), _) if name.starts_with('@') => {
                Err(self.fails(ParseErrorKind::Unknown))
            }
            (ComponentName::Field(name), _)
                if name.is_empty() || !name.bytes().all(|byte| is(byte, FIELD_NAME)) =>
            {
                Err(self.fails(ParseErrorKind::UnexpectedByte))
            }
            (ComponentName::Field(_), Some(key)) if !is_key(key) => {
                Err(self.fails(ParseErrorKind::UnexpectedByte))
            }
            _ => Ok(()),
        }
    }

    /// Writes the identifier behind what ends with its opening quote, as the `list` has it or as a
    /// line of the base begins. Names and arguments have no character that needs an escape. Every
    /// piece is a call of the hash, so that what can be is one.
    pub(super) fn write<E>(
        &self,
        before: &[u8],
        place: Place,
        sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        sink(before)?;
        sink(self.name.as_str().as_bytes())?;
        let mut req_to_come = self.of_request;
        if let Some(argument) = self.argument {
            let req_first = self.of_request && !self.argument_first;
            req_to_come &= !req_first;
            sink(match (self.name, req_first) {
                (ComponentName::Derived(_), false) => b"\";name=\"",
                (ComponentName::Derived(_), true) => b"\";req;name=\"",
                (ComponentName::Field(_), false) => b"\";key=\"",
                (ComponentName::Field(_), true) => b"\";req;key=\"",
            })?;
            sink(argument.as_bytes())?;
        }
        sink(match (place, req_to_come) {
            (Place::List, false) => b"\"",
            (Place::List, true) => b"\";req",
            (Place::Line, false) => b"\": ",
            (Place::Line, true) => b"\";req: ",
        })
    }
}

/// Where an identifier stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// In the parameters.
    List,
    /// Before a value.
    Line,
}

impl PartialEq for Component<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.name, self.of_request, self.argument)
            == (other.name, other.of_request, other.argument)
    }
}

impl Eq for Component<'_> {}

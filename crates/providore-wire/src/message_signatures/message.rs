//! A message as its signature sees it, borrowed from whatever HTTP library holds it.

use super::{
    base::{self, Covering, write_base},
    component::{Component, ComponentName, Derived},
    query,
};
use crate::{ParseError, ParseErrorKind};

/// The parts of a request.
///
/// `fields` yields every field of the head, name and value; it is gone through once for each
/// covered field, so it is cheap to clone, such as `slice.iter().copied()`.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "RFC 9421 derives components from these parts"
)]
pub struct RequestParts<'a, F> {
    /// The method.
    pub method: &'a str,
    /// The scheme of the target URI.
    pub scheme: &'a str,
    /// The authority: `Host`, or `:authority`.
    pub authority: &'a str,
    /// The path as sent.
    pub path: &'a str,
    /// The query as sent, without its question mark.
    pub query: Option<&'a str>,
    /// The fields.
    pub fields: F,
}

impl<'a, F> RequestParts<'a, F>
where
    F: IntoIterator<Item = (&'a str, &'a [u8])> + Clone,
{
    /// Hands the signature base (section 2.5) to `sink`, piece by piece.
    ///
    /// # Errors
    /// The first error of `sink`; and, with the place of the component in the parsed parameters,
    /// [`ParseErrorKind::Missing`] for a covered component that the request has not got,
    /// [`ParseErrorKind::Duplicate`] for a query parameter that it has twice,
    /// [`ParseErrorKind::UnexpectedByte`] for a value with a line break (folded or not) or with
    /// bytes that are not ASCII, [`ParseErrorKind::UnsupportedParameter`] for `;req`, and what a
    /// field with `;key` has wrong in it. What went to `sink` until then is to be thrown away.
    pub fn signature_base<'c, E: From<ParseError>>(
        &self,
        covering: &impl Covering<'c>,
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        write_base(covering, &mut sink, |component, sink| {
            if component.is_of_request() {
                return Err(component.fails(ParseErrorKind::UnsupportedParameter).into());
            }
            self.value(component, sink)
        })
    }

    fn value<E: From<ParseError>>(
        &self,
        component: &Component<'_>,
        sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let derived = match component.name() {
            ComponentName::Field(_) => {
                return base::write_field(self.fields.clone(), component, sink);
            }
            ComponentName::Derived(derived) => derived,
        };
        let parts = [self.method, self.scheme, self.authority, self.path];
        let mut parts = parts.iter().chain(self.query.iter());
        if !parts.all(|part| part.bytes().all(|byte| matches!(byte, b' '..=b'~'))) {
            return Err(component.fails(ParseErrorKind::UnexpectedByte).into());
        }
        match derived {
            Derived::Method => sink(self.method.as_bytes()),
            Derived::Scheme => base::write_lower_case(self.scheme, sink),
            Derived::Authority => self.authority(sink),
            Derived::Path => sink(self.path_or_root()),
            Derived::Query => {
                sink(b"?")?;
                sink(self.query.unwrap_or_default().as_bytes())
            }
            Derived::QueryParam => query::write(self.query.unwrap_or_default(), component, sink),
            Derived::RequestTarget => self.target(sink),
            Derived::TargetUri => {
                base::write_lower_case(self.scheme, sink)?;
                sink(b"://")?;
                self.authority(sink)?;
                self.target(sink)
            }
            Derived::Status => Err(component.fails(ParseErrorKind::Missing).into()),
        }
    }

    /// Section 2.2.3: the host in lower case, without the port that the scheme implies.
    fn authority<E>(&self, sink: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let implied = if self.scheme.eq_ignore_ascii_case("https") {
            ":443"
        } else {
            ":80"
        };
        let host = self.authority.strip_suffix(implied);
        let host = host.or_else(|| self.authority.strip_suffix(':'));
        base::write_lower_case(host.unwrap_or(self.authority), sink)
    }

    fn target<E>(&self, sink: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        sink(self.path_or_root())?;
        if let Some(query) = self.query {
            sink(b"?")?;
            sink(query.as_bytes())?;
        }
        Ok(())
    }

    /// Section 2.2.6: an empty path is `/`.
    const fn path_or_root(&self) -> &'a [u8] {
        if self.path.is_empty() {
            b"/"
        } else {
            self.path.as_bytes()
        }
    }
}

/// The parts of a response, and of the request that it answers.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "RFC 9421 derives components from these parts"
)]
pub struct ResponseParts<'a, F, R> {
    /// The status code.
    pub status: u16,
    /// The fields.
    pub fields: F,
    /// The request, for the components with `;req` (section 2.4).
    pub request: Option<RequestParts<'a, R>>,
}

impl<'a, F, R> ResponseParts<'a, F, R>
where
    F: IntoIterator<Item = (&'a str, &'a [u8])> + Clone,
    R: IntoIterator<Item = (&'a str, &'a [u8])> + Clone,
{
    /// Hands the signature base (section 2.5) to `sink`, piece by piece.
    ///
    /// # Errors
    /// As [`RequestParts::signature_base`]; [`ParseErrorKind::Missing`] also for `;req` without
    /// a request and for a component that only a request has;
    /// [`ParseErrorKind::OutOfRange`] for a status that has not three digits.
    pub fn signature_base<'c, E: From<ParseError>>(
        &self,
        covering: &impl Covering<'c>,
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        write_base(covering, &mut sink, |component, sink| {
            let missing = component.fails(ParseErrorKind::Missing);
            match (component.is_of_request(), component.name()) {
                (true, _) => {
                    let request = self.request.as_ref().ok_or(missing)?;
                    request.value(component, sink)
                }
                (false, ComponentName::Field(_)) => {
                    base::write_field(self.fields.clone(), component, sink)
                }
                (false, ComponentName::Derived(Derived::Status)) => {
                    base::write_status(self.status, component, sink)
                }
                (false, ComponentName::Derived(_)) => Err(missing.into()),
            }
        })
    }
}

//! The bytes that a signature of the dialect covers.
//!
//! ```text
//! request  = METHOD LF PATH LF VERSION LF CREATED LF EXPIRY [ LF BODY ]   ; body of POST and PUT
//!          / METHOD LF PATH LF CREATED LF EXPIRY                          ; the older form
//! response = BODY LF CREATED LF EXPIRY
//! ```
//!
//! Values stand as they were received, without the blanks around them. One repair is inherited: the
//! deployed servers read header bytes as Latin-1 and sign them as UTF-8, so that byte `CE` is
//! signed as `C3 8E`.

use crate::Method;

/// Which of the two documented request strings is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Form {
    /// With the firmware version, and the body of POST and PUT: what is deployed since 2022.
    Versioned,
    /// Without version and body: what was documented in 2021. A body is not covered at all.
    Unversioned,
}

/// A request as it is signed, borrowed from the message.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the string is fixed by what is deployed"
)]
pub struct CanonicalRequest<'a> {
    /// The method.
    pub method: Method,
    /// The path of the target, as sent, without the query.
    pub path: &'a str,
    /// The header `x-firmware-version`; `None` signs the older form.
    pub version: Option<&'a [u8]>,
    /// The header `created-at`.
    pub created: &'a [u8],
    /// The header `expiry`.
    pub expiry: &'a [u8],
}

impl<'a> CanonicalRequest<'a> {
    /// Which form the request has.
    #[must_use]
    pub const fn form(&self) -> Form {
        match self.version {
            Some(_) => Form::Versioned,
            None => Form::Unversioned,
        }
    }

    /// Whether the signature covers the body.
    #[must_use]
    pub const fn covers_body(&self) -> bool {
        matches!(
            (self.form(), self.method),
            (Form::Versioned, Method::Post | Method::Put)
        )
    }

    /// Hands the string to `sink`, piece by piece.
    ///
    /// # Errors
    /// The first error of `sink`.
    pub fn pieces<E>(
        &self,
        body: &'a [u8],
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        sink(self.method.as_str().as_bytes())?;
        sink(b"\n")?;
        sink(self.path.as_bytes())?;
        if let Some(version) = self.version {
            sink(b"\n")?;
            latin1_as_utf8(version, &mut sink)?;
        }
        for value in [self.created, self.expiry] {
            sink(b"\n")?;
            sink(value)?;
        }
        if self.covers_body() {
            sink(b"\n")?;
            sink(body)?;
        }
        Ok(())
    }
}

/// What follows the body in the string that is signed for a response.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the string is fixed by what is deployed"
)]
pub struct CanonicalResponseTail<'a> {
    /// The header `created-at`.
    pub created: &'a [u8],
    /// The header `expiry`.
    pub expiry: &'a [u8],
}

impl CanonicalResponseTail<'_> {
    /// Hands the tail to `sink`, piece by piece, after the body.
    ///
    /// # Errors
    /// The first error of `sink`.
    pub fn pieces<E>(&self, mut sink: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        for value in [self.created, self.expiry] {
            sink(b"\n")?;
            sink(value)?;
        }
        Ok(())
    }
}

fn latin1_as_utf8<E>(bytes: &[u8], sink: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
    for part in bytes.split_inclusive(|byte| !byte.is_ascii()) {
        match part.split_last() {
            Some((last, ascii)) if !last.is_ascii() => {
                sink(ascii)?;
                sink(char::from(*last).encode_utf8(&mut [0; 2]).as_bytes())?;
            }
            _ => sink(part)?,
        }
    }
    Ok(())
}

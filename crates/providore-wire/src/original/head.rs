//! The headers of a message, parsed once.

use super::{
    Authorization, CanonicalRequest, CanonicalResponseTail, Field, Form, HeadError, fields::collect,
};
use crate::{DeviceId, FirmwareVersion, Method, ParseError, ParseErrorKind, Signature, Timestamp};

/// The signed part of a request's head: a claim, until `providore-sign` has verified it.
#[derive(Debug, Clone)]
pub struct RequestHead<'a> {
    authorization: Authorization,
    created: Timestamp,
    expiry: Timestamp,
    canonical: CanonicalRequest<'a>,
}

impl<'a> RequestHead<'a> {
    /// Finds and parses the dialect's headers among all the fields of a request.
    ///
    /// `path` is the path of the target as sent ([`crate::Target::path`]). Fields may come in any
    /// order and case, with blanks around their values.
    ///
    /// # Errors
    /// [`HeadError`] names the first header that is missing, repeated or malformed.
    pub fn parse(
        method: Method,
        path: &'a str,
        fields: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, HeadError> {
        let wanted = [
            Field::Authorization,
            Field::CreatedAt,
            Field::Expiry,
            Field::FirmwareVersion,
        ];
        let [authorization, created, expiry, version] = collect(wanted, fields)?;
        if let Some(version) = version {
            Field::FirmwareVersion.require(Some(version), version_bounds)?;
        }
        Ok(Self {
            authorization: Field::Authorization.require(authorization, Authorization::parse)?,
            created: Field::CreatedAt.require(created, Timestamp::parse)?,
            expiry: Field::Expiry.require(expiry, Timestamp::parse)?,
            canonical: CanonicalRequest {
                method,
                path,
                version,
                created: created.unwrap_or_default(),
                expiry: expiry.unwrap_or_default(),
            },
        })
    }

    /// The device that the request claims to come from.
    #[must_use]
    pub const fn device(&self) -> &DeviceId {
        self.authorization.device()
    }

    /// The signature.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        self.authorization.signature()
    }

    /// When the request says it was made.
    #[must_use]
    pub const fn created(&self) -> Timestamp {
        self.created
    }

    /// The last second at which it counts.
    #[must_use]
    pub const fn expiry(&self) -> Timestamp {
        self.expiry
    }

    /// Which of the two documented strings is signed.
    #[must_use]
    pub const fn form(&self) -> Form {
        self.canonical.form()
    }

    /// The version that runs on the device; `None` if it sent none, or one that is no
    /// [`FirmwareVersion`] and hence none that a server could hold.
    #[must_use]
    pub fn firmware_version(&self) -> Option<FirmwareVersion> {
        FirmwareVersion::parse(self.canonical.version?).ok()
    }

    /// The bytes under the signature.
    #[must_use]
    pub const fn canonical(&self) -> &CanonicalRequest<'a> {
        &self.canonical
    }
}

/// The signed part of an answer's head: a claim, until the body has been verified with it.
#[derive(Debug, Clone)]
pub struct ResponseHead<'a> {
    signature: Signature,
    created: Timestamp,
    expiry: Timestamp,
    tail: CanonicalResponseTail<'a>,
}

impl<'a> ResponseHead<'a> {
    /// Finds and parses the dialect's headers among all the fields of an answer.
    ///
    /// # Errors
    /// [`HeadError`] names the first header that is missing, repeated or malformed.
    pub fn parse(fields: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Self, HeadError> {
        let wanted = [Field::Signature, Field::CreatedAt, Field::Expiry];
        let [signature, created, expiry] = collect(wanted, fields)?;
        Ok(Self {
            signature: Field::Signature.require(signature, Signature::parse)?,
            created: Field::CreatedAt.require(created, Timestamp::parse)?,
            expiry: Field::Expiry.require(expiry, Timestamp::parse)?,
            tail: CanonicalResponseTail {
                created: created.unwrap_or_default(),
                expiry: expiry.unwrap_or_default(),
            },
        })
    }

    /// The signature.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// When the answer says it was made.
    #[must_use]
    pub const fn created(&self) -> Timestamp {
        self.created
    }

    /// The last second at which it counts.
    #[must_use]
    pub const fn expiry(&self) -> Timestamp {
        self.expiry
    }

    /// The bytes under the signature that follow the body.
    #[must_use]
    pub const fn tail(&self) -> &CanonicalResponseTail<'a> {
        &self.tail
    }
}

/// The version is signed as received, whatever its bytes; only its length is held.
fn version_bounds(version: &[u8]) -> Result<(), ParseError> {
    match version.len() {
        0 => Err(ParseError::new(ParseErrorKind::Empty, 0)),
        length if length > FirmwareVersion::MAX_LEN => Err(ParseError::new(
            ParseErrorKind::TooLong,
            FirmwareVersion::MAX_LEN,
        )),
        _ => Ok(()),
    }
}

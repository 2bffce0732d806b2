//! `POST /certificates/request` and `GET /certificate`.

use providore_wire::{Method, Route, Timestamp};

use crate::{
    BodyFault, BufferedOperation, Error, Operation,
    exchange::{SignedAnswer, Target, sealed::Question},
    firmware::target_of,
};

/// Asks for a certificate, the first or the next one.
///
/// The request is the same for both; the server notes which it is.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct CertificateRequest<'q> {
    csr_pem: &'q str,
}

impl<'q> CertificateRequest<'q> {
    /// Asks with a signing request in PEM, such as `providore_pki::csr::write_pem` writes.
    pub const fn new(csr_pem: &'q str) -> Self {
        Self { csr_pem }
    }
}

/// Asks for the certificate that the server holds for this device: what to do when the answer to
/// a [`CertificateRequest`] was lost.
#[derive(Debug, Clone, Copy, Default)]
#[must_use]
#[non_exhaustive]
pub struct CurrentCertificate;

impl CurrentCertificate {
    /// Asks.
    pub const fn new() -> Self {
        Self
    }
}

/// PEM text of certificates that came from the server, unchanged and now.
///
/// That the certificates fit a key, a name and a CA is another question: with the feature
/// `certificates`, the agent answers it before it stores anything. Only
/// [`Receiving::finish`](crate::Receiving::finish) makes one.
///
/// ```compile_fail
/// let forged = providore_client::VerifiedPem { text: "-----BEGIN CERTIFICATE-----" };
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct VerifiedPem<'b> {
    text: &'b str,
    created: Timestamp,
}

impl<'b> VerifiedPem<'b> {
    /// The text: the device's certificate first, then what stands between it and the root.
    #[must_use]
    pub const fn text(&self) -> &'b str {
        self.text
    }

    /// When the server made the answer.
    #[must_use]
    pub const fn created(&self) -> Timestamp {
        self.created
    }
}

impl Question for CertificateRequest<'_> {
    fn method(&self) -> Method {
        Method::Post
    }

    fn target(&self) -> Target<'_> {
        target_of(Route::CertificateRequest)
    }

    fn content(&self) -> Option<(&'static str, &[u8])> {
        // The deployed servers read a body only under this type.
        Some(("text/plain", self.csr_pem.as_bytes()))
    }
}

impl Question for CurrentCertificate {
    fn target(&self) -> Target<'_> {
        target_of(Route::Certificate)
    }
}

impl Operation for CertificateRequest<'_> {}
impl Operation for CurrentCertificate {}

impl BufferedOperation for CertificateRequest<'_> {
    type Outcome<'b> = VerifiedPem<'b>;

    fn conclude<'b>(self, answer: SignedAnswer<'_, 'b>) -> Result<VerifiedPem<'b>, Error> {
        pem(answer)
    }
}

impl BufferedOperation for CurrentCertificate {
    type Outcome<'b> = VerifiedPem<'b>;

    fn conclude<'b>(self, answer: SignedAnswer<'_, 'b>) -> Result<VerifiedPem<'b>, Error> {
        pem(answer)
    }
}

fn pem<'b>(answer: SignedAnswer<'_, 'b>) -> Result<VerifiedPem<'b>, Error> {
    let created = answer.created;
    if !matches!(answer.told.status, 200 | 201) {
        return Err(answer.declined());
    }
    let text = core::str::from_utf8(answer.body()?).map_err(|_| BodyFault::NotPem)?;
    if !text.starts_with(CERTIFICATE) {
        return Err(BodyFault::NotPem.into());
    }
    Ok(VerifiedPem { text, created })
}

pub(crate) const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

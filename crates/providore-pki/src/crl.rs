//! Revocation lists (RFC 5280, 5), version 2, signed by the CA that issued the certificates.

use alloc::{string::String, vec::Vec};
use core::fmt;

use der::{Decode, Encode};
use x509_cert::{
    crl::TbsCertList,
    ext::pkix::{CrlNumber, CrlReason},
};

use crate::{
    Validity, ValidityError,
    chain::{Certificate, CertificateParts},
    elements::{Malformed, SignedParts},
    peer_key::PeerKey,
    pem,
    serial::SerialNumber,
    time,
};

/// Why a certificate was revoked (RFC 5280, 5.3.1), as far as a CA for devices needs reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum RevocationReason {
    /// No reason is given.
    #[default]
    Unspecified,
    /// Somebody else may have the key.
    KeyCompromise,
    /// The device belongs to somebody else now.
    AffiliationChanged,
    /// A newer certificate has taken its place.
    Superseded,
    /// The device is out of service.
    CessationOfOperation,
    /// The device may no longer do what the certificate was for.
    PrivilegeWithdrawn,
}

impl RevocationReason {
    /// The name that RFC 5280 and OpenSSL use, such as `keyCompromise`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
        }
    }

    /// The reason of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        ALL_REASONS
            .into_iter()
            .find(|reason| reason.as_str() == name)
    }

    pub(crate) fn code(self) -> CrlReason {
        match self {
            Self::Unspecified => CrlReason::Unspecified,
            Self::KeyCompromise => CrlReason::KeyCompromise,
            Self::AffiliationChanged => CrlReason::AffiliationChanged,
            Self::Superseded => CrlReason::Superseded,
            Self::CessationOfOperation => CrlReason::CessationOfOperation,
            Self::PrivilegeWithdrawn => CrlReason::PrivilegeWithdrawn,
        }
    }
}

/// A revoked certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    serial: SerialNumber,
    at_unix: u64,
    expires_unix: u64,
    reason: RevocationReason,
    forbids_key: bool,
}

impl Revocation {
    /// A certificate revoked at `at_unix` that would have ended at `expires_unix`.
    #[must_use]
    pub fn new(
        serial: SerialNumber,
        at_unix: u64,
        expires_unix: u64,
        reason: RevocationReason,
    ) -> Self {
        Self {
            serial,
            at_unix,
            expires_unix,
            reason,
            forbids_key: matches!(reason, RevocationReason::KeyCompromise),
        }
    }

    /// Revokes the key as well: no further certificate is to be issued for it. A revocation for
    /// [`RevocationReason::KeyCompromise`] always does.
    #[must_use]
    pub fn with_forbidden_key(mut self) -> Self {
        self.forbids_key = true;
        self
    }

    /// The certificate's number.
    #[must_use]
    pub fn serial(&self) -> &SerialNumber {
        &self.serial
    }

    /// Since when it is revoked.
    #[must_use]
    pub fn at_unix(&self) -> u64 {
        self.at_unix
    }

    /// The end of its validity.
    #[must_use]
    pub fn expires_unix(&self) -> u64 {
        self.expires_unix
    }

    /// Why it is revoked.
    #[must_use]
    pub fn reason(&self) -> RevocationReason {
        self.reason
    }

    /// Whether the certificate's key must not be certified again.
    #[must_use]
    pub fn forbids_key(&self) -> bool {
        self.forbids_key
    }
}

/// Drops the entries that need no longer be listed: certificates that had ended before the last
/// list, issued at `last_list_unix`, and stood on it.
///
/// > An entry MUST NOT be removed from the CRL until it appears on one regularly scheduled CRL
/// > issued beyond the revoked certificate's validity period.
///
/// — RFC 5280, 3.3.
pub fn prune(revoked: &mut Vec<Revocation>, last_list_unix: u64) {
    revoked.retain(|entry| entry.expires_unix >= last_list_unix || entry.at_unix >= last_list_unix);
}

/// What a revocation list is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationTerms {
    number: u64,
    validity: Validity,
    revoked: Vec<Revocation>,
}

impl RevocationTerms {
    /// List number `number`, which must be above that of every earlier list (RFC 5280, 5.2.3),
    /// good for `lifetime_s` from now. Of entries with the same number the first counts.
    ///
    /// # Errors
    /// [`ValidityError::Empty`] for a lifetime of zero, [`ValidityError::TooLate`].
    pub fn new(
        number: u64,
        now_unix: u64,
        lifetime_s: u64,
        revoked: &[Revocation],
    ) -> Result<Self, ValidityError> {
        let validity = Validity::starting_at(now_unix, lifetime_s)?;
        let mut revoked = revoked.to_vec();
        revoked.sort_by_key(|entry| entry.serial);
        revoked.dedup_by_key(|entry| entry.serial);
        Ok(Self {
            number,
            validity,
            revoked,
        })
    }

    /// The number of the list.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Its date, backdated like that of a certificate.
    #[must_use]
    pub fn this_update_unix(&self) -> u64 {
        self.validity.not_before_unix()
    }

    /// When the next list will be out at the latest.
    #[must_use]
    pub fn next_update_unix(&self) -> u64 {
        self.validity.not_after_unix()
    }

    /// The entries, sorted by serial number, each number once.
    #[must_use]
    pub fn revoked(&self) -> &[Revocation] {
        &self.revoked
    }
}

/// A revocation list that was signed, or read back; who signed it is not checked here.
#[derive(Clone, PartialEq, Eq)]
pub struct RevocationList {
    der: Vec<u8>,
    /// DER `Name`.
    issuer: Vec<u8>,
    number: u64,
    validity: Validity,
    serials: Vec<SerialNumber>,
}

/// Not a revocation list with number and next update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the revocation list is malformed")]
#[non_exhaustive]
pub struct MalformedList;

impl From<Malformed> for MalformedList {
    fn from(_: Malformed) -> Self {
        Self
    }
}

impl RevocationList {
    /// Reads DER.
    ///
    /// # Errors
    /// [`MalformedList`], also if the number or the next update is missing.
    pub fn from_der(der: &[u8]) -> Result<Self, MalformedList> {
        let body = SignedParts::parse(der)?.body;
        let list = TbsCertList::<x509_cert::certificate::Rfc5280>::from_der(body)
            .map_err(|_| MalformedList)?;
        let next_update = list.next_update.ok_or(MalformedList)?;
        let validity = Validity::new(
            time::from_x509(list.this_update),
            time::from_x509(next_update),
        );
        let serials = list.revoked_certificates.iter().flatten();
        let serials = serials
            .map(|entry| SerialNumber::from_be_bytes(entry.serial_number.as_bytes()))
            .collect::<Option<Vec<_>>>();
        Ok(Self {
            der: der.to_vec(),
            issuer: list.issuer.to_der().map_err(|_| MalformedList)?,
            number: number(&list).ok_or(MalformedList)?,
            validity: validity.map_err(|_| MalformedList)?,
            serials: serials.ok_or(MalformedList)?,
        })
    }

    /// Reads one `X509 CRL` block.
    ///
    /// # Errors
    /// [`MalformedList`].
    pub fn from_pem(text: &str) -> Result<Self, MalformedList> {
        match pem::decode(text.as_bytes()) {
            Some((pem::REVOCATION_LIST, der)) => Self::from_der(&der),
            _ => Err(MalformedList),
        }
    }

    /// Reads every `X509 CRL` block of a text, at most `most`.
    ///
    /// # Errors
    /// [`MalformedList`], also if there are more.
    pub fn all_from_pem(text: &str, most: usize) -> Result<Vec<Self>, MalformedList> {
        let blocks = text.split_inclusive("-----END X509 CRL-----");
        let blocks = blocks.filter(|block| !block.trim().is_empty());
        let lists: Vec<_> = blocks.take(most.saturating_add(1)).collect();
        if lists.len() > most {
            return Err(MalformedList);
        }
        lists.into_iter().map(Self::from_pem).collect()
    }

    /// Whether the CA of this certificate has signed the list.
    #[must_use]
    pub fn is_signed_by(&self, issuer: &Certificate) -> bool {
        let Ok(issuer) = CertificateParts::parse(issuer.der()) else {
            return false;
        };
        self.is_of(&issuer)
    }

    pub(crate) fn is_of(&self, issuer: &CertificateParts) -> bool {
        let may_sign = issuer.key_usage.is_none_or(|usage| usage.crl_sign());
        let (Ok(parts), Ok(key)) = (
            SignedParts::parse(&self.der),
            PeerKey::from_spki_der(issuer.certificate.public_key_spki_der()),
        ) else {
            return false;
        };
        let signed = key.verify(parts.algorithm, parts.body, parts.signature);
        may_sign && self.issuer == issuer.subject && signed.is_ok()
    }

    /// The list itself.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The list as an `X509 CRL` block (RFC 7468, 6).
    #[must_use]
    pub fn to_pem(&self) -> String {
        // Encoding fails only for lengths that overflow an address.
        pem::encode(pem::REVOCATION_LIST, &self.der).unwrap_or_default()
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Its date.
    #[must_use]
    pub fn this_update_unix(&self) -> u64 {
        self.validity.not_before_unix()
    }

    /// When it ends.
    #[must_use]
    pub fn next_update_unix(&self) -> u64 {
        self.validity.not_after_unix()
    }

    /// The revoked serial numbers.
    #[must_use]
    pub fn serials(&self) -> &[SerialNumber] {
        &self.serials
    }

    /// Whether half of its life is over: sign the next one now, so that it is out long before
    /// this one ends, even if the server is down for a while.
    #[must_use]
    pub fn needs_reissue(&self, now_unix: u64) -> bool {
        now_unix >= self.this_update_unix().midpoint(self.next_update_unix())
    }
}

impl fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationList")
            .field("number", &self.number)
            .field("validity", &self.validity)
            .field("entries", &self.serials.len())
            .finish_non_exhaustive()
    }
}

fn number(list: &TbsCertList) -> Option<u64> {
    let extensions = list.crl_extensions.as_deref()?;
    let number = extensions
        .iter()
        .find(|extension| extension.extn_id == <CrlNumber as der::oid::AssociatedOid>::OID)?;
    let number = CrlNumber::from_der(number.extn_value.as_bytes()).ok()?;
    number.0.as_bytes().iter().try_fold(0_u64, |sum, &digit| {
        sum.checked_mul(256)?.checked_add(u64::from(digit))
    })
}

const ALL_REASONS: [RevocationReason; 6] = [
    RevocationReason::Unspecified,
    RevocationReason::KeyCompromise,
    RevocationReason::AffiliationChanged,
    RevocationReason::Superseded,
    RevocationReason::CessationOfOperation,
    RevocationReason::PrivilegeWithdrawn,
];

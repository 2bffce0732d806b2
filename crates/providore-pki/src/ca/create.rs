//! Making a CA: a root that is kept offline, and an intermediate that issues.

use alloc::{
    format,
    string::{String, ToString},
    vec,
};

use super::{
    CaError, CertificateAuthority as _, LocalCa,
    build::{self, CertificateFields},
    local::read_chain,
};
use crate::{
    Validity,
    chain::Certificate,
    crl::{RevocationList, RevocationTerms},
    key::SoftwareKey,
    serial::SerialNumber,
};

impl LocalCa {
    /// Bytes that [`LocalCa::create`] needs: for root and intermediate each a key of 32 and a
    /// serial number of 16.
    pub const ENTROPY_LEN: usize = 96;

    /// Bytes that [`LocalCa::create_issuer`] needs.
    pub const ISSUER_ENTROPY_LEN: usize = 48;

    /// Makes a root and an intermediate that issues.
    ///
    /// The entropy is as secret as the keys, which are parts of it.
    ///
    /// # Errors
    /// [`CaError::Key`] if 32 of the bytes are no key (one in 2^32: draw again),
    /// [`CaError::Entropy`], [`CaError::Validity`].
    pub fn create(
        entropy: &[u8; Self::ENTROPY_LEN],
        settings: &CaSettings,
        now_unix: u64,
    ) -> Result<NewCa, CaError> {
        let (root_entropy, rest) = entropy.split_first_chunk().ok_or(CaError::Entropy)?;
        let (issuer_entropy, _) = rest.split_first_chunk().ok_or(CaError::Entropy)?;
        let (key, serial) = key_and_serial(root_entropy)?;
        let public_key = key.public_key().to_spki_der();
        let key_id = build::key_id(&public_key)?;
        let name = build::name(&format!("{} Root CA", settings.name))?;
        let der = build::certificate(
            CertificateFields {
                serial: &serial,
                issuer: &name,
                subject: &name,
                validity: &Validity::starting_at(now_unix, settings.root_lifetime_s)?,
                public_key: &public_key,
                extensions: build::ca_extensions(&key_id, &key_id, 1)?,
            },
            &key,
        )?;
        let root_pem = Certificate::from_der(&der)?.to_pem();
        Self::create_issuer(&key, &root_pem, issuer_entropy, settings, now_unix)
    }

    /// Makes the next intermediate below a root that exists: devices trust the root and notice
    /// nothing.
    ///
    /// # Errors
    /// Those of [`LocalCa::create`] and, for the root, of [`LocalCa::open`].
    pub fn create_issuer(
        root_key: &SoftwareKey,
        root_pem: &str,
        entropy: &[u8; Self::ISSUER_ENTROPY_LEN],
        settings: &CaSettings,
        now_unix: u64,
    ) -> Result<NewCa, CaError> {
        let root = Self::open(root_key.clone(), root_pem, now_unix)?;
        let (key, serial) = key_and_serial(entropy)?;
        let public_key = key.public_key().to_spki_der();
        let validity = Validity::starting_at(now_unix, settings.issuer_lifetime_s)?
            .clamped_to(&root.validity)?;
        let der = build::certificate(
            CertificateFields {
                serial: &serial,
                issuer: &root.subject,
                subject: &build::name(&format!("{} Issuing CA", settings.name))?,
                validity: &validity,
                public_key: &public_key,
                extensions: build::ca_extensions(&build::key_id(&public_key)?, &root.key_id, 0)?,
            },
            &root.key,
        )?;
        let mut chain_pem = Certificate::from_der(&der)?.to_pem();
        chain_pem.push_str(root_pem);
        let root_list = root.list_until(validity.not_after_unix(), now_unix)?;
        let ca = Self::open(key.clone(), &chain_pem, now_unix)?;
        Ok(NewCa {
            ca: ca.with_issuers_lists(vec![root_list.clone()])?,
            root_key: root_key.clone(),
            issuer_key: key,
            root_pem: root_pem.to_string(),
            chain_pem,
            root_list,
        })
    }

    /// Signs the issuing certificate anew, for the same key and name: whatever was issued before
    /// stays good, and devices notice nothing. `signer_key` is the key of the CA above it, and
    /// `chain_pem` is the chain of [`LocalCa::open`], which may have expired.
    ///
    /// The new certificate begins now and lasts `lifetime_s`, or as long as the CA above it.
    ///
    /// # Errors
    /// [`CaError::OwnRoot`] where there is no CA above, [`CaError::OtherKey`] if `signer_key` is not
    /// its key, [`CaError::Entropy`], and those of [`LocalCa::open`] for the CA above.
    pub fn renew_issuer(
        signer_key: &SoftwareKey,
        chain_pem: &str,
        entropy: &[u8; 16],
        lifetime_s: u64,
        now_unix: u64,
    ) -> Result<RenewedIssuer, CaError> {
        let chain = read_chain(chain_pem)?;
        let (issuer, above) = chain.split_first().ok_or(CaError::NotPem)?;
        let above_pem: String = above.iter().map(|ca| ca.certificate.to_pem()).collect();
        if above.is_empty() {
            return Err(CaError::OwnRoot);
        }
        let signer = Self::open(signer_key.clone(), &above_pem, now_unix)?;
        let public_key = issuer.certificate.public_key_spki_der();
        let key_id = match &issuer.subject_key_id {
            Some(id) => id.clone(),
            None => build::key_id(public_key)?,
        };
        let validity = Validity::starting_at(now_unix, lifetime_s)?.clamped_to(&signer.validity)?;
        let der = build::certificate(
            CertificateFields {
                serial: &SerialNumber::from_entropy(entropy).ok_or(CaError::Entropy)?,
                issuer: &signer.subject,
                subject: &issuer.subject,
                validity: &validity,
                public_key,
                extensions: build::ca_extensions(&key_id, &signer.key_id, 0)?,
            },
            &signer.key,
        )?;
        let mut chain_pem = Certificate::from_der(&der)?.to_pem();
        chain_pem.push_str(&above_pem);
        Ok(RenewedIssuer {
            chain_pem,
            signer_list: signer.list_until(validity.not_after_unix(), now_unix)?,
        })
    }

    /// An empty revocation list that is good for a long time: that of a CA whose key is offline, and
    /// which has issued nothing but issuing certificates.
    ///
    /// # Errors
    /// Those of [`sign_revocation_list`](super::CertificateAuthority::sign_revocation_list),
    /// [`CaError::Validity`].
    pub fn list_until(&self, end_unix: u64, now_unix: u64) -> Result<RevocationList, CaError> {
        let lifetime_s = end_unix.saturating_sub(now_unix);
        // The number rises with the clock, so that it rises without being stored.
        let terms = RevocationTerms::new(now_unix, now_unix, lifetime_s, &[])?;
        self.sign_revocation_list(&terms)
    }
}

/// An issuing certificate that was signed anew.
#[derive(Debug)]
#[must_use]
pub struct RenewedIssuer {
    chain_pem: String,
    signer_list: RevocationList,
}

impl RenewedIssuer {
    /// The new certificate and those above it, for [`LocalCa::open`].
    #[must_use]
    pub fn chain_pem(&self) -> &str {
        &self.chain_pem
    }

    /// A revocation list by the CA that signed it, good as long as the certificate.
    #[must_use]
    pub fn signer_list(&self) -> &RevocationList {
        &self.signer_list
    }
}

/// How a new CA is to be called and how long it is to last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaSettings {
    name: String,
    root_lifetime_s: u64,
    issuer_lifetime_s: u64,
}

impl CaSettings {
    /// The root will be called `<name> Root CA` and last twenty years, the intermediate
    /// `<name> Issuing CA` and last ten.
    ///
    /// # Errors
    /// [`CaError::Name`] if it is empty, longer than 48 bytes (common names end at 64), or has
    /// control characters.
    pub fn new(name: &str) -> Result<Self, CaError> {
        if name.is_empty() || name.len() > 48 || name.chars().any(char::is_control) {
            return Err(CaError::Name);
        }
        Ok(Self {
            name: name.to_string(),
            root_lifetime_s: 20 * YEAR_S,
            issuer_lifetime_s: 10 * YEAR_S,
        })
    }

    /// Replaces both lifetimes; the intermediate ends no later than the root.
    #[must_use]
    pub fn with_lifetimes(mut self, root_s: u64, issuer_s: u64) -> Self {
        self.root_lifetime_s = root_s;
        self.issuer_lifetime_s = issuer_s;
        self
    }
}

/// A CA that has just been made, with what the caller is to store.
#[derive(Debug)]
#[must_use]
pub struct NewCa {
    ca: LocalCa,
    root_key: SoftwareKey,
    issuer_key: SoftwareKey,
    root_pem: String,
    chain_pem: String,
    root_list: RevocationList,
}

impl NewCa {
    /// The root's key: needed again only for [`LocalCa::create_issuer`], so kept offline.
    #[must_use]
    pub fn root_key(&self) -> &SoftwareKey {
        &self.root_key
    }

    /// The issuing key, for [`LocalCa::open`].
    #[must_use]
    pub fn issuer_key(&self) -> &SoftwareKey {
        &self.issuer_key
    }

    /// The certificate that devices are to trust.
    #[must_use]
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// The intermediate and the root, for [`LocalCa::open`].
    #[must_use]
    pub fn chain_pem(&self) -> &str {
        &self.chain_pem
    }

    /// The revocation list of the root, empty and good as long as the intermediate, for
    /// [`LocalCa::with_issuers_lists`].
    #[must_use]
    pub fn root_list(&self) -> &RevocationList {
        &self.root_list
    }

    /// The CA itself, ready to issue.
    #[must_use]
    pub fn into_ca(self) -> LocalCa {
        self.ca
    }
}

fn key_and_serial(entropy: &[u8; 48]) -> Result<(SoftwareKey, SerialNumber), CaError> {
    let (key, rest) = entropy.split_first_chunk().ok_or(CaError::Entropy)?;
    let (serial, _) = rest.split_first_chunk().ok_or(CaError::Entropy)?;
    let serial = SerialNumber::from_entropy(serial).ok_or(CaError::Entropy)?;
    Ok((SoftwareKey::from_scalar(key)?, serial))
}

const YEAR_S: u64 = 365 * 86_400;

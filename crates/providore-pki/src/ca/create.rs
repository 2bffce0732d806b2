//! Making a CA: a root that is kept offline, and an intermediate that issues.

use alloc::{
    format,
    string::{String, ToString},
};

use super::{
    CaError, LocalCa,
    build::{self, CertificateFields},
};
use crate::{Validity, chain::Certificate, key::SoftwareKey, serial::SerialNumber};

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
        let validity = Validity::starting_at(now_unix, settings.issuer_lifetime_s)?;
        let der = build::certificate(
            CertificateFields {
                serial: &serial,
                issuer: &root.subject,
                subject: &build::name(&format!("{} Issuing CA", settings.name))?,
                validity: &validity.clamped_to(&root.validity)?,
                public_key: &public_key,
                extensions: build::ca_extensions(&build::key_id(&public_key)?, &root.key_id, 0)?,
            },
            &root.key,
        )?;
        let mut chain_pem = Certificate::from_der(&der)?.to_pem();
        chain_pem.push_str(root_pem);
        Ok(NewCa {
            ca: Self::open(key.clone(), &chain_pem, now_unix)?,
            root_key: root_key.clone(),
            issuer_key: key,
            root_pem: root_pem.to_string(),
            chain_pem,
        })
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

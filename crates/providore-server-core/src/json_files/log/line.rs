//! A line of the certificate log: what stands in it, and how it is read.

use alloc::{format, string::String, vec::Vec};

use providore_pki::{
    SerialNumber,
    crl::{Revocation, RevocationReason},
};
use providore_wire::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Issued;

/// A line of the log.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    Issued(IssuedLine),
    Revoked(RevokedLine),
}

#[derive(Serialize, Deserialize)]
pub(super) struct IssuedLine {
    device: String,
    serial: String,
    csr_sha256: String,
    at: i64,
    not_after: i64,
    chain: String,
}

#[derive(Serialize, Deserialize)]
pub(super) struct RevokedLine {
    serial: String,
    at: u64,
    reason: String,
    not_after: u64,
    /// A log from before this member has none: only a compromised key is forbidden there.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    forbid_key: bool,
}

/// What a line says.
pub(super) enum Entry {
    Issued(Issued),
    Revoked(Revocation),
}

impl Line {
    /// The line as it is written, with its end.
    pub(super) fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// Reads a line without its end; `None` for an empty one.
pub(super) fn parse(line: &[u8]) -> Result<Option<Entry>, String> {
    if line.is_empty() {
        return Ok(None);
    }
    let entry = match serde_json::from_slice(line).map_err(|error| format!("{error}"))? {
        Line::Issued(line) => Entry::Issued(line.parse()?),
        Line::Revoked(line) => Entry::Revoked(line.parse()?),
    };
    Ok(Some(entry))
}

impl From<&Issued> for IssuedLine {
    fn from(entry: &Issued) -> Self {
        Self {
            device: entry.device.as_str().into(),
            serial: format!("{}", entry.serial),
            csr_sha256: base16ct::lower::encode_string(&entry.csr_sha256),
            at: entry.at.unix(),
            not_after: entry.not_after.unix(),
            chain: entry.chain_pem.clone(),
        }
    }
}

impl IssuedLine {
    fn parse(self) -> Result<Issued, String> {
        let mut csr_sha256 = [0; 32];
        base16ct::lower::decode(&self.csr_sha256, &mut csr_sha256)
            .map_err(|error| format!("csr_sha256: {error}"))?;
        Ok(Issued {
            device: self
                .device
                .parse()
                .map_err(|error| format!("device: {error}"))?,
            serial: serial(&self.serial)?,
            csr_sha256,
            at: Timestamp::from_unix(self.at).ok_or("at is out of range")?,
            not_after: Timestamp::from_unix(self.not_after).ok_or("not_after is out of range")?,
            chain_pem: self.chain,
        })
    }
}

impl From<&Revocation> for RevokedLine {
    fn from(revocation: &Revocation) -> Self {
        Self {
            serial: format!("{}", revocation.serial()),
            at: revocation.at_unix(),
            reason: revocation.reason().as_str().into(),
            not_after: revocation.expires_unix(),
            forbid_key: revocation.forbids_key(),
        }
    }
}

impl RevokedLine {
    fn parse(self) -> Result<Revocation, String> {
        let reason = RevocationReason::from_name(&self.reason)
            .ok_or_else(|| format!("reason {:?}", self.reason))?;
        let revocation = Revocation::new(serial(&self.serial)?, self.at, self.not_after, reason);
        Ok(if self.forbid_key {
            revocation.with_forbidden_key()
        } else {
            revocation
        })
    }
}

fn serial(hex: &str) -> Result<SerialNumber, String> {
    let bytes = base16ct::mixed::decode_vec(hex).map_err(|error| format!("serial: {error}"))?;
    SerialNumber::from_be_bytes(&bytes).ok_or_else(|| "serial is out of range".into())
}

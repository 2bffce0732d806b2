//! The secret that is to replace the present one.

use providore_sign::{KeyError, MacKey};
use zeroize::Zeroizing;

use super::SessionKeys;

/// Its keys, if there is one.
#[derive(Debug, Clone)]
pub(crate) struct Next {
    keys: Option<SessionKeys>,
    /// Whether the next question is signed with it.
    tried: bool,
    /// Which secret the application gave, for what is stored beside it.
    given: [u8; CHECK_LEN],
}

impl Next {
    pub(super) fn begin(given: &mut impl MacKey) -> Result<Self, KeyError> {
        Ok(Self {
            keys: None,
            tried: false,
            given: check_of(given)?,
        })
    }

    pub(super) const fn is_there(&self) -> bool {
        self.keys.is_some()
    }

    pub(super) const fn is_tried(&self) -> bool {
        self.tried && self.is_there()
    }

    /// Its keys, for a message that is `of_next`.
    pub(super) fn keys(&self, of_next: bool) -> Option<&SessionKeys> {
        self.keys.as_ref().filter(|_| of_next)
    }

    pub(super) fn set(&mut self, keys: SessionKeys) {
        self.keys = Some(keys);
        self.tried = true;
    }

    pub(super) fn try_again(&mut self, tried: bool) {
        self.tried = tried;
    }

    pub(super) fn take(&mut self) -> Option<SessionKeys> {
        self.keys.take()
    }

    /// A record that holds a secret: which one it is to succeed, and itself.
    pub(crate) fn record_of<'b>(
        &self,
        secret: &[u8],
        buffer: &'b mut Zeroizing<[u8; RECORD_LEN]>,
    ) -> &'b [u8] {
        let parts = self.given.iter().chain(secret);
        let mut length = 0_usize;
        for (slot, byte) in buffer.iter_mut().zip(parts) {
            *slot = *byte;
            length = length.saturating_add(1);
        }
        buffer.get(..length).unwrap_or_default()
    }

    /// The secret in a record, if it succeeded the one that the application gave.
    pub(crate) fn secret_in<'r>(&self, record: &'r [u8]) -> Option<&'r [u8]> {
        record
            .strip_prefix(&self.given)
            .filter(|secret| !secret.is_empty())
    }
}

/// Tells a secret from others, and nothing about it: a truncated tag in hex, and a blank.
fn check_of(secret: &mut impl MacKey) -> Result<[u8; CHECK_LEN], KeyError> {
    secret.begin()?;
    secret.update(SUCCEEDED)?;
    let tag = secret.finish()?.publish();
    let mut check = [b' '; CHECK_LEN];
    for (pair, byte) in check.chunks_exact_mut(2).zip(tag.as_bytes()) {
        for (digit, half) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
            *digit = HEX.get(usize::from(half)).copied().unwrap_or_default();
        }
    }
    Ok(check)
}

const SUCCEEDED: &[u8] = b"providore/2 succeeded\0";
const HEX: &[u8; 16] = b"0123456789abcdef";

/// Eight bytes in hex, and a blank.
const CHECK_LEN: usize = 17;

/// The longest record that holds a secret.
pub(crate) const RECORD_LEN: usize = CHECK_LEN + crate::VerifiedSecret::MAX_LEN;

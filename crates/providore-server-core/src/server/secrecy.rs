//! Encryption of what is secret: always in the `Signed` dialect, also under TLS.
//!
//! A proxy that ends TLS is a place where it would be in clear, and one way is simpler to trust
//! than two.

use alloc::{string::String, vec::Vec};
use core::sync::atomic::Ordering;

use providore_sign::{
    content_coding::{self, EncodeError, Encoder, RecordSize, Salt},
    signed::Keys,
    subkeys,
};

use super::{Authenticated, Server, etag};
use crate::{Body, Moment, Response, StoreError};

impl<S> Server<S> {
    /// Encrypts the body of an answer for the device that asked, if it speaks the `Signed` dialect.
    pub(super) fn conceal<I>(
        &self,
        asked: &Authenticated<'_>,
        mut answer: Response<I>,
        moment: &Moment,
    ) -> Result<Response<I>, StoreError> {
        let (Some(keys), Body::Bytes(plain)) = (asked.keys(), &answer.body) else {
            return Ok(answer);
        };
        let fault = |error: EncodeError| StoreError::new("encrypt an answer", error);
        let salt = self.salt(moment).map_err(fault)?;
        let coded = encode(keys, salt, plain).map_err(fault)?;
        answer.body = Body::Bytes(coded.into());
        Ok(answer.with("content-encoding", content_coding::NAME))
    }

    /// A salt that no other content of this server has, even if somebody calls with the same
    /// moment twice.
    fn salt(&self, moment: &Moment) -> Result<Salt, EncodeError> {
        let mut salt = moment.for_salt();
        let count = self.salts.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        for (byte, counted) in salt.iter_mut().zip(count) {
            *byte ^= counted;
        }
        Salt::take(&mut salt)
    }
}

fn encode(keys: &Keys, salt: Salt, plain: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let mut record = [0; RecordSize::DEFAULT.get()];
    let (header, mut encoder) =
        Encoder::begin(&keys.content_key(), salt, RecordSize::DEFAULT, &mut record)?;
    let overhead = plain.len().div_ceil(RecordSize::DEFAULT.content()).max(1);
    let overhead = overhead
        .saturating_mul(17)
        .saturating_add(header.as_bytes().len());
    let mut coded = Vec::with_capacity(plain.len().saturating_add(overhead));
    coded.extend_from_slice(header.as_bytes());
    let mut plain = plain;
    while let Some(record) = encoder.update(&mut plain)? {
        coded.extend_from_slice(record);
    }
    coded.extend_from_slice(encoder.finish()?);
    Ok(coded)
}

/// The entity tag of a configuration with this digest. What is encrypted has one that only the
/// server can compute: from the digest itself, a listener could find a password in it by trying.
pub(super) fn entity_tag(
    asked: &Authenticated<'_>,
    sha256: &[u8; 32],
) -> Result<String, StoreError> {
    let fault = |error| StoreError::new("make an entity tag", error);
    let Some(mut secret) = asked.secret().map_err(fault)? else {
        return Ok(etag(sha256));
    };
    let tag = subkeys::entity_tag(&mut secret, sha256).map_err(fault)?;
    // Weak: the bytes differ from answer to answer (RFC 9110 section 8.8.1).
    Ok(alloc::format!("W/{}", etag(&tag)))
}

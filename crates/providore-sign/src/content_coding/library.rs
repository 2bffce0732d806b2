//! AES-GCM as the library has it.

use aes_gcm::{KeyInit as _, Tag, aead::AeadInOut as _};

use super::record::Nonce;

/// AES-128 in Galois/counter mode with nonces of 96 bits and nothing that is authenticated in
/// clear.
pub(super) struct Aes128Gcm(aes_gcm::Aes128Gcm);

impl Aes128Gcm {
    pub(super) fn new(key: &[u8; 16]) -> Self {
        Self(aes_gcm::Aes128Gcm::new(key.into()))
    }

    /// Encrypts in place: the tag. The library refuses only 64 GiB at once.
    pub(super) fn seal(&self, nonce: &Nonce, text: &mut [u8]) -> Option<[u8; 16]> {
        let tag = self
            .0
            .encrypt_inout_detached(&bytes(nonce).into(), b"", text.into());
        tag.ok().map(Into::into)
    }

    /// Decrypts in place what has this tag; leaves what has another as it is.
    pub(super) fn open(&self, nonce: &Nonce, text: &mut [u8], tag: &[u8; 16]) -> Option<()> {
        let tag = Tag::from(*tag);
        let opened = self
            .0
            .decrypt_inout_detached(&bytes(nonce).into(), b"", text.into(), &tag);
        opened.ok()
    }
}

fn bytes(nonce: &Nonce) -> [u8; 12] {
    let mut bytes = [0; 12];
    for (slots, word) in bytes.as_chunks_mut().0.iter_mut().zip(nonce) {
        *slots = word.to_be_bytes();
    }
    bytes
}

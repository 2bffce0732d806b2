//! AES-GCM for where code is dear: one block after the other.
//!
//! The cipher in software encrypts some blocks at once, in words of another length than it takes for a
//! single one, and all of its code would be there twice.

use aes_gcm::{
    AesGcm, KeyInit, KeySizeUser,
    aead::{
        Key,
        array::Array,
        consts::{U1, U12, U16},
    },
    aes::{
        Aes128,
        cipher::{
            BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, InOut,
            ParBlocksSizeUser,
        },
    },
};

/// AES-128 in Galois/counter mode with nonces of 96 bits.
pub(super) type Aes128Gcm = AesGcm<OneByOne, U12>;

/// AES-128, a block at a time.
#[derive(Clone)]
pub(super) struct OneByOne(Aes128);

impl KeySizeUser for OneByOne {
    type KeySize = U16;
}

impl KeyInit for OneByOne {
    fn new(key: &Key<Self>) -> Self {
        Self(Aes128::new(key))
    }
}

impl BlockSizeUser for OneByOne {
    type BlockSize = U16;
}

impl ParBlocksSizeUser for OneByOne {
    type ParBlocksSize = U1;
}

impl BlockCipherEncrypt for OneByOne {
    fn encrypt_with_backend(&self, f: impl BlockCipherEncClosure<BlockSize = U16>) {
        f.call(self);
    }
}

impl BlockCipherEncBackend for OneByOne {
    #[inline(never)]
    fn encrypt_block(&self, block: InOut<'_, '_, Array<u8, U16>>) {
        self.0.encrypt_block_inout(block);
    }
}

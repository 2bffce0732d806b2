//! The dialect `Original`, where the feature is not there: nothing of it exists.

use core::{convert::Infallible, marker::PhantomData};

use providore_sign::{KeyError, MacKey, Refusal};
use providore_wire::{DeviceId, FirmwareVersion, Target, Timestamp};

use crate::{Error, Head, exchange::sealed::Question, head::Told};

#[derive(Debug, Clone)]
pub(super) struct Original<K>(Infallible, PhantomData<K>);

/// When a question was signed.
pub(super) type SignedAt = Infallible;

#[derive(Debug)]
pub(crate) struct OriginalVerifier<'a, K>(Infallible, PhantomData<&'a mut K>);

impl<K: MacKey> Original<K> {
    pub(super) fn new(_: K) -> Result<Self, KeyError> {
        Err(super::UNSPOKEN)
    }

    pub(super) fn sign<'m>(
        &mut self,
        _: (&DeviceId, &FirmwareVersion),
        _: (&dyn Question, &Target<'_>),
        _: Option<Timestamp>,
        _: &'m mut [u8],
    ) -> Result<(&'m str, SignedAt), Error> {
        match self.0 {}
    }

    pub(super) fn open<'a>(
        &'a mut self,
        _: SignedAt,
        _: &'a impl Head,
        _: Option<Timestamp>,
    ) -> Result<(OriginalVerifier<'a, K>, Told<'a>), Error> {
        match self.0 {}
    }
}

impl<K: MacKey> OriginalVerifier<'_, K> {
    pub(super) fn update(&mut self, _: &[u8]) -> Result<(), KeyError> {
        match self.0 {}
    }

    pub(super) fn finish(self) -> Result<Timestamp, Refusal> {
        match self.0 {}
    }
}

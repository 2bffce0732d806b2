//! Where firmware is written.

use providore_wire::FirmwareVersion;

use super::StoreError;
use crate::VerifiedImage;

/// A place for a second image beside the one that runs.
///
/// # Contract
/// [`begin`](Self::begin), [`write`](Self::write) and [`abort`](Self::abort) never touch the image
/// that runs. [`commit`](Self::commit) switches in one step: after a power cut at any moment the
/// device has the old image or the whole new one. A slot that can read back compares length and
/// digest with the [`VerifiedImage`] before it switches, and fails with
/// [`StoreError::mismatch`]. `begin` while a download is under way drops that one.
///
/// After `commit` the new image is on trial: [`confirm`](Self::confirm) keeps it,
/// [`roll_back`](Self::roll_back) returns to the previous one.
#[expect(
    async_fn_in_trait,
    reason = "no Send bound: executors of devices have one thread"
)]
pub trait FirmwareSlot {
    /// Makes room for an image of `version`.
    ///
    /// # Errors
    /// [`StoreError`] of the medium.
    async fn begin(&mut self, version: &FirmwareVersion) -> Result<(), StoreError>;

    /// Writes the next part, which has not been verified yet.
    ///
    /// # Errors
    /// [`StoreError::full`], [`StoreError::out_of_order`], or a fault of the medium.
    async fn write(&mut self, chunk: &[u8]) -> Result<(), StoreError>;

    /// Makes what was written the image that runs next. Durable when it returns.
    ///
    /// # Errors
    /// [`StoreError::mismatch`], [`StoreError::out_of_order`], or a fault of the medium; the
    /// previous image then stays.
    async fn commit(&mut self, image: VerifiedImage) -> Result<(), StoreError>;

    /// Drops what was written.
    ///
    /// # Errors
    /// A fault of the medium; the image that runs is not touched in any case.
    async fn abort(&mut self) -> Result<(), StoreError>;

    /// Ends the trial: the image that runs is good. Without a trial, does nothing.
    ///
    /// # Errors
    /// A fault of the medium.
    async fn confirm(&mut self) -> Result<(), StoreError>;

    /// Ends the trial: the previous image runs next.
    ///
    /// # Errors
    /// [`StoreError::out_of_order`] if no image is on trial, or a fault of the medium.
    async fn roll_back(&mut self) -> Result<(), StoreError>;
}

impl<F: FirmwareSlot + ?Sized> FirmwareSlot for &mut F {
    async fn begin(&mut self, version: &FirmwareVersion) -> Result<(), StoreError> {
        (**self).begin(version).await
    }

    async fn write(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        (**self).write(chunk).await
    }

    async fn commit(&mut self, image: VerifiedImage) -> Result<(), StoreError> {
        (**self).commit(image).await
    }

    async fn abort(&mut self) -> Result<(), StoreError> {
        (**self).abort().await
    }

    async fn confirm(&mut self) -> Result<(), StoreError> {
        (**self).confirm().await
    }

    async fn roll_back(&mut self) -> Result<(), StoreError> {
        (**self).roll_back().await
    }
}

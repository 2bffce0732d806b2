//! Where firmware is written.

use providore_wire::FirmwareVersion;

use super::StoreError;
use crate::VerifiedImage;

/// A place for a second image beside the one that runs.
///
/// # Contract
/// [`begin`](Self::begin), [`write`](Self::write) and [`abort`](Self::abort) never touch the image
/// that runs, nor, while that is on trial, the one before it: `begin` and `write` are then out of
/// order. [`commit`](Self::commit), [`confirm`](Self::confirm) and [`roll_back`](Self::roll_back)
/// each change what runs next, or what [`state`](Self::state) says, in one step: after a power cut
/// at any moment the device has the old image or the whole new one, and knows which. They are
/// durable when they return.
///
/// What was written need not be durable before `commit`, and nobody relies on it: after a restart
/// the caller [`read`](Self::read)s what is there, checks it, and goes on where it ends to be right.
#[expect(
    async_fn_in_trait,
    reason = "no Send bound: executors of devices have one thread"
)]
pub trait FirmwareSlot {
    /// The longest image in bytes.
    fn capacity(&self) -> u64;

    /// What became of the last switch.
    ///
    /// # Errors
    /// A fault of the medium.
    async fn state(&mut self) -> Result<SlotState, StoreError>;

    /// Reads what lies in the slot that does not run, from `offset`, and says how many bytes; 0 at
    /// the end of what may be there. Before, while and after an image is written.
    ///
    /// # Errors
    /// A fault of the medium.
    async fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, StoreError>;

    /// Finds out whether an image of `length` bytes can be stored and run from here, before its first byte
    /// is fetched. What was read before stays as it is. The length may be what somebody on the way says.
    ///
    /// # Errors
    /// [`StoreError::full`], [`StoreError::unsuitable`], or a fault of the medium.
    async fn check_room(&mut self, length: u64) -> Result<(), StoreError> {
        if length > self.capacity() {
            return Err(StoreError::full());
        }
        Ok(())
    }

    /// Makes room for an image of `version` and keeps the first `keep` bytes of what can be read.
    /// Returns the offset from which it is to be written: `keep`, or less where the medium can only
    /// erase more than that, or holds less. A download that was under way ends.
    ///
    /// # Errors
    /// [`StoreError::out_of_order`] while an image is on trial, or a fault of the medium.
    async fn begin(&mut self, version: &FirmwareVersion, keep: u64) -> Result<u64, StoreError>;

    /// Writes the next part, from what [`begin`](Self::begin) returned on.
    ///
    /// # Errors
    /// [`StoreError::full`], [`StoreError::out_of_order`] without a `begin` since the restart, or a
    /// fault of the medium.
    async fn write(&mut self, chunk: &[u8]) -> Result<(), StoreError>;

    /// Makes what was written the image that runs next, on trial. Reads back what is there and
    /// compares length and digest with the [`VerifiedImage`] before it switches.
    ///
    /// # Errors
    /// [`StoreError::mismatch`], [`StoreError::out_of_order`] without a download, or a fault of the
    /// medium; the previous image then stays.
    async fn commit(&mut self, image: VerifiedImage) -> Result<(), StoreError>;

    /// Ends the download. What was written is of no use any more; whether it can still be read is
    /// the medium's choice.
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

/// What became of the last switch to another image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SlotState {
    /// The image that runs is kept, and no other was tried since.
    #[default]
    Settled,
    /// The image that runs, or that runs after the next restart, is on trial.
    OnTrial,
    /// The image that was on trial did not last: the bootloader or
    /// [`roll_back`](FirmwareSlot::roll_back) went back to the one before. Until the next
    /// [`begin`](FirmwareSlot::begin).
    RolledBack,
}

impl<F: FirmwareSlot + ?Sized> FirmwareSlot for &mut F {
    fn capacity(&self) -> u64 {
        (**self).capacity()
    }

    async fn state(&mut self) -> Result<SlotState, StoreError> {
        (**self).state().await
    }

    async fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, StoreError> {
        (**self).read(offset, buffer).await
    }

    async fn check_room(&mut self, length: u64) -> Result<(), StoreError> {
        (**self).check_room(length).await
    }

    async fn begin(&mut self, version: &FirmwareVersion, keep: u64) -> Result<u64, StoreError> {
        (**self).begin(version, keep).await
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

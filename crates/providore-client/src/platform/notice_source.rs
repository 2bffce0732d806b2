//! Where notices arrive.

use core::future::pending;

/// Receives datagrams that may be notices: a UDP socket of the application.
///
/// # Security
/// Anybody may send to it. What comes is verified before it counts, and changes nothing but when the
/// device asks its server the next time, within bounds.
#[expect(
    async_fn_in_trait,
    reason = "no Send bound: executors of devices have one thread"
)]
pub trait NoticeSource {
    /// Waits for a datagram and puts it into `buffer`; how many bytes. Of one that is longer than
    /// `buffer`, as much as fits; it is none of ours.
    ///
    /// The future is dropped when the day begins, and must not lose more than the datagram by that. A
    /// source that failed waits instead of returning: the day comes all the same.
    async fn receive(&mut self, buffer: &mut [u8]) -> usize;
}

impl<N: NoticeSource + ?Sized> NoticeSource for &mut N {
    async fn receive(&mut self, buffer: &mut [u8]) -> usize {
        (**self).receive(buffer).await
    }
}

/// No notice ever comes.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing in it")]
pub struct NoNotices;

impl NoticeSource for NoNotices {
    async fn receive(&mut self, _: &mut [u8]) -> usize {
        pending().await
    }
}

//! Small things that survive a restart.

use super::StoreError;

/// What the agent remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Record {
    /// The configuration, as the server sent it.
    Config,
    /// The certificate chain in use, PEM.
    Certificate,
    /// The chain before that.
    PreviousCertificate,
    /// The certificates of the CA, PEM, pinned at first use.
    Authority,
    /// A firmware version that was tried and did not work: it is not installed again.
    RefusedFirmware,
    /// Where an update stands, and which firmware is too old to be installed: at most 160 bytes.
    Update,
    /// The secret that succeeded the one that the application gave, with eight bytes in hex before
    /// it that tell which one that was: given another one, the agent does not look at this record.
    Secret,
    /// A secret that is to succeed the present one, in the same form.
    NextSecret,
}

impl Record {
    /// A name for keys and files: lower case, hyphens.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Certificate => "certificate",
            Self::PreviousCertificate => "previous-certificate",
            Self::Authority => "authority",
            Self::RefusedFirmware => "refused-firmware",
            Self::Update => "update",
            Self::Secret => "rotated-secret",
            Self::NextSecret => "next-secret",
        }
    }
}

/// Named records, each stored atomically.
///
/// # Contract
/// After a power cut at any moment a record has the old content or the new one, never a part.
/// [`store`](Self::store) and [`remove`](Self::remove) are durable when they return. Nobody else may
/// read them: configurations may hold secrets, and two records are nothing else. Losing
/// [`Record::Secret`] or [`Record::NextSecret`] locks the device out.
#[expect(
    async_fn_in_trait,
    reason = "no Send bound: executors of devices have one thread"
)]
pub trait Storage {
    /// Reads a record into `buffer`; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError::full`] if it is longer than `buffer`, or a fault of the medium.
    async fn load<'b>(
        &mut self,
        record: Record,
        buffer: &'b mut [u8],
    ) -> Result<Option<&'b [u8]>, StoreError>;

    /// Replaces a record.
    ///
    /// # Errors
    /// [`StoreError::full`], or a fault of the medium; the old content then stays.
    async fn store(&mut self, record: Record, content: &[u8]) -> Result<(), StoreError>;

    /// Removes a record, if it is there.
    ///
    /// # Errors
    /// A fault of the medium.
    async fn remove(&mut self, record: Record) -> Result<(), StoreError>;
}

impl<S: Storage + ?Sized> Storage for &mut S {
    async fn load<'b>(
        &mut self,
        record: Record,
        buffer: &'b mut [u8],
    ) -> Result<Option<&'b [u8]>, StoreError> {
        (**self).load(record, buffer).await
    }

    async fn store(&mut self, record: Record, content: &[u8]) -> Result<(), StoreError> {
        (**self).store(record, content).await
    }

    async fn remove(&mut self, record: Record) -> Result<(), StoreError> {
        (**self).remove(record).await
    }
}

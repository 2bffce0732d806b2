//! `GET /firmware?version=V` with `Range`: the rest of an image of which a manifest tells the digest.

use providore_sign::MacKey;
use providore_wire::{FirmwareVersion, Text, Timestamp};

use super::image_target;
use crate::{
    BodyFault, Device, EntityTag, Error, Exchange, Head, Operation,
    exchange::{Target, sealed::Question},
    head::Told,
};

/// Asks for an image from a byte on, which its author has described: its bytes are proven by their
/// chunks, each before it is written, and so need no end of the answer. Only in the `Signed` dialect.
///
/// From byte 0 on the request has no `range`. From any other on it has `range` and `if-range`
/// (RFC 9110 sections 13.1.5 and 14.2), so that parts of two images are never put together: the tag
/// of an image is its SHA-256, which the manifest tells.
#[derive(Debug, Clone)]
#[must_use]
pub struct FirmwarePart<'v> {
    version: &'v FirmwareVersion,
    tag: EntityTag,
    from: u64,
    length: u64,
    /// Empty: the whole image is asked for.
    range: Text<MAX_RANGE>,
}

impl<'v> FirmwarePart<'v> {
    /// Asks for the image of `version`, which has this SHA-256 and `length` bytes, from byte `from`
    /// on.
    #[inline(never)] // Its frame is not to last as long as the download.
    pub fn new(version: &'v FirmwareVersion, sha256: &[u8; 32], length: u64, from: u64) -> Self {
        let mut range = Text::new();
        if from > 0 {
            // It fits.
            let _ = range.push_str("bytes=");
            let _ = range.push_number(from);
            let _ = range.push_str("-");
        }
        Self {
            version,
            tag: EntityTag::of_image(sha256),
            from,
            length,
            range,
        }
    }

    /// Asks for the whole image, of which the bytes before `from` are passed over: for a way to the
    /// server on which `Range` gets lost, and with it the signature that covers it.
    pub fn without_range(mut self) -> Self {
        self.range = Text::new();
        self
    }

    /// `bytes F-L/N` (RFC 9110 section 14.4), as the answer must have it.
    fn content_range(&self) -> Text<MAX_CONTENT_RANGE> {
        let mut range = Text::new();
        // It fits.
        let _ = range.push_str("bytes ");
        let _ = range.push_number(self.from);
        let _ = range.push_str("-");
        let _ = range.push_number(self.length.saturating_sub(1));
        let _ = range.push_str("/");
        let _ = range.push_number(self.length);
        range
    }
}

/// `bytes=`, a number of at most 20 digits, and `-`.
const MAX_RANGE: usize = 27;

/// `bytes `, three such numbers, `-` and `/`.
const MAX_CONTENT_RANGE: usize = 68;

impl Question for FirmwarePart<'_> {
    fn target(&self) -> Target<'_> {
        image_target(self.version)
    }

    fn part(&self) -> Option<(&str, &EntityTag)> {
        let range = self.range.as_str();
        (!range.is_empty()).then_some((range, &self.tag))
    }

    fn is_signed_only(&self) -> bool {
        true
    }
}

impl Operation for FirmwarePart<'_> {}

impl Exchange<'_, FirmwarePart<'_>> {
    /// Takes the head of the answer, and says how many bytes of its body come before the one that
    /// was asked for: all of them, if the server ignores ranges.
    ///
    /// # Errors
    /// [`Error::Unsigned`], [`Error::Head`], [`Error::NotVerified`]; [`Error::Declined`] for any
    /// status but 200 and 206, 416 among them; [`BodyFault::OtherImage`] and
    /// [`BodyFault::OtherPart`] in [`Error::Body`]. The body is then not worth reading.
    pub fn receive_part<K: MacKey>(
        &self,
        device: &mut Device<K>,
        head: &impl Head,
        clock: Option<Timestamp>,
    ) -> Result<u64, Error> {
        let told = self.open(device, head, clock)?.told;
        self.operation().bytes_before(&told)
    }
}

impl FirmwarePart<'_> {
    /// How many bytes of the body come before the one that was asked for.
    #[inline(never)] // Its frame is not to last as long as the download.
    pub(crate) fn bytes_before(&self, told: &Told<'_>) -> Result<u64, Error> {
        if !matches!(told.status, 200 | 206) {
            return Err(Error::Declined {
                status: told.status,
                retry_after_s: told.retry_after_s,
            });
        }
        if told.encrypted {
            return Err(BodyFault::Encoding.into());
        }
        if told.etag != Some(self.tag.as_str().as_bytes()) {
            return Err(BodyFault::OtherImage.into());
        }
        if told.status == 200 {
            return Ok(self.from);
        }
        let expected = self.content_range();
        if self.from == 0 || told.content_range != Some(expected.as_str().as_bytes()) {
            return Err(BodyFault::OtherPart.into());
        }
        Ok(0)
    }
}

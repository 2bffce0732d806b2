//! `GET /firmware/check` and `GET /firmware?version=V`.

mod part;

pub use part::FirmwarePart;

use providore_sign::MacKey;
use providore_wire::{FirmwareVersion, Route, Target as Parsed, Timestamp};

use crate::{
    BodyFault, BufferedOperation, Device, Error, Exchange, Head, ImageCheck, Operation,
    ReceivingImage,
    exchange::{Opened, SignedAnswer, Target, sealed::Question},
};

/// Asks whether another firmware waits.
#[derive(Debug, Clone, Copy, Default)]
#[must_use]
#[non_exhaustive]
pub struct FirmwareCheck;

impl FirmwareCheck {
    /// Asks.
    pub const fn new() -> Self {
        Self
    }
}

/// What the server said about firmware.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum FirmwareOutcome<'b> {
    /// Nothing waits.
    UpToDate,
    /// This version waits.
    ///
    /// In the `Original` dialect the `Location` header that names it is not signed; the body is, and
    /// must end with the same text ("Found. Redirecting to /firmware?version=V", which every
    /// Providore sends). There it stays a wish: the query of the download is not signed either, so
    /// the image is checked for itself.
    Offered(FirmwareVersion),
    /// This version waits, and this is what its author says about it. Only in the `Signed` dialect.
    ///
    /// The server said so; that an author did, the manifest has to show.
    Described {
        /// The version.
        version: FirmwareVersion,
        /// The manifest, `COSE_Sign1` (RFC 9052), as the server has it.
        manifest: &'b [u8],
    },
}

impl Question for FirmwareCheck {
    fn target(&self) -> Target<'_> {
        target_of(Route::FirmwareCheck)
    }
}

impl Operation for FirmwareCheck {}

impl BufferedOperation for FirmwareCheck {
    type Outcome<'b> = FirmwareOutcome<'b>;

    fn conclude<'b>(self, answer: SignedAnswer<'_, 'b>) -> Result<FirmwareOutcome<'b>, Error> {
        let mut version = None;
        let offer = read_offer(answer, &mut version)?;
        Ok(match (offer, version) {
            (Offer::Bare, Some(version)) => FirmwareOutcome::Offered(version),
            (Offer::Described(manifest), Some(version)) => {
                FirmwareOutcome::Described { version, manifest }
            }
            _ => FirmwareOutcome::UpToDate,
        })
    }
}

/// Asks the same; the version goes to where it stays.
#[cfg(feature = "update")]
pub(crate) struct OfferCheck<'v>(pub(crate) &'v mut Option<FirmwareVersion>);

/// What is offered beside the version.
#[derive(Clone, Copy)]
pub(crate) enum Offer<'b> {
    /// Not even that.
    Nothing,
    /// The version alone.
    Bare,
    /// The manifest.
    Described(&'b [u8]),
}

#[cfg(feature = "update")]
impl Question for OfferCheck<'_> {
    fn target(&self) -> Target<'_> {
        target_of(Route::FirmwareCheck)
    }
}

#[cfg(feature = "update")]
impl Operation for OfferCheck<'_> {}

#[cfg(feature = "update")]
impl BufferedOperation for OfferCheck<'_> {
    type Outcome<'b> = Offer<'b>;

    fn conclude<'b>(self, answer: SignedAnswer<'_, 'b>) -> Result<Offer<'b>, Error> {
        read_offer(answer, self.0)
    }
}

fn read_offer<'b>(
    answer: SignedAnswer<'_, 'b>,
    version: &mut Option<FirmwareVersion>,
) -> Result<Offer<'b>, Error> {
    *version = None;
    match answer.told.status {
        204 => {
            answer.without_body()?;
            Ok(Offer::Nothing)
        }
        200 | 302 => {
            let told = answer.told;
            let body = answer.body()?;
            let same = |place: &&[u8]| told.covered || body.ends_with(place);
            let location = told.location.filter(same);
            *version = location.and_then(offered);
            if version.is_none() {
                return Err(BodyFault::Location.into());
            }
            if told.covered && told.status == 200 && is_cose(told.content_type) {
                return Ok(Offer::Described(body));
            }
            Ok(Offer::Bare)
        }
        _ => Err(answer.declined()),
    }
}

/// The version in `/firmware?version=V`. A location with a scheme or a host is refused whatever it
/// names: there is nothing that a device should follow.
fn offered(location: &[u8]) -> Option<FirmwareVersion> {
    let text = core::str::from_utf8(location).ok()?;
    let target = Parsed::parse(text.starts_with('/').then_some(text)?).ok()?;
    let path = target.path();
    let path = path.strip_suffix('/').unwrap_or(path);
    if !path.eq_ignore_ascii_case(Route::Firmware.path()) {
        return None;
    }
    target.version().ok()?
}

/// `application/cose` (RFC 9052 section 11.4), whatever its parameters say.
fn is_cose(content_type: Option<&[u8]>) -> bool {
    let value = content_type.unwrap_or_default();
    let end = value.iter().position(|byte| *byte == b';');
    let essence = value.get(..end.unwrap_or(value.len())).unwrap_or_default();
    essence
        .trim_ascii()
        .eq_ignore_ascii_case(b"application/cose")
}

/// Asks for an image of a version; the answer is streamed, never buffered.
#[derive(Debug, Clone)]
#[must_use]
pub struct FirmwareDownload {
    version: FirmwareVersion,
    check: ImageCheck,
}

impl FirmwareDownload {
    /// Asks for `version`, and accepts what `check` lets pass.
    pub const fn new(version: FirmwareVersion, check: ImageCheck) -> Self {
        Self { version, check }
    }
}

impl Question for FirmwareDownload {
    fn target(&self) -> Target<'_> {
        image_target(&self.version)
    }
}

impl Operation for FirmwareDownload {}

impl Exchange<'_, FirmwareDownload> {
    /// Takes the head of the answer; the image follows in chunks.
    ///
    /// # Errors
    /// [`Error::Unsigned`], [`Error::Head`], [`Error::NotVerified`], [`Error::Body`], if the head
    /// alone is reason enough, and [`Error::Declined`] for any status but 200. In the `Original`
    /// dialect such a status proves nothing; in both the body is not read.
    pub fn receive_image<'a, K: MacKey>(
        self,
        device: &'a mut Device<K>,
        head: &'a impl Head,
        clock: Option<Timestamp>,
    ) -> Result<ReceivingImage<'a, K>, Error> {
        let opened = self.open(device, head, clock)?;
        opened.into_image(self.into_operation())
    }
}

impl<'a, K: MacKey> Opened<'a, K> {
    pub(crate) fn into_image(
        self,
        operation: FirmwareDownload,
    ) -> Result<ReceivingImage<'a, K>, Error> {
        let Self { proof, told } = self;
        if told.status != 200 {
            return Err(Error::Declined {
                status: told.status,
                retry_after_s: told.retry_after_s,
            });
        }
        if told.encrypted {
            return Err(BodyFault::Encoding.into());
        }
        let FirmwareDownload { version, check } = operation;
        Ok(ReceivingImage::new(proof.body(), version, check))
    }
}

/// The target of an image of a version.
const fn image_target(version: &FirmwareVersion) -> Target<'_> {
    Target {
        route: Route::Firmware,
        version: Some(version),
    }
}

/// The target of a route without query.
pub(crate) const fn target_of(route: Route) -> Target<'static> {
    Target {
        route,
        version: None,
    }
}

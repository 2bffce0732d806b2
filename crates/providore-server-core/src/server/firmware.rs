//! `GET /firmware/check` and `GET /firmware`.

use alloc::{format, string::String};

use bytes::Bytes;
use providore_pki::manifest::Manifest;
use providore_wire::{Dialect, FirmwareVersion, Target};

use super::{Authenticated, Server, etag, text};
use crate::{
    Body, CertificateLog, ConfigStore, Device, DeviceStore, Event, FirmwareStore, Image as _,
    Order, Release, Response, StoreError,
    problem::Problem,
    range::{Part, none_match, part},
};

/// The media type of a manifest (RFC 9052 section 2, table 1).
const MANIFEST: &str = "application/cose; cose-type=\"cose-sign1\"";

impl<S> Server<S>
where
    S: DeviceStore + ConfigStore + FirmwareStore + CertificateLog,
{
    /// What to install next: its manifest, or 302 to a release that has none, or 204.
    pub(super) async fn firmware_check(
        &self,
        asked: &Authenticated<'_>,
    ) -> Result<Response<S::Image>, StoreError> {
        if asked.dialect() == Dialect::Original {
            return self.original_firmware_check(asked).await;
        }
        let device = asked.device();
        let running = asked.firmware_version();
        let sequence = self.sequence_of(device, running.as_ref()).await?;
        let failures = self.store.failures(&device.id).await?;
        let has_failed =
            |version: &FirmwareVersion| failures.iter().any(|failure| failure.version == *version);
        let next = device.next_release(running.as_ref(), sequence, has_failed);
        let Some(next) = next else {
            return Ok(Response::empty(204));
        };
        if !self.has_image(device, next).await? {
            return Ok(Response::empty(204));
        }
        if next.order.is_none() {
            return Ok(redirect(&next.version));
        }
        let manifest = self.store.manifest(next).await?;
        let manifest = manifest.ok_or_else(|| misplaced(next, "it is not there"))?;
        if Some(order(next, &manifest)?) != next.order {
            return Err(misplaced(next, "its sequence numbers are others"));
        }
        Ok(text(200, MANIFEST, manifest).with("location", location(&next.version)))
    }

    /// Along [`Release::next`], whatever the author says: devices of this dialect know nothing of it,
    /// and what failed on them they cannot report. A device that runs a version we do not know is led
    /// to the newest, not left alone for ever.
    async fn original_firmware_check(
        &self,
        asked: &Authenticated<'_>,
    ) -> Result<Response<S::Image>, StoreError> {
        let device = asked.device();
        let running = asked.firmware_version();
        let known = running.as_ref().and_then(|version| device.release(version));
        let next = match known {
            Some(release) => release.next.as_ref(),
            None => device.releases.last().map(|release| &release.version),
        };
        let Some(next) = next.filter(|next| running.as_ref() != Some(*next)) else {
            return Ok(Response::empty(204));
        };
        // What the record does not know is not looked for: the request for it says 404.
        let release = device.release(next);
        if let Some(release) = release
            && !self.has_image(device, release).await?
        {
            return Ok(Response::empty(204));
        }
        Ok(redirect(next))
    }

    /// Whether a release can be had. What cannot is not offered: a device would ask for it in vain,
    /// again and again.
    async fn has_image(&self, device: &Device, release: &Release) -> Result<bool, StoreError> {
        let has_image = self.store.has_image(release).await?;
        if !has_image {
            self.audit.record(&Event::ImageMissing {
                device: &device.id,
                release,
            });
        }
        Ok(has_image)
    }

    /// The sequence number of the release that runs on a device; 0 for what nobody has signed.
    ///
    /// A version that is not in its record may be published all the same: what the factory installed,
    /// or what was meant for other devices first.
    async fn sequence_of(
        &self,
        device: &Device,
        running: Option<&FirmwareVersion>,
    ) -> Result<u64, StoreError> {
        let order_of = |release: &Release| release.order;
        let Some(version) = running.filter(|_| device.releases.iter().any(|r| r.order.is_some()))
        else {
            return Ok(0);
        };
        if let Some(order) = device.release(version).and_then(order_of) {
            return Ok(order.sequence());
        }
        let Some(like) = device.release_for(running) else {
            return Ok(0);
        };
        let release = Release {
            version: version.clone(),
            ..like.clone()
        };
        match self.store.manifest(&release).await? {
            Some(manifest) => Ok(order(&release, &manifest)?.sequence()),
            None => Ok(0),
        }
    }

    /// An image: of the version in the query, else the newest.
    pub(super) async fn firmware(
        &self,
        asked: &Authenticated<'_>,
        target: &Target<'_>,
    ) -> Result<Response<S::Image>, StoreError> {
        let device = asked.device();
        let release = match target.version() {
            Ok(Some(version)) => device.release(&version),
            Ok(None) => device.releases.last(),
            Err(_) => None,
        };
        let Some(release) = release else {
            return Ok(Problem::NotFound.response());
        };
        let Some(image) = self.store.image(release).await? else {
            return Ok(Problem::NotFound.response());
        };
        let (etag, size) = (etag(&image.sha256()), image.size());
        if none_match(asked.field("if-none-match"), &etag) {
            return Ok(Response::empty(304).with("etag", etag));
        }
        let wanted = asked.field("range");
        let answer = match part(wanted, asked.field("if-range"), &etag, size) {
            Part::Whole => Response::new(
                200,
                Body::Image {
                    image,
                    start: 0,
                    length: size,
                },
            ),
            Part::Bytes { start, length } => {
                let last = start.saturating_add(length).saturating_sub(1);
                Response::new(
                    206,
                    Body::Image {
                        image,
                        start,
                        length,
                    },
                )
                .with("content-range", format!("bytes {start}-{last}/{size}"))
            }
            Part::Unsatisfiable => {
                return Ok(Problem::RangeNotSatisfiable
                    .response()
                    .with("content-range", format!("bytes */{size}")));
            }
        };
        Ok(answer
            .with("content-type", "application/octet-stream")
            .with("accept-ranges", "bytes")
            .with("x-firmware-version", String::from(release.version.as_str()))
            .with("etag", etag))
    }
}

/// The place that a manifest gives its release, if it is the manifest of this release.
fn order(release: &Release, manifest: &Bytes) -> Result<Order, StoreError> {
    let manifest =
        Manifest::parse(manifest).map_err(|error| StoreError::new(manifest_of(release), error))?;
    let contents = manifest.unverified_contents();
    let is_its_own = contents.hardware().as_str() == release.hardware.as_str()
        && contents.version().as_str() == release.version.as_str();
    Order::new(contents.sequence(), contents.minimum_sequence())
        .filter(|_| is_its_own)
        .ok_or_else(|| misplaced(release, "it is that of another release"))
}

/// The store and the record contradict each other: nothing is handed out until they are mended.
fn misplaced(release: &Release, why: &'static str) -> StoreError {
    StoreError::new(manifest_of(release), why)
}

fn manifest_of(release: &Release) -> String {
    format!("manifest of {} {}", release.hardware, release.version)
}

fn location(version: &FirmwareVersion) -> String {
    // `+` stands for a blank in the query of other software; escaped it means itself everywhere.
    format!("/firmware?version={}", version.as_str().replace('+', "%2B"))
}

fn redirect<I>(version: &FirmwareVersion) -> Response<I> {
    let location = location(version);
    // The `Original` dialect signs the body and not the header: the body names the place, too.
    let body = format!("Found. Redirecting to {location}");
    text(302, "text/plain; charset=utf-8", body).with("location", location)
}

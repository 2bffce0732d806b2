//! `GET /firmware/check` and `GET /firmware`.

use alloc::{format, string::String};

use providore_wire::Target;

use super::{Authenticated, Server, etag, text};
use crate::{
    Body, CertificateLog, ConfigStore, DeviceStore, FirmwareStore, Image as _, Response,
    StoreError,
    problem::Problem,
    range::{Part, none_match, part},
};

impl<S> Server<S>
where
    S: DeviceStore + ConfigStore + FirmwareStore + CertificateLog,
{
    /// What to install next: 302 to it, or 204. A device that runs a version we do not know is
    /// led to the newest, not left alone for ever.
    pub(super) fn firmware_check(asked: &Authenticated<'_>) -> Response<S::Image> {
        let device = asked.device();
        let running = asked.firmware_version();
        let known = running.as_ref().and_then(|version| device.release(version));
        let next = match known {
            Some(release) => release.next.as_ref(),
            None => device.releases.last().map(|release| &release.version),
        };
        let Some(next) = next.filter(|next| running.as_ref() != Some(*next)) else {
            return Response::empty(204);
        };
        // `+` stands for a blank in the query of other software; escaped it means itself everywhere.
        let location = format!("/firmware?version={}", next.as_str().replace('+', "%2B"));
        // The `Original` dialect signs the body and not the header: the body names the place, too.
        text(
            302,
            "text/plain; charset=utf-8",
            format!("Found. Redirecting to {location}"),
        )
        .with("location", location)
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

//! `GET /config`.

use super::{Authenticated, Server, secrecy::entity_tag, text};
use crate::{
    CertificateLog, ConfigStore, DeviceStore, FirmwareStore, Moment, Response, StoreError,
    problem::Problem, range::none_match,
};

impl<S> Server<S>
where
    S: DeviceStore + ConfigStore + FirmwareStore + CertificateLog,
{
    /// The configuration for the version that runs, or for the newest where that is unknown.
    pub(super) async fn config(
        &self,
        asked: &Authenticated<'_>,
        moment: &Moment,
    ) -> Result<Response<S::Image>, StoreError> {
        let device = asked.device();
        let release = device.release_for(asked.firmware_version().as_ref());
        let Some(config) = self.store.config(device, release).await? else {
            return Ok(Problem::NotFound.response());
        };
        let etag = entity_tag(asked, config.sha256())?;
        if none_match(asked.field("if-none-match"), &etag) {
            return Ok(Response::empty(304).with("etag", etag));
        }
        let answer = text(200, "application/json", config.bytes().clone()).with("etag", etag);
        self.conceal(asked, answer, moment)
    }
}

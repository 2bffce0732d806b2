//! What only the `Signed` dialect has: `GET /secret` and `POST /report`.

use bytes::Bytes;

use super::{Authenticated, Secret, Server, authenticated::Proof, text};
use crate::{Event, Moment, Response, StoreError, problem::Problem};

/// The longest report in bytes: a sentence about one thing.
const MAX_REPORT: usize = 1024;

impl<S> Server<S> {
    /// The secret that is to replace the device's own, encrypted; nothing if none waits.
    pub(super) fn next_secret<I>(
        &self,
        asked: &Authenticated<'_>,
        moment: &Moment,
    ) -> Result<Response<I>, StoreError> {
        let waits = match (asked.proof(), asked.device().next_secret()) {
            // With the next one it has just become the only one.
            (Proof::Signed(_, Secret::Present), Some(secret)) => Bytes::copy_from_slice(secret),
            _ => return Ok(Response::empty(204)),
        };
        self.conceal(asked, text(200, "text/plain", waits), moment)
    }

    /// Hands what a device says of itself to the operator, as it is.
    pub(super) fn report<I>(&self, asked: &Authenticated<'_>) -> Response<I> {
        let essence = asked.field("content-type").unwrap_or_default();
        let essence = essence.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Problem::UnsupportedReport.response();
        }
        if asked.body().len() > MAX_REPORT {
            return Problem::TooLarge.response();
        }
        let report = core::str::from_utf8(asked.body()).ok();
        let report = report.map(str::trim).filter(|report| {
            report.starts_with('{') && report.ends_with('}') && !report.contains(char::is_control)
        });
        let Some(report) = report else {
            return Problem::UnusableReport.response();
        };
        let device = &asked.device().id;
        self.audit.record(&Event::Reported { device, report });
        Response::empty(204)
    }
}

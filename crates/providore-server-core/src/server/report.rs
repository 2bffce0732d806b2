//! `POST /report`.

use super::{Authenticated, Server};
use crate::{Event, Response, problem::Problem};

/// The longest report in bytes: a sentence about one thing.
const MAX_REPORT: usize = 1024;

impl<S> Server<S> {
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

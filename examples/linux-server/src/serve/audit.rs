//! Events of the core, to the log and to the metrics.

use metrics::counter;
use providore_server_core::{Audit, Event};

/// Writes every event down.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Log;

impl Audit for Log {
    fn record(&self, event: &Event<'_>) {
        match event {
            Event::Unauthenticated { claimed, reason } => {
                counter!("providore_unauthenticated_total").increment(1);
                let claimed = claimed.map(tracing::field::display);
                tracing::warn!(claimed, %reason, "request refused");
            }
            Event::BadTarget(error) => tracing::warn!(%error, "request target cannot be read"),
            Event::Answered {
                device,
                route,
                status,
            } => {
                let route = route.map_or("none", providore_wire::Route::path);
                let code = status_label(*status);
                counter!("providore_answers_total", "route" => route, "status" => code)
                    .increment(1);
                tracing::debug!(%device, route, status, "answered");
            }
            Event::Limited {
                device,
                retry_after_s,
            } => {
                counter!("providore_limited_total", "by" => "device").increment(1);
                tracing::warn!(%device, retry_after_s, "device asks too often");
            }
            Event::Replayed { device } => {
                counter!("providore_replayed_total").increment(1);
                tracing::warn!(%device, "a certificate request came again; nothing was issued");
            }
            Event::CsrRefused { device, reason } => {
                counter!("providore_csr_refused_total").increment(1);
                tracing::warn!(%device, %reason, "certificate request refused");
            }
            Event::Issued {
                device,
                serial,
                renewal,
            } => {
                counter!("providore_certificates_issued_total").increment(1);
                tracing::info!(%device, %serial, renewal, "certificate issued");
            }
            Event::Fault { error } => {
                counter!("providore_faults_total").increment(1);
                let cause = std::error::Error::source(error).map(tracing::field::display);
                tracing::error!(%error, cause, "a fault of ours; the device was told to come back");
            }
            _ => {}
        }
    }
}

/// A label that costs no allocation for the codes that are sent.
fn status_label(status: u16) -> &'static str {
    match status {
        200 => "200",
        204 => "204",
        206 => "206",
        302 => "302",
        304 => "304",
        404 => "404",
        405 => "405",
        415 => "415",
        416 => "416",
        422 => "422",
        429 => "429",
        503 => "503",
        _ => "other",
    }
}

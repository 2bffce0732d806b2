//! Events of the core, to the log and to the metrics.

use metrics::{Counter, counter};
use providore_server_core::{Audit, Event};
use providore_wire::Route;

/// Writes every event down.
#[derive(Debug)]
pub(super) struct Log {
    answers: Answers,
}

/// A counter for each route and status, made once: looking one up by its labels costs more than
/// verifying a request does.
#[derive(Debug)]
struct Answers(Vec<(Option<Route>, u16, Counter)>);

/// The codes that the core sends to authenticated devices.
const STATUSES: [(u16, &str); 13] = [
    (200, "200"),
    (204, "204"),
    (206, "206"),
    (302, "302"),
    (304, "304"),
    (404, "404"),
    (405, "405"),
    (413, "413"),
    (415, "415"),
    (416, "416"),
    (422, "422"),
    (429, "429"),
    (503, "503"),
];

impl Answers {
    fn new() -> Self {
        let routes = Route::ALL.map(Some).into_iter().chain([None]);
        let counters = routes.flat_map(|route| {
            STATUSES.map(|(status, label)| {
                let path = route.map_or("none", Route::path);
                let name = "providore_answers_total";
                (
                    route,
                    status,
                    counter!(name, "route" => path, "status" => label),
                )
            })
        });
        Self(counters.collect())
    }

    fn count(&self, route: Option<Route>, status: u16) {
        let known = self.0.iter().find(|(r, s, _)| (*r, *s) == (route, status));
        if let Some((.., counter)) = known {
            counter.increment(1);
        }
    }
}

impl Log {
    /// A log whose counters belong to the recorder that is installed by now.
    pub(super) fn new() -> Self {
        Self {
            answers: Answers::new(),
        }
    }
}

impl Audit for Log {
    #[expect(clippy::too_many_lines, reason = "an arm for each event")]
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
                self.answers.count(*route, *status);
                let route = route.map_or("none", Route::path);
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
            Event::Reported { device, report } => {
                counter!("providore_reports_total").increment(1);
                tracing::info!(%device, report, "device reports");
            }
            Event::FirmwareFailed { device, failure } => {
                counter!("providore_firmware_failed_total").increment(1);
                let (version, reason) = (&failure.version, failure.reason());
                let rolled_back = failure.rolled_back;
                tracing::warn!(%device, %version, rolled_back, reason, "firmware failed; it is not offered again");
            }
            Event::ImageMissing { device, release } => {
                counter!("providore_images_missing_total").increment(1);
                let (hardware, version) = (&release.hardware, &release.version);
                tracing::warn!(%device, %hardware, %version, "release not offered: its image is not there");
            }
            Event::SecretReplaced { device } => {
                tracing::info!(%device, "device uses its next secret; the old one counts no more");
            }
            Event::DialectRaised { device } => {
                tracing::info!(%device, "device speaks signed; original is refused from now on");
            }
            Event::CsrRefused { device, reason } => {
                counter!("providore_csr_refused_total").increment(1);
                let cause = std::error::Error::source(reason).map(tracing::field::display);
                tracing::warn!(%device, %reason, cause, "certificate request refused");
            }
            Event::KeyForbidden { device } => {
                counter!("providore_csr_refused_total").increment(1);
                tracing::warn!(%device, "certificate request refused: its key was revoked");
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
